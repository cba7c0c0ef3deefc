//! How much an archive may hold.

use super::end::Directory;
use super::error::Error;
use super::record::Record;

/// The limits on one archive. All sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most entries, directories included.
    pub entries: u64,
    /// The largest central directory; it is read into memory as a whole.
    pub directory: u64,
    /// The longest name of a member.
    pub name_length: usize,
    /// The largest member, uncompressed.
    pub member_size: u64,
    /// The most that all members may take together, uncompressed.
    pub total_size: u64,
    /// How many times larger the members may be together than their compressed data. Deflate itself reaches 1032.
    pub ratio: u64,
    /// The ratio is checked only in archives of more uncompressed bytes than this.
    pub ratio_from: u64,
    /// How many bytes a block of a deflated member must stand for on average, compressed and uncompressed together.
    /// Smaller ones take longer to inflate than they are worth. 0 for any.
    pub bytes_per_block: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 10_000,
            directory: 16 << 20,
            name_length: 512,
            member_size: 8 << 30,
            total_size: 32 << 30,
            ratio: 100,
            ratio_from: 64 << 20,
            bytes_per_block: 512,
        }
    }
}

impl Limits {
    /// Checks the uncompressed size of one member.
    ///
    /// # Errors
    /// [`Error::MemberTooLarge`].
    pub fn check_size(&self, name: &str, size: u64) -> Result<(), Error> {
        if size <= self.member_size {
            return Ok(());
        }
        Err(Error::MemberTooLarge {
            name: name.to_owned(),
            size,
            limit: self.member_size,
        })
    }

    /// Checks what must hold before the directory is read.
    pub(super) fn check_directory(&self, directory: &Directory) -> Result<(), Error> {
        if directory.entries > self.entries {
            return Err(Error::TooManyEntries {
                entries: directory.entries,
                limit: self.entries,
            });
        }
        if directory.size > self.directory {
            return Err(Error::DirectoryTooLarge {
                size: directory.size,
                limit: self.directory,
            });
        }
        Ok(())
    }

    /// Checks the declared sizes; verifying the members holds their data to them.
    pub(super) fn check_members<C>(&self, records: &[Record<C>]) -> Result<(), Error> {
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
    pub(super) fn check_totals(&self, size: u64, compressed_size: u64) -> Result<(), Error> {
        if size > self.total_size {
            return Err(Error::TotalTooLarge {
                size,
                limit: self.total_size,
            });
        }
        if size > self.ratio_from && size > compressed_size.saturating_mul(self.ratio) {
            return Err(Error::Ratio { limit: self.ratio });
        }
        Ok(())
    }
}
