//! The client behind `symbold upload`: symbols on this machine's disk end up on a server. `symbolicate.rs` is the one
//! behind `symbold symbolicate --url`.
//!
//! Each path is a zip file, which is sent as it is, or a directory, which is zipped first. All paths are looked at
//! before the first byte is sent, so that a wrong path or a bad name is found at once. Then one path after the
//! other is packed (`bundle.rs`) and sent (`send.rs`), with attempts repeated over minutes, since a build machine
//! should outlast a server's restart. Receipts go to stdout, one line an archive; everything else goes to stderr.
//!
//! It speaks Tecken's protocol and works with either server. Walking and zipping block the thread: this is a command
//! that does one thing after the other, not a part of the server.

mod answer;
mod archive;
mod bundle;
mod connect;
mod progress;
mod send;
mod symbolicate;
#[cfg(test)]
mod testing;
mod tree;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;

use crate::clock::{Clock, SystemClock};
use archive::Archive;
use progress::Progress;
use send::{Receipt, Sender};
use tree::SymbolTree;

pub use symbolicate::symbolicate;

/// What to send, where to, and how often to try.
#[derive(Clone)]
pub struct UploadOptions {
    /// Zip files and directories.
    pub paths: Vec<PathBuf>,
    /// The server's base URL, as in `http://127.0.0.1:8000`; it may have a path.
    pub url: String,
    /// The secret of a token that may upload. `Debug` does not show it.
    pub token: String,
    /// Whether the symbols are those of a try build.
    pub try_symbols: bool,
    /// How many requests are made for one archive at most, the first included; at least one is made.
    pub attempts: u32,
    /// The time between two attempts, unless the server asks for another one with `Retry-After` (10 minutes at most).
    pub retry_delay: Duration,
    /// The time for a connection to come about.
    pub connect_timeout: Duration,
    /// The time for a request and its answer; a second for every 100 kB of the archive comes on top.
    pub timeout: Duration,
    /// Whether stderr shows warnings and errors only.
    pub quiet: bool,
}

impl UploadOptions {
    /// Options with the limits of Mozilla's client: 7 attempts, a minute apart; 10 seconds to connect, 10 minutes
    /// for the answer.
    #[must_use]
    pub fn new(paths: Vec<PathBuf>, url: String, token: String) -> Self {
        Self {
            paths,
            url,
            token,
            try_symbols: false,
            attempts: 7,
            retry_delay: Duration::from_mins(1),
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_mins(10),
            quiet: false,
        }
    }
}

/// Leaves out the URL, which may hold a password, too.
impl fmt::Debug for UploadOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadOptions")
            .field("paths", &self.paths)
            .field("try_symbols", &self.try_symbols)
            .field("attempts", &self.attempts)
            .field("retry_delay", &self.retry_delay)
            .field("connect_timeout", &self.connect_timeout)
            .field("timeout", &self.timeout)
            .field("quiet", &self.quiet)
            .finish_non_exhaustive()
    }
}

/// The result of an upload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Archives sent.
    pub archives: usize,
    /// Files that the server did not have.
    pub uploaded_files: usize,
    /// Files that the server had already.
    pub skipped_files: usize,
    /// The archives' bytes, however often they were sent.
    pub bytes: u64,
    /// Requests made.
    pub attempts: u32,
}

/// Sends everything that the options name and prints a line on stdout for each archive that the server took.
///
/// # Errors
/// A path that cannot be read or holds no symbols, a name that no server takes, an answer that is final, or an
/// archive for which all attempts failed. The text is for the person who gave the command. Archives that were taken
/// before stay taken, and the same command can be given again.
pub async fn upload(options: &UploadOptions) -> anyhow::Result<Summary> {
    let progress = Progress::new(options.quiet);
    let sender = Sender::new(options, progress)?;
    let mut sources = Vec::with_capacity(options.paths.len());
    for path in &options.paths {
        sources.push(Source::survey(path)?);
    }
    let mut summary = Summary::default();
    for source in sources {
        for archive in source.into_archives(progress)? {
            let stopwatch = SystemClock::new();
            let receipt = sender.send(&archive).await?;
            for warning in &receipt.warnings {
                eprintln!("warning: {}: {warning}", archive.name);
            }
            println!("{}", receipt_line(&archive, &receipt, stopwatch.elapsed()));
            summary.add(&archive, &receipt);
        }
    }
    Ok(summary)
}

/// One path of the command line.
enum Source {
    Archive(Archive),
    Tree(SymbolTree),
}

impl Source {
    fn survey(path: &Path) -> anyhow::Result<Self> {
        if !path.is_dir() {
            return Ok(Self::Archive(Archive::open(path)?));
        }
        let tree = SymbolTree::survey(path)?;
        if let Some(warning) = tree.warning() {
            eprintln!("warning: {warning}");
        }
        Ok(Self::Tree(tree))
    }

    fn into_archives(self, progress: Progress) -> anyhow::Result<Vec<Archive>> {
        match self {
            Self::Archive(archive) => Ok(vec![archive]),
            Self::Tree(tree) => {
                let bar = progress.files(tree.step(), tree.files().len());
                bundle::pack(tree.files(), bundle::FULL, || bar.inc(1))
            }
        }
    }
}

impl Summary {
    fn add(&mut self, archive: &Archive, receipt: &Receipt) {
        self.archives += 1;
        self.uploaded_files += archive.files.saturating_sub(receipt.skipped);
        self.skipped_files += receipt.skipped;
        self.bytes += archive.length;
        self.attempts += receipt.attempts;
    }
}

fn receipt_line(archive: &Archive, receipt: &Receipt, took: Duration) -> String {
    format!(
        "{}: {}, {} already there, upload {}, {} in {:.1} s",
        archive.name,
        count_of_files(archive.files),
        receipt.skipped,
        receipt.id,
        ByteSize(archive.length).display().si(),
        took.as_secs_f64()
    )
}

fn count_of_files(count: usize) -> String {
    let noun = if count == 1 { "file" } else { "files" };
    format!("{count} {noun}")
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use zip::ZipArchive;

    use super::testing::{CREATED, SYM, ScriptedServer, Turn, collect, directory_of};
    use super::*;

    fn options(paths: Vec<PathBuf>, server: &ScriptedServer) -> UploadOptions {
        let mut options = UploadOptions::new(paths, server.url.clone(), "s3cret-token".to_owned());
        options.quiet = true;
        options.retry_delay = Duration::ZERO;
        options
    }

    #[tokio::test]
    async fn a_directory_and_a_zip_file_are_sent_one_after_the_other() {
        let directory = directory_of(&[("a/AB/a.sym", SYM), ("b/CD/b.sym", SYM), ("readme", "")]);
        let tree = SymbolTree::survey(directory.path()).unwrap();
        let zip_bytes = collect(&bundle::pack(tree.files(), bundle::FULL, || {}).unwrap()[0]).await;
        let elsewhere = directory_of(&[]);
        let zip_path = elsewhere.path().join("nightly build.zip");
        std::fs::write(&zip_path, &zip_bytes).unwrap();

        let server =
            ScriptedServer::start(&[Turn::Answer(CREATED), Turn::HangUp, Turn::Answer(CREATED)])
                .await;
        let paths = vec![directory.path().to_owned(), zip_path];
        let summary = upload(&options(paths, &server)).await.unwrap();
        let bytes = 2 * zip_bytes.len() as u64;
        let expected = Summary {
            archives: 2,
            uploaded_files: 2,
            skipped_files: 2,
            bytes,
            attempts: 3,
        };
        assert_eq!(summary, expected);

        let requests = server.requests().await;
        for (request, name) in [
            (&requests[0], "symbols.zip"),
            (&requests[2], "nightly_build.zip"),
        ] {
            let disposition = format!("name=\"{name}\"; filename=\"{name}\"");
            let text = String::from_utf8_lossy(&request.body);
            assert!(text.contains(&disposition), "{text}");
            assert!(
                request
                    .body
                    .windows(zip_bytes.len())
                    .any(|window| window == zip_bytes)
            );
        }
        assert_eq!(ZipArchive::new(Cursor::new(zip_bytes)).unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_bad_path_is_found_before_anything_is_sent() {
        let directory = directory_of(&[("a/AB/a.sym", SYM)]);
        let server = ScriptedServer::start(&[]).await;
        let paths = vec![
            directory.path().to_owned(),
            directory.path().join("missing.zip"),
        ];
        let error = upload(&options(paths, &server))
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("cannot open") && error.ends_with("missing.zip"),
            "{error}"
        );
        assert_eq!(server.requests().await.len(), 0);
    }

    #[tokio::test]
    async fn the_line_on_stdout() {
        let directory = directory_of(&[("a/AB/a.sym", SYM)]);
        let tree = SymbolTree::survey(directory.path()).unwrap();
        let archive = bundle::pack(tree.files(), bundle::FULL, || {})
            .unwrap()
            .remove(0);
        let receipt = Receipt {
            id: 4,
            skipped: 1,
            warnings: Vec::new(),
            attempts: 1,
        };
        let line = receipt_line(&archive, &receipt, Duration::from_millis(1_250));
        let expected = format!(
            "symbols.zip: 1 file, 1 already there, upload 4, {} B in 1.2 s",
            archive.length
        );
        assert_eq!(line, expected);
    }

    #[test]
    fn debug_does_not_show_secrets() {
        let url = "https://user:hidden@example.com".to_owned();
        let shown = format!(
            "{:?}",
            UploadOptions::new(Vec::new(), url, "s3cret".to_owned())
        );
        assert!(
            !shown.contains("s3cret") && !shown.contains("hidden"),
            "{shown}"
        );
    }
}
