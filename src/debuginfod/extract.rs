//! Extracting a part of a stored file.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tar::Archive;
use time::OffsetDateTime;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::{BuildFile, DebuginfodError, DebuginfodService};
use crate::catalog::SpoolLimit;
use symbols::elf::{SectionError, find_section};

/// How long a request waits for its turn.
const TURN: Duration = Duration::from_secs(10);

/// How long opening a file may take, and how long reading it from its source.
const COPY: Duration = Duration::from_mins(1);

/// Bytes of a temporary file.
#[derive(Clone, Debug)]
pub struct Extract {
    /// The file. It has no name and is gone once it is closed.
    pub file: Arc<File>,
    /// Which of its bytes to send.
    pub range: Range<u64>,
    /// When the file that they come from was stored.
    pub modified_at: OffsetDateTime,
}

impl DebuginfodService {
    /// Waits for a slot to extract something.
    pub(super) async fn take_turn(&self) -> Result<OwnedSemaphorePermit, DebuginfodError> {
        let turn = Arc::clone(&self.extracts).acquire_owned();
        match timeout(TURN, turn).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(DebuginfodError::Busy),
        }
    }

    /// The bytes of a section; `None` if the file has no section of this name, or one without bytes in the file.
    pub(super) async fn extract_section(
        &self,
        file: &BuildFile,
        name: &str,
    ) -> Result<Option<Extract>, DebuginfodError> {
        let name = name.to_owned();
        self.extract(file, move |plain| Ok(find_section(plain, name.as_bytes())?))
            .await
    }

    /// The bytes of a source file; `None` if the archive has no file at this path.
    pub(super) async fn extract_source(
        &self,
        archive: &BuildFile,
        path: &str,
    ) -> Result<Option<Extract>, DebuginfodError> {
        let path = path.to_owned();
        self.extract(archive, move |plain| find_source(plain, path.as_bytes()))
            .await
    }

    /// Spools a stored file, inflated if it is gzipped, and returns the range that `find` returns for it.
    async fn extract<F>(
        &self,
        file: &BuildFile,
        find: F,
    ) -> Result<Option<Extract>, DebuginfodError>
    where
        F: FnOnce(&File) -> Result<Option<Range<u64>>, DebuginfodError> + Send + 'static,
    {
        let opening = timeout(COPY, self.catalog.open(&file.found, None)).await;
        let fetched = opening.map_err(|_| DebuginfodError::Timeout)??;
        let fetched = fetched.ok_or(DebuginfodError::NotFound)?;
        let limit = SpoolLimit {
            bytes: self.config.extract_from,
            time: COPY,
        };
        let spooled = self.spooler.spool(fetched, limit).await?;
        let job = move || {
            let range = find(&spooled.file)?;
            Ok(range.map(|range| Extract {
                file: Arc::new(spooled.file),
                range,
                modified_at: spooled.modified_at,
            }))
        };
        self.cpu.run(job).await?
    }
}

/// Finds the range of a regular file in a tar archive. A leading slash or `./` makes no difference between paths.
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
    use std::os::unix::fs::FileExt;

    use super::*;

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
}
