//! Archives of symbols. The rules of zips are tested in strict-zip.

mod facts;
mod names;

use super::{ArchiveError, ArchiveLimits, Entry, MemberFacts, inspect, verify_member};

/// The name of a good member.
const KEY: &str = "xul.pdb/44E4EC8C2F41492B9369D6B9A059577C2/xul.sym";

/// An archive that stores these members; names that end in a slash are directories.
fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in members {
        let offset = u32::try_from(bytes.len()).unwrap();
        let mut common = vec![0; 8];
        common.extend(crc32fast::hash(content).to_le_bytes());
        let size = u32::try_from(content.len()).unwrap().to_le_bytes();
        common.extend([size, size].concat());
        common.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        common.extend([0; 2]);
        bytes.extend([b"PK\x03\x04\x14\0", &common[..], name.as_bytes(), content].concat());
        directory.extend([b"PK\x01\x02\x14\0\x14\0", &common[..], &[0; 10]].concat());
        directory.extend([&offset.to_le_bytes(), name.as_bytes()].concat());
    }
    let offset = u32::try_from(bytes.len()).unwrap().to_le_bytes();
    let length = u32::try_from(directory.len()).unwrap().to_le_bytes();
    let count = u16::try_from(members.len()).unwrap().to_le_bytes();
    bytes.extend([&directory[..], b"PK\x05\x06\0\0\0\0", &count, &count].concat());
    bytes.extend([&length[..], &offset, &[0; 2]].concat());
    bytes
}

/// Inspects an archive and verifies every member, with the default limits.
fn check(bytes: &[u8]) -> Result<Vec<(Entry, MemberFacts)>, ArchiveError> {
    let limits = ArchiveLimits::default();
    let entries = inspect(bytes, &limits)?;
    let verified = entries.into_iter().map(|entry| {
        let facts = verify_member(bytes, &entry, &limits, true)?;
        Ok((entry, facts))
    });
    verified.collect()
}

/// The rule that an archive of these members breaks.
fn rule(members: &[(&str, &[u8])]) -> &'static str {
    check(&archive(members)).map_or_else(|error| error.code(), |_| "none")
}
