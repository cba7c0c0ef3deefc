//! Reading members on the CPU pool.

use std::fs::File;
use std::sync::Arc;

use super::verify::{ArchiveError, ArchiveLimits, Entry, MemberFacts, verify_member};
use super::{UploadConfig, UploadError};
use crate::cpu::CpuPool;
use crate::metrics::Metrics;
use symbols::SuffixList;

/// Reads members to check them, as the settings have it.
#[derive(Clone, Debug)]
pub(super) struct Verifier {
    limits: Arc<ArchiveLimits>,
    compress: SuffixList,
    cpu: CpuPool,
    metrics: Metrics,
}

/// When a member is read.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    /// While its archive is arriving.
    Early,
    /// When that has arrived.
    Late,
}

impl Verifier {
    pub(super) fn new(config: &UploadConfig, cpu: CpuPool, metrics: Metrics) -> Self {
        Self {
            limits: Arc::new(config.archive.clone()),
            compress: config.compress.clone(),
            cpu,
            metrics,
        }
    }

    /// What an archive may hold.
    pub(super) fn limits(&self) -> &Arc<ArchiveLimits> {
        &self.limits
    }

    /// How many members one upload has read at a time: enough to keep every thread busy.
    pub(super) fn at_once(&self) -> usize {
        self.cpu.threads() * 2
    }

    /// Tells whether a file of this name is stored gzipped.
    pub(super) fn is_gzipped(&self, name: &str) -> bool {
        self.compress.matches_ignoring_case(name)
    }

    /// Reads a member of the archive and checks it.
    ///
    /// # Errors
    /// The member breaks a rule, or the archive cannot be read.
    pub(super) async fn verify(
        &self,
        file: Arc<File>,
        entry: Entry,
        when: When,
    ) -> Result<(Entry, MemberFacts), UploadError> {
        let limits = Arc::clone(&self.limits);
        // MD5 is the digest by which Tecken knows what it stored gzipped, and the dearest one.
        let wants_md5 = self.is_gzipped(&entry.name);
        let job = move || {
            let facts = verify_member(&*file, &entry, &limits, wants_md5)?;
            Ok((entry, facts))
        };
        let verified: Result<_, ArchiveError> = self.cpu.run(job).await?;
        let when = match when {
            When::Early => "early",
            When::Late => "late",
        };
        self.metrics.count(&self.metrics.upload_verified, when);
        Ok(verified?)
    }
}
