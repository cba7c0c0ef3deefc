//! Reading members on the CPU pool.

use std::fs::File;
use std::sync::Arc;

use symbols::{SuffixList, SymbolKey};

use super::error::ArchiveError;
use super::facts::{MemberFacts, verify_member};
use super::limits::ArchiveLimits;
use super::names::Entry;
use super::single_file::single_file;
use crate::cpu::{CpuPool, JobPanicked};
use crate::metrics::{CountResult, Metrics};

/// Reads members to check them, as the settings have it.
#[derive(Clone, Debug)]
pub(in crate::upload) struct Verifier {
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
    pub(in crate::upload) fn new(
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

    /// Returns whether a file of this name is stored gzipped.
    pub(in crate::upload) fn is_gzipped(&self, name: &str) -> bool {
        self.compress.matches_ignoring_case(name)
    }

    /// The members of an archive in the order of their data; of a file without an archive around it, which has a key,
    /// itself. Reads headers only.
    ///
    /// # Errors
    /// The archive breaks a rule, or it cannot be read.
    pub(in crate::upload) async fn inspect(
        &self,
        file: &Arc<File>,
        key: Option<SymbolKey>,
    ) -> Result<Vec<Entry>, VerifyError> {
        let (file, limits) = (Arc::clone(file), Arc::clone(&self.limits));
        let inspect = move || match key {
            Some(key) => single_file(&*file, key, &limits).map(|entry| vec![entry]),
            None => strict_zip::inspect(&*file, &limits.zip_limits(), &limits.names()),
        };
        Ok(self.cpu.run(inspect).await??)
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
    ) -> Result<(Entry, MemberFacts), VerifyError> {
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
        self.metrics.upload_verified.count(when);
        Ok(verified?)
    }
}
