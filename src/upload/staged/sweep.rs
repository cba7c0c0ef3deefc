//! Removes the files of uploads that were begun and never completed.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::error::StagedError;
use super::files::StagedFiles;
use crate::background::survive;

/// How often to sweep.
const EVERY: Duration = Duration::from_mins(10);

/// The age at which a file is removed. A key can be used for two hours, and a request that uses it ends long before.
const AFTER: Duration = Duration::from_hours(24);

/// How many files one sweep removes at most.
const AT_ONCE: u32 = 1_000;

impl StagedFiles {
    /// Sweeps at intervals until it is cancelled. Any number of nodes may do so: a file that another node has removed
    /// is no error.
    pub async fn sweep(self: Arc<Self>, stop: CancellationToken) {
        let mut turn = tokio::time::interval(EVERY);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = turn.tick() => drop(survive("sweeping staged files", self.sweep_and_log()).await),
            }
        }
    }

    async fn sweep_and_log(&self) {
        match self.sweep_once().await {
            Ok(0) => {}
            Ok(files) => tracing::info!(
                event = "waiting_files_swept",
                files,
                "removed files of uploads that were never completed"
            ),
            Err(error) => tracing::warn!(
                event = "waiting_files_not_swept",
                %error,
                "could not remove files of uploads that were never completed"
            ),
        }
    }

    async fn sweep_once(&self) -> Result<usize, StagedError> {
        let before = self.clock.now() - AFTER;
        let files = self.records.waiting_since(before, AT_ONCE).await?;
        for key_hash in &files {
            self.remove(key_hash).await?;
        }
        Ok(files.len())
    }
}
