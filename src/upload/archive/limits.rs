//! How much an archive may hold.

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use super::end::Directory;
use super::error::ArchiveError;
use super::record::Record;

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
    /// How many times larger the members may be together than their compressed data. Deflate itself reaches 1032.
    pub ratio: u64,
    /// The ratio is looked at only in archives of more uncompressed bytes than this.
    pub ratio_from: ByteSize,
    /// How many bytes a block of a deflated member must stand for on average, compressed and uncompressed together.
    /// Smaller ones take longer to inflate than they are worth. 0 for any.
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
    /// Checks what must hold before the directory is read.
    pub(super) fn check_directory(&self, directory: &Directory) -> Result<(), ArchiveError> {
        if directory.entries > self.entries {
            return Err(ArchiveError::TooManyEntries {
                entries: directory.entries,
                limit: self.entries,
            });
        }
        if directory.size > self.directory.as_u64() {
            return Err(ArchiveError::DirectoryTooLarge {
                size: directory.size,
                limit: self.directory,
            });
        }
        Ok(())
    }

    /// Checks the size of one file.
    pub(super) fn check_size(&self, name: &str, size: u64) -> Result<(), ArchiveError> {
        if size <= self.member_size.as_u64() {
            return Ok(());
        }
        Err(ArchiveError::MemberTooLarge {
            name: name.to_owned(),
            size,
            limit: self.member_size,
        })
    }

    /// Checks the declared sizes; the members' own data is held to them later.
    pub(super) fn check_members(&self, records: &[Record]) -> Result<(), ArchiveError> {
        let mut size = 0_u64;
        let mut compressed_size = 0_u64;
        for record in records {
            self.check_size(&record.name, record.size)?;
            size = size.saturating_add(record.size);
            compressed_size = compressed_size.saturating_add(record.compressed_size);
        }
        self.check_totals(size, compressed_size)
    }

    /// Checks what all members take together.
    pub(super) fn check_totals(&self, size: u64, compressed_size: u64) -> Result<(), ArchiveError> {
        if size > self.total_size.as_u64() {
            return Err(ArchiveError::TotalTooLarge {
                size,
                limit: self.total_size,
            });
        }
        if size > self.ratio_from.as_u64() && size > compressed_size.saturating_mul(self.ratio) {
            return Err(ArchiveError::Ratio { limit: self.ratio });
        }
        Ok(())
    }
}
