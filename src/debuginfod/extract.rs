//! Extracting a part of a stored file.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::source::{SourcePath, find_source};
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
    /// Waits for a slot to extract something, or to search.
    pub(super) async fn take_turn(
        &self,
        slots: &Arc<Semaphore>,
    ) -> Result<OwnedSemaphorePermit, DebuginfodError> {
        let turn = Arc::clone(slots).acquire_owned();
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
        let path = SourcePath::of(path.as_bytes());
        self.extract(archive, move |plain| find_source(plain, &path))
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

impl From<SectionError> for DebuginfodError {
    fn from(error: SectionError) -> Self {
        match error {
            SectionError::Damaged(_) => Self::Damaged(error.to_string()),
            SectionError::Read(error) => Self::Temporary(error),
        }
    }
}
