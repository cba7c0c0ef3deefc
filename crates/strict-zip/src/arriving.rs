//! The members of an archive that has not fully arrived.
//!
//! A local header stands before its data, so a member can be read as soon as it is there, long before the central
//! directory is. What local headers say is a guess: only [`inspect`](super::inspect) decides, by the directory, which
//! members an archive has. But [`verify`](super::verify()) depends on nothing but an entry and its bytes. Its result
//! for a guessed entry holds for the archive's own entry if the two are equal, and is of no use otherwise.
//!
//! Guessing ends at the first header that does not say enough, as that of a streamed member, whose sizes come after it,
//! and at the first that would be refused. It never costs more than the limits allow an archive to cost.

use std::io;

use super::entry::{Entry, Method};
use super::limits::Limits;
use super::local_header::{Found, LocalHeader};
use super::names::{self, Names};
use super::read_at::ReadAt;
use super::record::Record;

/// Walks through an archive from its start, behind the bytes that arrive.
#[derive(Debug, Default)]
pub struct Arriving {
    /// Where the next local header should be.
    offset: u64,
    entries: u64,
    size: u64,
    compressed_size: u64,
    has_ended: bool,
}

/// The structure that comes next.
enum Step<C> {
    /// A member (`None` for a directory), and where it ends.
    Member(Option<Entry<C>>, u64),
    /// Something of which not all bytes are there yet.
    NotYet,
    /// Nothing that can be guessed.
    End,
}

impl Arriving {
    /// The members that have come since the last call, when the first `arrived` bytes of the archive are there.
    ///
    /// # Errors
    /// The archive cannot be read.
    pub fn advance<R: ReadAt + ?Sized, N: Names + ?Sized>(
        &mut self,
        archive: &R,
        arrived: u64,
        limits: &Limits,
        names: &N,
    ) -> io::Result<Vec<Entry<N::Content>>> {
        let mut found = Vec::new();
        while !self.has_ended {
            match self.step(archive, arrived, limits, names)? {
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

    /// Returns whether nothing more can be guessed, whatever arrives.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    fn step<R: ReadAt + ?Sized, N: Names + ?Sized>(
        &self,
        archive: &R,
        arrived: u64,
        limits: &Limits,
        names: &N,
    ) -> io::Result<Step<N::Content>> {
        let header = match LocalHeader::read(archive, self.offset, arrived)? {
            Found::Header(header) => header,
            Found::TooLong => return Ok(Step::NotYet),
            Found::Nothing => return Ok(Step::End),
        };
        let Some(record) = guess(&header, self.offset, limits, names) else {
            return Ok(Step::End);
        };
        let end = header.data_offset.checked_add(record.compressed_size);
        Ok(match end.filter(|end| *end <= arrived) {
            Some(end) => Step::Member(record.into_entry(header.data_offset), end),
            None => Step::NotYet,
        })
    }

    /// Counts a member, unless an archive with all that were counted would be refused.
    fn admits<C>(&mut self, entry: Option<&Entry<C>>, limits: &Limits) -> bool {
        self.entries += 1;
        if let Some(entry) = entry {
            self.size = self.size.saturating_add(entry.size);
            self.compressed_size = self.compressed_size.saturating_add(entry.compressed_size);
        }
        let largest = entry.map_or(0, |entry| entry.size);
        self.entries <= limits.entries
            && largest <= limits.member_size
            && limits.check_totals(self.size, self.compressed_size).is_ok()
    }
}

/// The record that the directory will have, if all is well.
fn guess<N: Names + ?Sized>(
    header: &LocalHeader,
    offset: u64,
    limits: &Limits,
    names: &N,
) -> Option<Record<N::Content>> {
    if header.is_streamed() {
        return None;
    }
    let name = names::decode(&header.name, limits, names).ok()?;
    let (size, compressed_size) = header.sizes(name).ok()?;
    Some(Record {
        name: name.to_owned(),
        kind: names::classify(name, names).ok()?,
        flags: header.flags,
        method: Method::from_number(header.method)?,
        crc32: header.crc32,
        compressed_size,
        size,
        offset,
    })
}
