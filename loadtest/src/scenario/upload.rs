//! The scenario `upload`: sends archives, some at once.
//!
//! Generated archives are made before the first one is sent, into a temporary directory, so that making them takes
//! nothing from the server. Each is different, since a server stores nothing of an archive that it already has.

use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::io::BufWriter;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_util::future::join_all;
use indicatif::ProgressBar;
use tempfile::TempDir;
use tokio::time::timeout;

use crate::bundle::Bundle;
use crate::cli;
use crate::http::{Answer, Client, Upload};
use crate::measure::{Limit, Pace, Tally, Tickets};
use crate::report::{Report, Setting};
use crate::trace::keys;

/// Generated archives, unless told otherwise.
const COUNT: u32 = 8;

/// Keys of an archive that is made of a list of keys, and the bytes of each of its files.
const PACK: (usize, u64) = (100, 2048);

/// How long an upload may take: as long as Tecken's own server lets it.
const TIMEOUT: Duration = Duration::from_mins(15);

/// How much of an answer is kept for messages.
const KEPT: usize = 400;

/// Between the parts of the form; nothing that a zip would contain at the beginning of a line.
const BOUNDARY: &str = "symbold-loadtest-7f1d3b0c9a5e4d26";

/// Runs the scenario, prints the report, and fails when too few uploads were accepted.
pub(crate) async fn run(options: &cli::Upload) -> anyhow::Result<()> {
    let uploads = Uploads::prepare(&options.server, &options.archives).await?;
    let report = uploads.run().await;
    print!("{report}");
    super::write(
        &options.output,
        &report,
        &report.headline(),
        &report.curves(),
    )?;
    super::check(&options.output, report.expected())
}

/// A load of uploads.
#[derive(Debug)]
pub(super) struct Uploads {
    address: SocketAddr,
    authority: String,
    token: String,
    is_try: bool,
    at_once: u16,
    count: u32,
    archives: Vec<Archive>,
    /// Holds generated archives until the end.
    _folder: TempDir,
}

#[derive(Debug)]
struct Archive {
    path: PathBuf,
    size: u64,
}

impl Uploads {
    /// Finds the server and makes the archives.
    pub(super) async fn prepare(
        server: &cli::ServerOptions,
        options: &cli::Archives,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let archives = if options.zips.is_empty() {
            generate(&bundles(options)?, &folder)?
        } else {
            options
                .zips
                .iter()
                .map(given)
                .collect::<anyhow::Result<_>>()?
        };
        if archives.is_empty() {
            bail!("there is nothing to upload");
        }
        let count = options.count.unwrap_or(u32::try_from(archives.len())?);
        Ok(Self {
            address: super::connect(&server.url).await?,
            authority: server.url.authority.clone(),
            token: secret(options)?,
            is_try: options.is_try,
            at_once: options.at_once,
            count,
            archives,
            _folder: folder,
        })
    }

    /// Sends every archive and waits for the answers.
    pub(super) async fn run(&self) -> Report {
        let limit = Limit {
            duration: Duration::from_hours(24),
            requests: u64::from(self.count),
        };
        let tickets = Tickets::start(Pace::Closed, limit, 0);
        let tally = RefCell::new(Tally::default());
        let next = Cell::new(0);
        let progress = super::progress_bar(
            u64::from(self.count),
            "{bar:40} {pos} of {len} uploads, {elapsed}",
        );
        let connections =
            (0..self.at_once).map(|_| self.send_on_one(&tickets, &next, &tally, &progress));
        join_all(connections).await;
        progress.finish_and_clear();
        let setting = Setting {
            scenario: "upload",
            server: self.authority.clone(),
            pace: "closed loop".to_owned(),
            connections: self.at_once,
        };
        Report::new(setting, &tally.into_inner(), &tickets)
    }

    async fn send_on_one(
        &self,
        tickets: &Tickets,
        next: &Cell<usize>,
        tally: &RefCell<Tally>,
        progress: &ProgressBar,
    ) {
        let mut client = Client::new(self.address);
        while let Some(due) = tickets.take().await {
            let archive = &self.archives[next.get() % self.archives.len()];
            next.set(next.get() + 1);
            let answer = timeout(TIMEOUT, self.send(&mut client, archive)).await;
            let answer = answer.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer in time")));
            let since_start = tickets.started().elapsed();
            let mut tally = tally.borrow_mut();
            match answer {
                Ok(answer) => {
                    let is_accepted = answer.status == 201;
                    tally.record(Some(answer.status), due.elapsed(), is_accepted, since_start);
                    if is_accepted {
                        tally.bytes += archive.size;
                    } else {
                        let said = String::from_utf8_lossy(&answer.beginning);
                        tally.note_failure(format!("{} {}", answer.status, said.trim()));
                    }
                }
                Err(error) => {
                    tally.record(None, due.elapsed(), false, since_start);
                    tally.note_failure(format!("{error:#}"));
                }
            }
            progress.inc(1);
        }
    }

    async fn send(&self, client: &mut Client, archive: &Archive) -> anyhow::Result<Answer> {
        let is_try = if self.is_try {
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"try\"\r\n\r\n1\r\n")
        } else {
            String::new()
        };
        let before = format!(
            "{is_try}--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"symbols.zip\"; filename=\"symbols.zip\"\r\n\
             Content-Type: application/zip\r\n\r\n"
        );
        let after = format!("\r\n--{BOUNDARY}--\r\n");
        let head = format!(
            "POST /upload/ HTTP/1.1\r\nHost: {}\r\nAuth-Token: {}\r\n\
             Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\
             Content-Length: {}\r\n\r\n{before}",
            self.authority,
            self.token,
            before.len() as u64 + archive.size + after.len() as u64,
        );
        let mut file = tokio::fs::File::open(&archive.path).await?;
        let upload = Upload {
            before: head.as_bytes(),
            archive: &mut file,
            after: after.as_bytes(),
        };
        Ok(client.upload(upload, KEPT).await?)
    }
}

fn given(path: &PathBuf) -> anyhow::Result<Archive> {
    let metadata = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Archive {
        path: path.clone(),
        size: metadata.len(),
    })
}

/// The contents of the generated archives.
fn bundles(options: &cli::Archives) -> anyhow::Result<Vec<Bundle>> {
    let seeds = (0..).map(|number| {
        options
            .archive_seed
            .wrapping_mul(1_000_003)
            .wrapping_add(number)
    });
    if let Some(path) = &options.pack {
        let keys = keys::read(path).with_context(|| path.display().to_string())?;
        let (length, size) = PACK;
        let bundles = keys.chunks(length).zip(seeds);
        return Ok(bundles
            .map(|(keys, seed)| Bundle::of_keys(keys, size, seed))
            .collect());
    }
    let shape = options
        .generate
        .context("archives, a shape or a list of keys is needed")?;
    let count = usize::try_from(options.count.unwrap_or(COUNT))?;
    Ok(seeds
        .take(count)
        .map(|seed| Bundle::generate(shape.into(), seed))
        .collect())
}

fn generate(bundles: &[Bundle], folder: &TempDir) -> anyhow::Result<Vec<Archive>> {
    let progress = super::progress_bar(
        bundles.len() as u64,
        "{bar:40} {pos} of {len} archives made",
    );
    let mut archives = Vec::new();
    for (number, bundle) in bundles.iter().enumerate() {
        let path = folder.path().join(format!("{number}.zip"));
        let file = BufWriter::new(File::create(&path)?);
        let (file, size) = bundle
            .write(file)
            .context("cannot write an archive to the temporary directory")?;
        file.into_inner()?;
        archives.push(Archive { path, size });
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(archives)
}

fn secret(options: &cli::Archives) -> anyhow::Result<String> {
    if let Some(token) = &options.token {
        return Ok(token.clone());
    }
    let path = options.token_file.as_ref().context("a token is needed")?;
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    cli::token(&text).map_err(|reason| anyhow::anyhow!("{}: {reason}", path.display()))
}
