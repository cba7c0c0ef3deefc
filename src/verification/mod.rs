//! Compares every stored object with its recorded digest: the work of `symbold verify`.
//!
//! [`Verification`] walks the storage of uploads beside running servers. It locks nothing, reads at a bounded rate, and
//! calls an object damaged only if two readings in a row find it so. An unreachable object is never called damaged.
//!
//! A repair moves a damaged object out of the way ([`Inventory::set_aside`]). Its requests are then answered with 404
//! and counted as missing, so that the file is uploaded again. It is moved and not deleted, since the digest may be
//! wrong instead of the file.

mod pace;
mod report;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytesize::ByteSize;
use futures_util::{StreamExt, TryStreamExt};
use time::OffsetDateTime;

use crate::catalog::Layout;
use crate::metrics::Metrics;
use crate::storage::{Checked, Integrity, Inventory, Listed, ObjectSource, SetAside, StorageError};
use pace::Pace;

pub use report::{Problem, Problems, Report};

/// How many objects are read at once, so that a distant store's waits overlap.
const AT_ONCE: usize = 4;

/// What an object costs beside its bytes, in bytes: small objects are requests or movements of a disk's head.
const COST: u64 = 64 * 1024;

/// After so many objects in a row that could not be read, the storage is taken for unreachable.
const UNREADABLE: u32 = 20;

/// What is done about a damaged object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// It is reported.
    Nothing,
    /// It is moved out of the way, too.
    SetAside,
}

/// How a verification is done.
#[derive(Clone, Copy, Debug)]
pub struct VerificationSettings {
    /// Only objects that were stored at this time or later are read.
    pub since: Option<OffsetDateTime>,
    /// How many bytes are read in a second.
    pub rate: ByteSize,
    /// What is done about damage.
    pub repair: Repair,
}

/// How a verification ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Everything was listed and read, as far as it could be.
    Whole,
    /// The storage could not be reached, and the rest was left.
    GaveUp,
}

/// What became of one entry of the listing.
enum Finding {
    Intact,
    WithoutDigest,
    Damaged(Problem),
    SetAside(Problem),
    Unreadable(Problem),
    /// It is no symbol.
    Foreign(Problem),
    Older,
    /// It was replaced or removed meanwhile.
    Changed,
    /// It belongs to another layout, whose folder lies below this one's, or is a symcache. Those are checked whenever
    /// they are used, and made again.
    Elsewhere,
}

/// A walk over a storage.
#[derive(Debug)]
pub struct Verification {
    inventory: Arc<dyn Inventory>,
    checked: Checked<dyn Inventory>,
    layouts: Vec<Layout>,
    settings: VerificationSettings,
    pace: Pace,
    bytes: AtomicU64,
}

impl Verification {
    /// Prepares a walk over the symbols that lie in a storage by these layouts.
    #[must_use]
    pub fn new(
        inventory: Arc<dyn Inventory>,
        layouts: Vec<Layout>,
        settings: VerificationSettings,
    ) -> Self {
        Self {
            checked: checked(&inventory),
            inventory,
            layouts,
            pace: Pace::new(settings.rate.as_u64()),
            settings,
            bytes: AtomicU64::new(0),
        }
    }

    /// Walks over everything, and hands on after every entry what has been found so far.
    pub async fn run(&self, mut progress: impl FnMut(&Report)) -> (Report, End) {
        let mut report = Report::default();
        let mut unreadable_in_a_row = 0;
        for layout in &self.layouts {
            let entries = self.inventory.list(layout.folder());
            let mut findings = entries
                .map(|entry| self.find_out(layout, entry))
                .buffer_unordered(AT_ONCE);
            while let Some(finding) = findings.next().await {
                match finding {
                    Finding::Unreadable(_) => unreadable_in_a_row += 1,
                    Finding::Foreign(_) | Finding::Older | Finding::Elsewhere => {}
                    _ => unreadable_in_a_row = 0,
                }
                note(&mut report, finding);
                report.bytes = self.bytes.load(Ordering::Relaxed);
                progress(&report);
                if unreadable_in_a_row >= UNREADABLE {
                    return (report, End::GaveUp);
                }
            }
        }
        (report, End::Whole)
    }

    async fn find_out(&self, layout: &Layout, entry: Result<Listed, StorageError>) -> Finding {
        let listed = match entry {
            Ok(listed) => listed,
            Err(error) => return Finding::Unreadable(Problem::new("", error.to_string())),
        };
        let path = listed.path.as_str();
        if layout.key(path).is_none() {
            let mut layouts = self.layouts.iter();
            let is_known =
                layouts.any(|other| other.key(path).is_some() || other.is_symcache(path));
            return if is_known {
                Finding::Elsewhere
            } else {
                Finding::Foreign(Problem::new(path, ""))
            };
        }
        if self
            .settings
            .since
            .is_some_and(|since| listed.modified_at < since)
        {
            return Finding::Older;
        }
        match self.read(&self.checked, path).await {
            Err(StorageError::Damaged { reason, .. }) => self.confirm(&listed, reason).await,
            Err(error) => Finding::Unreadable(Problem::new(path, error.to_string())),
            Ok(finding) => finding,
        }
    }

    /// Reads an object to its end.
    async fn read(
        &self,
        source: &Checked<dyn Inventory>,
        path: &str,
    ) -> Result<Finding, StorageError> {
        self.pace.take(COST).await;
        let Some(fetched) = source.fetch(path, None).await? else {
            return Ok(Finding::Changed);
        };
        let meta = fetched.info.meta;
        let mut stream = fetched.bytes.into_stream();
        while let Some(piece) = stream.try_next().await? {
            let length = piece.len() as u64;
            self.bytes.fetch_add(length, Ordering::Relaxed);
            self.pace.take(length).await;
        }
        let has_digest = meta.original_sha256.is_some() || meta.original_md5.is_some();
        Ok(if has_digest {
            Finding::Intact
        } else {
            Finding::WithoutDigest
        })
    }

    /// Reads a damaged object once more: a disk, a memory or a network that errs is no damage of the object.
    async fn confirm(&self, listed: &Listed, reason: String) -> Finding {
        let path = listed.path.as_str();
        let reason = match self.read(&checked(&self.inventory), path).await {
            Ok(Finding::Changed) => return Finding::Changed,
            Ok(_) => {
                let reason = format!("the first of two readings was damaged: {reason}");
                return Finding::Unreadable(Problem::new(path, reason));
            }
            Err(StorageError::Damaged { reason, .. }) => reason,
            Err(error) => return Finding::Unreadable(Problem::new(path, error.to_string())),
        };
        if self.settings.repair == Repair::Nothing {
            return Finding::Damaged(Problem::new(path, reason));
        }
        match self.inventory.set_aside(listed).await {
            Ok(SetAside::Replaced) => Finding::Changed,
            Ok(SetAside::At(kept)) => {
                let reason = format!("{reason} (set aside: {kept})");
                Finding::SetAside(Problem::new(path, reason))
            }
            Err(error) => {
                let reason = format!("{reason} (cannot be set aside: {error})");
                Finding::Damaged(Problem::new(path, reason))
            }
        }
    }
}

/// The objects of an inventory, compared with their digests when they are read. Nothing is remembered of earlier
/// readings.
fn checked(inventory: &Arc<dyn Inventory>) -> Checked<dyn Inventory> {
    let integrity = Integrity::new(Metrics::default());
    Checked::new(Arc::clone(inventory), Arc::new(integrity))
}

fn note(report: &mut Report, finding: Finding) {
    match finding {
        Finding::Intact => report.intact += 1,
        Finding::WithoutDigest => report.without_digest += 1,
        Finding::Damaged(problem) => report.damaged.add(problem),
        Finding::SetAside(problem) => report.set_aside.add(problem),
        Finding::Unreadable(problem) => report.unreadable.add(problem),
        Finding::Foreign(problem) => report.foreign.add(problem),
        Finding::Older => report.older += 1,
        Finding::Changed => report.changed += 1,
        Finding::Elsewhere => {}
    }
}
