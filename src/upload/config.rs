//! The settings of uploads.

use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use super::verify::ArchiveLimits;
use super::{FetchConfig, Overwrite};
use symbols::SuffixList;

/// What uploads may be, how fast they must come and how they are stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UploadConfig {
    /// How many uploads may be under way at once; one more is told to come back later.
    pub slots: usize,
    /// How many of them one token may have; 0 means half of them, rounded up.
    pub slots_per_token: usize,
    /// The most that the temporary files of all archives under way may take together.
    pub temporary: ByteSize,
    /// The largest archive.
    pub size: ByteSize,
    /// How long a client may send nothing in the middle of an upload.
    #[serde(with = "humantime_serde")]
    pub idle: Duration,
    /// How long receiving one upload may take.
    #[serde(with = "humantime_serde")]
    pub receive: Duration,
    /// The least that a client must send per second, on average, once the idle time has passed.
    pub rate: ByteSize,
    /// How many files of one upload are being stored at once.
    pub stores: usize,
    /// Which files an upload may change that are stored already.
    pub overwrite: Overwrite,
    /// A server that has not been heard of for this time is held for dead, and its pending uploads for failed.
    #[serde(with = "humantime_serde")]
    pub abandoned_after: Duration,
    /// Endings of the names of files that are stored gzipped.
    pub compress: SuffixList,
    /// Level of compression of files that do not come compressed: 1 is fast, 9 is small.
    pub level: u32,
    /// What an archive may hold.
    pub archive: ArchiveLimits,
    /// From where archives may be fetched.
    pub by_url: FetchConfig,
}

impl Default for UploadConfig {
    fn default() -> Self {
        Self {
            slots: 8,
            slots_per_token: 0,
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
