//! Taking a part out of a stored file.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use futures_util::TryStreamExt;
use tar::Archive;
use time::OffsetDateTime;
use tokio::io::{AsyncWriteExt, BufWriter};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::{BuildFile, DebuginfodError, DebuginfodService};
use crate::blocking;
use crate::catalog::Found;
use crate::scratch::Scratch;
use symbols::elf::{SectionError, find_section};

/// How long a request waits for its turn.
const TURN: Duration = Duration::from_secs(10);

/// How long reading a file from its source may take.
const COPY: Duration = Duration::from_mins(1);

/// How much is written or inflated at a time, in bytes.
const PIECE: usize = 256 * 1024;

/// Bytes of a temporary file.
#[derive(Clone, Debug)]
pub struct Extract {
    /// The file; it has no name and vanishes with its last user.
    pub file: Arc<File>,
    /// Which of its bytes.
    pub range: Range<u64>,
    /// When the file that they were taken out of was stored.
    pub modified_at: OffsetDateTime,
}

/// A stored file in a temporary one.
struct Copied {
    file: File,
    /// Whether it is gzipped.
    is_gzipped: bool,
    modified_at: OffsetDateTime,
}

impl DebuginfodService {
    /// Waits until one more may extract something.
    pub(super) async fn take_turn(&self) -> Result<OwnedSemaphorePermit, DebuginfodError> {
        let turn = Arc::clone(&self.extracts).acquire_owned();
        match timeout(TURN, turn).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(DebuginfodError::Busy),
        }
    }

    /// The bytes of a section; `None` if the file has none of this name, or only its place in memory.
    pub(super) async fn extract_section(
        &self,
        file: &BuildFile,
        name: &str,
    ) -> Result<Option<Extract>, DebuginfodError> {
        let name = name.to_owned();
        self.extract(file, move |plain| Ok(find_section(plain, name.as_bytes())?))
            .await
    }

    /// The bytes of a source file; `None` if the archive has none of this path.
    pub(super) async fn extract_source(
        &self,
        archive: &BuildFile,
        path: &str,
    ) -> Result<Option<Extract>, DebuginfodError> {
        let path = path.to_owned();
        self.extract(archive, move |plain| find_source(plain, path.as_bytes()))
            .await
    }

    /// Takes the bytes that `find` tells out of a stored file, inflated if it is gzipped.
    async fn extract<F>(
        &self,
        file: &BuildFile,
        find: F,
    ) -> Result<Option<Extract>, DebuginfodError>
    where
        F: FnOnce(&File) -> Result<Option<Range<u64>>, DebuginfodError> + Send + 'static,
    {
        let copied = self.copy(&file.found).await?;
        let scratch = Arc::clone(&self.scratch);
        let limit = self.config.extract_from;
        let job = move || {
            let plain = if copied.is_gzipped {
                let inflated = inflate(copied.file, &scratch, limit.as_u64())?;
                inflated.ok_or(DebuginfodError::NotExtracted(limit))?
            } else {
                copied.file
            };
            let range = find(&plain)?;
            Ok(range.map(|range| Extract {
                file: Arc::new(plain),
                range,
                modified_at: copied.modified_at,
            }))
        };
        self.cpu.run(job).await?
    }

    /// Copies a stored file into a temporary one, as it is stored.
    async fn copy(&self, found: &Found) -> Result<Copied, DebuginfodError> {
        timeout(COPY, self.copy_unhurried(found))
            .await
            .unwrap_or(Err(DebuginfodError::Timeout))
    }

    async fn copy_unhurried(&self, found: &Found) -> Result<Copied, DebuginfodError> {
        let fetched = self.catalog.open(found, None).await?;
        let fetched = fetched.ok_or(DebuginfodError::NotFound)?;
        let limit = self.config.extract_from;
        if fetched.info.stored_size > limit.as_u64() {
            return Err(DebuginfodError::NotExtracted(limit));
        }
        let scratch = Arc::clone(&self.scratch);
        let file = blocking::run(move || scratch.unnamed_file()).await;
        let file = tokio::fs::File::from_std(file.map_err(DebuginfodError::Temporary)?);
        let mut file = BufWriter::with_capacity(PIECE, file);
        let mut written = 0;
        let mut stream = fetched.bytes.into_stream();
        while let Some(piece) = stream.try_next().await? {
            written += piece.len() as u64;
            if written > limit.as_u64() {
                return Err(DebuginfodError::NotExtracted(limit));
            }
            let write = file.write_all(&piece).await;
            write.map_err(DebuginfodError::Temporary)?;
        }
        file.flush().await.map_err(DebuginfodError::Temporary)?;
        Ok(Copied {
            file: file.into_inner().into_std().await,
            is_gzipped: fetched.info.meta.is_gzipped,
            modified_at: fetched.info.modified_at,
        })
    }
}

/// Inflates a file into another one; `None` if that would have more than `limit` bytes.
fn inflate(
    mut gzipped: File,
    scratch: &Scratch,
    limit: u64,
) -> Result<Option<File>, DebuginfodError> {
    io::Seek::rewind(&mut gzipped).map_err(DebuginfodError::Temporary)?;
    let mut plain = scratch.unnamed_file().map_err(DebuginfodError::Temporary)?;
    let reader = BufReader::with_capacity(PIECE, gzipped);
    let mut decoder = MultiGzDecoder::new(reader).take(limit.saturating_add(1));
    let mut piece = vec![0; PIECE];
    let mut length = 0;
    loop {
        let read = decoder.read(&mut piece);
        let count = read.map_err(|error| DebuginfodError::Damaged(error.to_string()))?;
        if count == 0 {
            return Ok((length <= limit).then_some(plain));
        }
        length += count as u64;
        io::Write::write_all(&mut plain, &piece[..count]).map_err(DebuginfodError::Temporary)?;
    }
}

/// Finds a regular file in a tar archive: where its bytes lie. Neither a leading slash nor `./` tells paths apart.
fn find_source(mut archive: &File, path: &[u8]) -> Result<Option<Range<u64>>, DebuginfodError> {
    let damaged = |error: io::Error| DebuginfodError::Damaged(error.to_string());
    io::Seek::rewind(&mut archive).map_err(DebuginfodError::Temporary)?;
    let mut tar = Archive::new(archive);
    for entry in tar.entries_with_seek().map_err(damaged)? {
        let entry = entry.map_err(damaged)?;
        if entry.header().entry_type().is_file() && bare(&entry.path_bytes()) == bare(path) {
            let start = entry.raw_file_position();
            let end = start.saturating_add(entry.size());
            let length = archive
                .metadata()
                .map_err(DebuginfodError::Temporary)?
                .len();
            if end > length {
                return Err(DebuginfodError::Damaged("it ends too early".to_owned()));
            }
            return Ok(Some(start..end));
        }
    }
    Ok(None)
}

fn bare(path: &[u8]) -> &[u8] {
    let path = path.strip_prefix(b"./").unwrap_or(path);
    path.strip_prefix(b"/").unwrap_or(path)
}

impl From<SectionError> for DebuginfodError {
    fn from(error: SectionError) -> Self {
        match error {
            SectionError::Damaged(_) => Self::Damaged(error.to_string()),
            SectionError::Read(error) => Self::Temporary(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::FileExt;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn inflated(bytes: &[u8], limit: u64) -> Result<Option<u64>, DebuginfodError> {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::open(folder.path()).unwrap();
        let mut file = scratch.unnamed_file().unwrap();
        file.write_all(bytes).unwrap();
        let plain = inflate(file, &scratch, limit)?;
        Ok(plain.map(|plain| plain.metadata().unwrap().len()))
    }

    #[test]
    fn a_source_is_found_where_it_lies() {
        let mut tar = tar::Builder::new(tempfile::tempfile().unwrap());
        let long = format!("./usr/src/{}/main.c", "deep/".repeat(40));
        for (path, text) in [("usr/src/a.c", "int a;"), (long.as_str(), "int main;")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            tar.append_data(&mut header, path, text.as_bytes()).unwrap();
        }
        let file = tar.into_inner().unwrap();
        let found = |path: &str| {
            let range = find_source(&file, path.as_bytes()).unwrap()?;
            let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap()];
            file.read_exact_at(&mut bytes, range.start).unwrap();
            Some(String::from_utf8(bytes).unwrap())
        };
        assert_eq!(found("/usr/src/a.c").as_deref(), Some("int a;"));
        assert_eq!(found(&long[1..]).as_deref(), Some("int main;"));
        assert_eq!(found("/usr/src/b.c"), None);
        assert_eq!(found("/usr/src"), None);
        file.set_len(515).unwrap();
        let cut = find_source(&file, b"/usr/src/a.c");
        assert!(matches!(cut, Err(DebuginfodError::Damaged(_))), "{cut:?}");
    }

    #[test]
    fn no_more_is_inflated_than_the_limit() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&vec![0; 3 << 20]).unwrap();
        let bomb = encoder.finish().unwrap();
        assert_eq!(inflated(&bomb, 3 << 20).unwrap(), Some(3 << 20));
        assert_eq!(inflated(&bomb, (3 << 20) - 1).unwrap(), None);
        let cut = inflated(&bomb[..bomb.len() / 2], 3 << 20);
        assert!(matches!(cut, Err(DebuginfodError::Damaged(_))), "{cut:?}");
        let text = inflated(b"no gzip", 10);
        assert!(matches!(text, Err(DebuginfodError::Damaged(_))), "{text:?}");
    }
}
