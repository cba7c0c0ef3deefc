//! Removes the files of uploads that were begun and never completed.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{BreakpadUploads, path};
use crate::upload::UploadError;

/// How often to look.
const EVERY: Duration = Duration::from_mins(10);

/// After which time a file goes. Nobody can be putting it or completing it any more: the key can be used for two hours,
/// and what has begun within them ends long before.
const AFTER: Duration = Duration::from_hours(24);

/// How many files one look removes at most.
const AT_ONCE: u32 = 1_000;

impl BreakpadUploads {
    /// Sweeps now and then until it is told to stop. Any number of nodes may do so: what another has removed is no
    /// error.
    pub async fn sweep(self: Arc<Self>, stop: CancellationToken) {
        let mut turn = tokio::time::interval(EVERY);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = turn.tick() => match self.sweep_once().await {
                    Ok(0) => {}
                    Ok(files) => tracing::info!(
                        event = "waiting_files_swept",
                        files,
                        "removed files of uploads that were never completed"
                    ),
                    Err(error) => {
                        tracing::warn!(event = "waiting_files_not_swept", %error, "could not remove files of uploads that were never completed");
                    }
                },
            }
        }
    }

    async fn sweep_once(&self) -> Result<usize, UploadError> {
        let before = self.uploads.clock.now() - AFTER;
        let files = self.uploads.database.waiting_since(before, AT_ONCE).await?;
        for key_hash in &files {
            self.remove(key_hash).await?;
        }
        Ok(files.len())
    }

    /// Removes a waiting file, then its record, so that a file without a record is never left.
    pub(super) async fn remove(&self, key_hash: &str) -> Result<(), UploadError> {
        let storage = self.uploads.catalog.upload_target(false).storage();
        storage.delete(&path(key_hash)).await?;
        Ok(self.uploads.database.end_waiting(key_hash).await?)
    }
}
