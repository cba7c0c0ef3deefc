//! The members of an archive that has not fully arrived.
//!
//! A local header stands before its data, so a member can be looked at as soon as it is there, long before the central
//! directory is. What the local headers say is a guess: [`inspect`](super::inspect) alone decides, by the directory,
//! which members an archive has. But [`verify()`](super::verify()) depends on nothing but an entry and its bytes. What
//! it says of a guessed entry is true of the archive's own if that is the very same one, and of no use otherwise.
//!
//! Guessing ends at the first header that does not tell what is needed: of a streamed member, whose sizes come after
//! it, or of one that would be refused. It never costs more than the limits allow an archive to cost.

use std::io;

use super::entry::{Entry, Method};
use super::limits::ArchiveLimits;
use super::local_header::{Found, LocalHeader};
use super::name;
use super::read_at::ReadAt;
use super::record::Record;

/// Walks through an archive from its start, behind what arrives.
#[derive(Debug, Default)]
pub struct Arriving {
    /// Where the next local header should be.
    offset: u64,
    entries: u64,
    size: u64,
    compressed_size: u64,
    has_ended: bool,
}

/// What comes next.
enum Step {
    /// A member, or a directory, which is none, and where it ends.
    Member(Option<Entry>, u64),
    /// Something of which not all bytes are there yet.
    NotYet,
    /// Nothing that can be guessed.
    End,
}

impl Arriving {
    /// The members that have come since the last call, when so many bytes have arrived.
    ///
    /// # Errors
    /// The archive cannot be read.
    pub fn advance<R: ReadAt + ?Sized>(
        &mut self,
        archive: &R,
        arrived: u64,
        limits: &ArchiveLimits,
    ) -> io::Result<Vec<Entry>> {
        let mut found = Vec::new();
        while !self.has_ended {
            match self.step(archive, arrived)? {
                Step::NotYet => break,
                Step::Member(entry, end) if self.admits(entry.as_ref(), limits) => {
                    self.offset = end;
                    found.extend(entry);
                }
                Step::Member(..) | Step::End => self.has_ended = true,
            }
        }
        Ok(found)
    }

    /// Tells whether nothing more can be guessed, whatever arrives.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    fn step<R: ReadAt + ?Sized>(&self, archive: &R, arrived: u64) -> io::Result<Step> {
        let header = match LocalHeader::read(archive, self.offset, arrived)? {
            Found::Header(header) => header,
            Found::TooLong => return Ok(Step::NotYet),
            Found::Nothing => return Ok(Step::End),
        };
        let Some(record) = guess(&header, self.offset) else {
            return Ok(Step::End);
        };
        let end = header.data_offset.checked_add(record.compressed_size);
        Ok(match end.filter(|end| *end <= arrived) {
            Some(end) => Step::Member(record.into_entry(header.data_offset), end),
            None => Step::NotYet,
        })
    }

    /// Takes down a member, unless an archive with all that were taken down would be refused.
    fn admits(&mut self, entry: Option<&Entry>, limits: &ArchiveLimits) -> bool {
        self.entries += 1;
        if let Some(entry) = entry {
            self.size = self.size.saturating_add(entry.size);
            self.compressed_size = self.compressed_size.saturating_add(entry.compressed_size);
        }
        let largest = entry.map_or(0, |entry| entry.size);
        self.entries <= limits.entries
            && largest <= limits.member_size.as_u64()
            && limits.check_totals(self.size, self.compressed_size).is_ok()
    }
}

/// The record that the directory will have, if all is well.
fn guess(header: &LocalHeader, offset: u64) -> Option<Record> {
    if header.is_streamed() {
        return None;
    }
    let name = name::decode(&header.name).ok()?;
    let (size, compressed_size) = header.sizes(name).ok()?;
    Some(Record {
        name: name.to_owned(),
        kind: name::classify(name).ok()?,
        flags: header.flags,
        method: Method::from_number(header.method)?,
        crc32: header.crc32,
        compressed_size,
        size,
        offset,
    })
}
