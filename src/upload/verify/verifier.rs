//! Verifies members on the CPU pool.

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

/// Verifies archives and their members within the configured limits.
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
    /// A job on the CPU pool panicked, which is a bug.
    #[error(transparent)]
    Panicked(#[from] JobPanicked),
}

/// When a member is read.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    /// While its archive is still arriving.
    Early,
    /// Once its archive has fully arrived.
    Late,
}

impl Verifier {
    /// Makes a verifier. `compress` lists the suffixes of the files that are stored gzipped.
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

    /// The limits on one archive.
    pub(super) fn limits(&self) -> &Arc<ArchiveLimits> {
        &self.limits
    }

    /// How many members of one upload are verified at a time: enough to keep every thread busy.
    pub(super) fn at_once(&self) -> usize {
        self.cpu.threads() * 2
    }

    /// Returns whether a file of this name is stored gzipped.
    pub(in crate::upload) fn is_gzipped(&self, name: &str) -> bool {
        self.compress.matches_ignoring_case(name)
    }

    /// The members of an archive in the order of their data, reading headers only. With a `key`, the file has no
    /// archive around it and is its own only member.
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

    /// Verifies a member of the archive.
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
        // Tecken identifies files that it stored gzipped by MD5, which is expensive to compute.
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
