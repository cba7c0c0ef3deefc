//! The configured limits on archives.

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use super::names::{LONGEST_NAME, MemberNames};

/// The limits on one archive, a section of the configuration. The defaults leave a wide margin over the largest
/// uploads that Mozilla's builds have sent (208 files, 1.3 GB).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArchiveLimits {
    /// The most entries, directories included.
    pub entries: u64,
    /// The largest central directory; it is read into memory as a whole.
    pub directory: ByteSize,
    /// The largest member, uncompressed.
    pub member_size: ByteSize,
    /// The most that all members may take together, uncompressed.
    pub total_size: ByteSize,
    /// How many times larger all members may be than their compressed data. Deflate itself reaches 1032.
    pub ratio: u64,
    /// The ratio is checked only in archives with more uncompressed bytes than this.
    pub ratio_from: ByteSize,
    /// The least average size of a deflated member's blocks, compressed and uncompressed bytes added up. Smaller blocks
    /// take disproportionate time to inflate. 0 for no limit.
    pub bytes_per_block: u64,
    /// Texts that no member's name may contain, for files that must never be published.
    pub disallowed_snippets: Vec<String>,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self {
            entries: 10_000,
            directory: ByteSize::mib(16),
            member_size: ByteSize::gib(8),
            total_size: ByteSize::gib(32),
            ratio: 100,
            ratio_from: ByteSize::mib(64),
            bytes_per_block: 512,
            disallowed_snippets: vec!["qcom/proprietary".to_owned()],
        }
    }
}

impl ArchiveLimits {
    /// The limits that `strict_zip` enforces.
    #[must_use]
    pub fn zip_limits(&self) -> strict_zip::Limits {
        strict_zip::Limits {
            entries: self.entries,
            directory: self.directory.as_u64(),
            name_length: LONGEST_NAME,
            member_size: self.member_size.as_u64(),
            total_size: self.total_size.as_u64(),
            ratio: self.ratio,
            ratio_from: self.ratio_from.as_u64(),
            bytes_per_block: self.bytes_per_block,
        }
    }

    /// The rules for the names of members.
    #[must_use]
    pub fn names(&self) -> MemberNames<'_> {
        MemberNames::new(&self.disallowed_snippets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_a_section_of_the_configuration() {
        let limits: ArchiveLimits = toml::from_str("entries = 5\nmember_size = \"1 GiB\"").unwrap();
        assert_eq!(limits.entries, 5);
        assert_eq!(limits.member_size, ByteSize::gib(1));
        assert_eq!(limits.total_size, ArchiveLimits::default().total_size);
        assert!(toml::from_str::<ArchiveLimits>("entrie = 5").is_err());
        let text = toml::to_string(&ArchiveLimits::default()).unwrap();
        assert_eq!(
            toml::from_str::<ArchiveLimits>(&text).unwrap(),
            ArchiveLimits::default()
        );
    }

    #[test]
    fn the_defaults_are_those_of_strict_zip() {
        let limits = ArchiveLimits::default().zip_limits();
        assert_eq!(limits, strict_zip::Limits::default());
    }
}
