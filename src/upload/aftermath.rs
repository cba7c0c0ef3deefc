//! The consequences of a completed upload.
//!
//! [`consequences`] is the one list: the catalog forgets its answers about the modules and builds, and the files are
//! counted. A capability that acts on new files adds an entry. Consequences run after the record is complete and before
//! the client gets its answer, in the order of the list. None of them can fail the upload.

use std::sync::Arc;

use async_trait::async_trait;

use super::store::is_recent;
use crate::catalog::Catalog;
use crate::clock::SharedClock;
use crate::db::uploads::{NewUpload, Outcome};
use crate::metrics::{Metrics, ResultLabel};

/// An upload whose record is complete.
#[derive(Clone, Copy, Debug)]
pub(super) struct CompletedUpload<'a> {
    /// What was recorded when it began.
    pub(super) upload: &'a NewUpload,
    /// What became of its files.
    pub(super) outcome: &'a Outcome,
}

/// Something to do after every completed upload.
#[async_trait]
pub(super) trait Consequence: std::fmt::Debug + Send + Sync {
    /// Does it for one upload.
    async fn follow(&self, completed: CompletedUpload<'_>);
}

/// All consequences, in the order in which they run.
pub(super) fn consequences(
    catalog: Arc<Catalog>,
    clock: SharedClock,
    metrics: Metrics,
) -> Vec<Box<dyn Consequence>> {
    vec![
        Box::new(ForgetLookups { catalog, clock }),
        Box::new(CountFiles { metrics }),
    ]
}

/// Makes the catalog forget its answers about the modules, spellings and builds of the files.
#[derive(Debug)]
struct ForgetLookups {
    catalog: Arc<Catalog>,
    clock: SharedClock,
}

#[async_trait]
impl Consequence for ForgetLookups {
    async fn follow(&self, CompletedUpload { upload, outcome }: CompletedUpload<'_>) {
        let now = self.clock.now();
        let held = outcome.held.iter();
        let new_to_the_record = held.filter(|file| is_recent(file.stored_at, now));
        for file in outcome.files.iter().chain(new_to_the_record) {
            self.catalog.modules().forget(file, upload.store).await;
            let spellings = self.catalog.spellings();
            spellings.forget(&file.key, upload.store).await;
        }
        self.catalog.builds().forget(outcome).await;
    }
}

/// Counts files by what became of them.
#[derive(Debug)]
struct CountFiles {
    metrics: Metrics,
}

#[async_trait]
impl Consequence for CountFiles {
    async fn follow(&self, CompletedUpload { upload, outcome }: CompletedUpload<'_>) {
        let updated = outcome.files.iter().filter(|file| file.is_update).count();
        for (result, files) in [
            ("updated", updated),
            ("stored", outcome.files.len() - updated),
            ("skipped", outcome.skipped_keys.len()),
            ("ignored", upload.ignored_keys.len()),
        ] {
            let label = ResultLabel { result };
            let counter = self.metrics.upload_files.get_or_create(&label).clone();
            counter.inc_by(files as u64);
        }
    }
}
