//! How an S3 storage is spoken to.

use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

/// The smallest part of an object that Amazon takes, except for the last one.
const SMALLEST_PART: ByteSize = ByteSize::mib(5);

/// The largest object or part that Amazon takes in one request.
const LARGEST_REQUEST: ByteSize = ByteSize::gib(5);

/// No presigned address lives longer (Signature Version 4).
const LONGEST_PRESIGNED: Duration = Duration::from_hours(7 * 24);

/// The shortest useful life: answers with such an address are not kept in the last minute of it.
const SHORTEST_PRESIGNED: Duration = Duration::from_mins(2);

/// Deadlines and sizes of requests to an S3 storage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S3Config {
    /// How long connecting may take.
    #[serde(with = "humantime_serde")]
    pub connect: Duration,
    /// How long one attempt of a lookup may take.
    #[serde(with = "humantime_serde")]
    pub lookup_attempt: Duration,
    /// How long a lookup may take with all its attempts.
    #[serde(with = "humantime_serde")]
    pub lookup: Duration,
    /// How long one attempt to store an object or a part of one may take, beside what its size takes.
    #[serde(with = "humantime_serde")]
    pub put: Duration,
    /// What the store must take in per second, on average.
    pub put_rate: ByteSize,
    /// How long a body may stand still, in either direction, before it is given up.
    #[serde(with = "humantime_serde")]
    pub stall: Duration,
    /// Objects larger than this are stored in parts.
    pub parts_from: ByteSize,
    /// How large these parts are.
    pub part_size: ByteSize,
    /// Whether the CRC-32 of what is stored is sent along, for stores that check it.
    pub checksum: bool,
    /// How long a presigned address is good for.
    #[serde(with = "humantime_serde")]
    pub presigned_for: Duration,
}

impl Default for S3Config {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            lookup_attempt: Duration::from_secs(3),
            lookup: Duration::from_secs(8),
            put: Duration::from_secs(30),
            put_rate: ByteSize::mib(1),
            stall: Duration::from_secs(20),
            parts_from: ByteSize::mib(64),
            part_size: ByteSize::mib(16),
            checksum: false,
            presigned_for: Duration::from_mins(10),
        }
    }
}

impl S3Config {
    /// What must hold for each key, and what to tell if it does not.
    pub(in crate::storage) fn checks(&self) -> [(&'static str, bool, &'static str); 8] {
        const ZERO: &str = "must be longer than zero";
        [
            ("connect", !self.connect.is_zero(), ZERO),
            ("lookup_attempt", !self.lookup_attempt.is_zero(), ZERO),
            ("put", !self.put.is_zero(), ZERO),
            (
                "lookup",
                self.lookup >= self.lookup_attempt,
                "must not be shorter than lookup_attempt",
            ),
            (
                "put_rate",
                self.put_rate.as_u64() > 0,
                "must be more than zero",
            ),
            (
                "parts_from",
                self.parts_from <= LARGEST_REQUEST,
                "must be at most 5 GiB",
            ),
            (
                "part_size",
                (SMALLEST_PART..=LARGEST_REQUEST).contains(&self.part_size),
                "must be from 5 MiB to 5 GiB",
            ),
            (
                "presigned_for",
                (SHORTEST_PRESIGNED..=LONGEST_PRESIGNED).contains(&self.presigned_for),
                "must be from 2 minutes to 7 days",
            ),
        ]
    }
}
