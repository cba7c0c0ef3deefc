//! The settings of uploads.

use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use super::receive::{AdmissionLimits, FetchConfig, PaceLimits, ReceiveLimits};
use super::store::{Overwrite, StoreSettings};
use super::verify::{ArchiveLimits, Verifier};
use crate::cpu::CpuPool;
use crate::metrics::Metrics;
use crate::section::{Section, Violation, violations};
use symbols::SuffixList;

/// How large uploads may be, how fast they must arrive and how they are stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UploadConfig {
    /// How many uploads may be in progress at once. Further ones wait, and are then refused as busy.
    pub slots: usize,
    /// How many of these one token may have; 0 means half of them, rounded up.
    pub slots_per_token: usize,
    /// How long an upload may wait for a slot, and for room among the temporary files, before its body is read; zero
    /// refuses it at once.
    #[serde(with = "humantime_serde")]
    pub slot_wait: Duration,
    /// How many uploads may wait at once; further ones are refused at once.
    pub slot_waiters: usize,
    /// The most that the temporary files of all archives in progress may take together.
    pub temporary: ByteSize,
    /// The largest archive.
    pub size: ByteSize,
    /// How long a client may pause in the middle of an upload.
    #[serde(with = "humantime_serde")]
    pub idle: Duration,
    /// How long receiving one upload may take.
    #[serde(with = "humantime_serde")]
    pub receive: Duration,
    /// The least that a client must send per second on average, once `idle` has passed.
    pub rate: ByteSize,
    /// How many files of one upload are being stored at once.
    pub stores: usize,
    /// Which stored files an upload may change.
    pub overwrite: Overwrite,
    /// A server that has not reported for this time is considered dead, and its pending uploads are marked failed.
    #[serde(with = "humantime_serde")]
    pub abandoned_after: Duration,
    /// Suffixes of the files that are stored gzipped.
    pub compress: SuffixList,
    /// The compression level of files that arrive uncompressed: 1 is fast, 9 is small.
    pub level: u32,
    /// The limits on one archive.
    pub archive: ArchiveLimits,
    /// The settings of uploads by URL.
    pub by_url: FetchConfig,
}

impl Default for UploadConfig {
    fn default() -> Self {
        Self {
            slots: 8,
            slots_per_token: 0,
            slot_wait: Duration::from_secs(10),
            slot_waiters: 64,
            temporary: ByteSize::gib(16),
            size: ByteSize::gib(2),
            idle: Duration::from_secs(30),
            receive: Duration::from_hours(1),
            rate: ByteSize::kib(1),
            stores: 16,
            overwrite: Overwrite::Allow,
            abandoned_after: Duration::from_secs(30),
            compress: SuffixList::new(&[".sym"]),
            level: 6,
            archive: ArchiveLimits::default(),
            by_url: FetchConfig::default(),
        }
    }
}

impl UploadConfig {
    /// The limits on what arrives.
    pub(super) fn receive_limits(&self) -> ReceiveLimits {
        ReceiveLimits {
            size: self.size,
            pace: PaceLimits {
                idle: self.idle,
                receive: self.receive,
                rate: self.rate.as_u64(),
            },
            admission: AdmissionLimits {
                slots: self.slots,
                slots_per_token: self.slots_per_token,
                temporary: self.temporary.as_u64(),
                wait: self.slot_wait,
                waiters: self.slot_waiters,
            },
        }
    }

    /// The verifier of members.
    pub(super) fn verifier(&self, cpu: CpuPool, metrics: Metrics) -> Verifier {
        Verifier::new(self.archive.clone(), self.compress.clone(), cpu, metrics)
    }

    /// How members are stored.
    pub(super) fn store_settings(&self) -> StoreSettings {
        StoreSettings {
            at_once: self.stores,
            level: self.level,
            overwrite: self.overwrite,
            largest_member: self.archive.member_size.as_u64(),
        }
    }
}

impl Section for UploadConfig {
    fn violations(&self) -> Vec<Violation> {
        violations(
            "upload",
            &[
                ("slots", self.slots > 0, "must be at least 1"),
                (
                    "temporary",
                    self.temporary >= self.size,
                    "is less than upload.size, so the largest archive could never be sent",
                ),
                ("stores", self.stores > 0, "must be at least 1"),
                (
                    "abandoned_after",
                    !self.abandoned_after.is_zero(),
                    "must be longer than zero",
                ),
                (
                    "level",
                    (1..=9).contains(&self.level),
                    "must be from 1 to 9",
                ),
            ],
        )
    }
}
