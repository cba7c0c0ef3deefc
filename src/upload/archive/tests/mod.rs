//! Good and bad archives, made field by field.

mod accepted;
mod arriving;
mod builder;
mod data;
mod end_records;
mod layout;
mod members;
mod properties;
mod seeds;
mod work;

use bytesize::ByteSize;

use super::{ArchiveError, ArchiveLimits, Digest, Entry, inspect, verify};

/// Inspects an archive and verifies every member, with the default limits.
fn check(bytes: &[u8]) -> Result<Vec<(Entry, Digest)>, ArchiveError> {
    check_with(bytes, &ArchiveLimits::default())
}

fn check_with(bytes: &[u8], limits: &ArchiveLimits) -> Result<Vec<(Entry, Digest)>, ArchiveError> {
    let mut checked = Vec::new();
    for entry in inspect(bytes, limits)? {
        let digest = verify(bytes, &entry, limits, true)?;
        checked.push((entry, digest));
    }
    Ok(checked)
}

/// The rule that an archive breaks.
fn rule(bytes: &[u8]) -> &'static str {
    check(bytes).map_or_else(|error| error.code(), |_| "none")
}

/// Limits so low that small archives reach them.
fn low_limits() -> ArchiveLimits {
    ArchiveLimits {
        entries: 2,
        directory: ByteSize(300),
        member_size: ByteSize(1000),
        total_size: ByteSize(1500),
        ratio: 10,
        ratio_from: ByteSize(500),
        bytes_per_block: 0,
        disallowed_snippets: Vec::new(),
    }
}
