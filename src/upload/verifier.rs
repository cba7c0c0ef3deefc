//! Reading members on the CPU pool.

use std::fs::File;
use std::sync::Arc;

use super::archive::{self, ArchiveError, ArchiveLimits, Digest, Entry};
use crate::cpu::{CpuPool, JobPanicked};
use crate::metrics::{CountResult, Metrics};
use symbols::SuffixList;

/// Reads members to check them, as the settings have it.
#[derive(Clone, Debug)]
pub(super) struct Verifier {
    limits: Arc<ArchiveLimits>,
    compress: SuffixList,
    cpu: CpuPool,
    metrics: Metrics,
}

/// Why an archive was refused, or could not be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The archive breaks a rule.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A computation failed, which is a mistake in this program.
    #[error(transparent)]
    Panicked(#[from] JobPanicked),
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
    /// `compress` are the endings of names that are stored gzipped.
    pub(super) fn new(
        limits: ArchiveLimits,
        compress: SuffixList,
        cpu: CpuPool,
        metrics: Metrics,
    ) -> Self {
        Self {
            limits: Arc::new(limits),
            compress,
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
    ) -> Result<(Entry, Digest), VerifyError> {
        let limits = Arc::clone(&self.limits);
        // MD5 is the digest by which Tecken knows what it stored gzipped, and the dearest one.
        let wants_md5 = self.is_gzipped(&entry.name);
        let job = move || {
            let digest = archive::verify(&*file, &entry, &limits, wants_md5)?;
            Ok((entry, digest))
        };
        let verified: Result<_, ArchiveError> = self.cpu.run(job).await?;
        let when = match when {
            When::Early => "early",
            When::Late => "late",
        };
        self.metrics.upload_verified.count(when);
        Ok(verified?)
    }
}
