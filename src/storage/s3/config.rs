//! The settings of an S3 storage.

use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use crate::section::Check;

/// The smallest part of an object that Amazon takes, except for the last one.
const SMALLEST_PART: ByteSize = ByteSize::mib(5);

/// The largest object or part that Amazon takes in one request.
const LARGEST_REQUEST: ByteSize = ByteSize::gib(5);

/// No presigned address lives longer (Signature Version 4).
const LONGEST_PRESIGNED: Duration = Duration::from_hours(7 * 24);

/// The shortest useful life: answers with such an address are not kept in the last minute of it.
const SHORTEST_PRESIGNED: Duration = Duration::from_mins(2);

const URL_RULE: &str =
    "must begin with http:// or https://, without a user, a question mark or a number sign";

/// Where the bucket is, and how clients get at its objects. An empty text means that the setting is not set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S3Config {
    /// The bucket's name.
    pub bucket: String,
    /// Address of a store other than Amazon's, as in `https://s3.example.com:9000`.
    pub endpoint: String,
    /// Region of the bucket; empty means the one of the environment or the profile.
    pub region: String,
    /// How clients get at the objects.
    pub access: Access,
    /// Address under which everybody can read the bucket's objects, for `redirect`; empty means the store's own.
    pub public_url: String,
    /// How requests are made.
    #[serde(rename = "s3")]
    pub requests: RequestConfig,
}

impl Default for S3Config {
    fn default() -> Self {
        Self {
            bucket: String::new(),
            endpoint: String::new(),
            region: String::new(),
            access: Access::Redirect,
            public_url: String::new(),
            requests: RequestConfig::default(),
        }
    }
}

impl S3Config {
    /// The rule of each key, and the message if it is broken.
    pub(in crate::storage) fn checks(&self) -> Vec<Check> {
        let mut checks = vec![
            (
                "bucket",
                !self.bucket.is_empty(),
                "names no bucket, and kind is \"s3\"",
            ),
            ("endpoint", is_url(&self.endpoint), URL_RULE),
            ("public_url", is_url(&self.public_url), URL_RULE),
        ];
        checks.extend(self.requests.checks());
        checks
    }
}

/// How clients get at an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// They are sent to its public address.
    Redirect,
    /// They are sent to an address that gives its bearer access to this object for a limited time.
    Presign,
    /// This server sends the bytes.
    Proxy,
}

/// Deadlines and sizes of requests to an S3 storage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RequestConfig {
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
    /// The least number of bytes that the store must accept per second, on average.
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

impl Default for RequestConfig {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            lookup_attempt: Duration::from_secs(2),
            lookup: Duration::from_secs(3),
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

impl RequestConfig {
    /// The rule of each key, and the message if it is broken.
    fn checks(&self) -> [Check; 8] {
        const ZERO: &str = "must be longer than zero";
        [
            ("s3.connect", !self.connect.is_zero(), ZERO),
            ("s3.lookup_attempt", !self.lookup_attempt.is_zero(), ZERO),
            ("s3.put", !self.put.is_zero(), ZERO),
            (
                "s3.lookup",
                self.lookup >= self.lookup_attempt,
                "must not be shorter than lookup_attempt",
            ),
            (
                "s3.put_rate",
                self.put_rate.as_u64() > 0,
                "must be more than zero",
            ),
            (
                "s3.parts_from",
                self.parts_from <= LARGEST_REQUEST,
                "must be at most 5 GiB",
            ),
            (
                "s3.part_size",
                (SMALLEST_PART..=LARGEST_REQUEST).contains(&self.part_size),
                "must be from 5 MiB to 5 GiB",
            ),
            (
                "s3.presigned_for",
                (SHORTEST_PRESIGNED..=LONGEST_PRESIGNED).contains(&self.presigned_for),
                "must be from 2 minutes to 7 days",
            ),
        ]
    }
}

/// Returns whether a text is empty or an address that a path can be appended to.
fn is_url(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    text.is_empty()
        || rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['@', '?', '#', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_a_path_can_follow_are_taken() {
        for good in ["", "http://127.0.0.1:9000", "https://s3.example.com/path/"] {
            assert!(is_url(good), "{good}");
        }
        for bad in [
            "s3.example.com",
            "ftp://x",
            "http://",
            "https://user:password@x",
            "http://x/?a",
            "http://x/#a",
        ] {
            assert!(!is_url(bad), "{bad}");
        }
    }
}
