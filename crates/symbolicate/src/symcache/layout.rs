//! Where the sections of a symcache are, and what stands in them.

use crate::format::{ADDRESS, FILE, FUNCTION, HEADER, LOCATION, Location, MAGIC, VERSION, padded};

use super::SymcacheError;

/// Where the counts stand in the header, in bytes.
const COUNTS: usize = 44;

/// The sections' places in the bytes of one symcache.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    functions: usize,
    locations: usize,
    addresses: usize,
    strings: usize,
    /// The number of locations that belong to no range.
    calls: usize,
    ranges: usize,
    end: usize,
}

impl Layout {
    /// Reads the header and checks that the bytes are as long as it says.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, SymcacheError> {
        if !bytes.starts_with(&MAGIC) {
            let is_swapped = bytes.iter().take(4).eq(MAGIC.iter().rev());
            return Err(if is_swapped {
                SymcacheError::Version
            } else {
                SymcacheError::Format
            });
        }
        if number_at(bytes, MAGIC.len()) != Some(VERSION) {
            return Err(SymcacheError::Version);
        }
        Self::from_counts(bytes)
            .filter(|layout| layout.end <= bytes.len())
            .ok_or(SymcacheError::Cut)
    }

    fn from_counts(bytes: &[u8]) -> Option<Self> {
        let count = |index: usize| Some(number_at(bytes, COUNTS + index * 4)? as usize);
        let after = |start: usize, count: usize, length: usize| {
            let length = count.checked_mul(length)?;
            start.checked_add(length)?.checked_next_multiple_of(8)
        };
        let (locations, ranges) = (count(2)?, count(3)?);
        let functions_at = after(HEADER, count(0)?, FILE)?;
        let locations_at = after(functions_at, count(1)?, FUNCTION)?;
        let addresses_at = after(locations_at, locations, LOCATION)?;
        let strings_at = after(addresses_at, ranges, ADDRESS)?;
        Some(Self {
            functions: functions_at,
            locations: locations_at,
            addresses: addresses_at,
            strings: strings_at,
            calls: locations.checked_sub(ranges)?,
            ranges,
            end: strings_at.checked_add(count(4)?)?,
        })
    }

    /// The sections of the bytes that were read.
    pub(super) fn sections(self, bytes: &[u8]) -> Sections<'_> {
        let section = |start, end| bytes.get(start..end).unwrap_or_default();
        Sections {
            files: section(padded(HEADER), self.functions),
            functions: section(self.functions, self.locations),
            locations: section(self.locations, self.addresses),
            addresses: section(self.addresses, self.addresses + self.ranges * ADDRESS),
            strings: section(self.strings, self.end),
            calls: self.calls,
        }
    }
}

/// The sections of a symcache.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sections<'data> {
    files: &'data [u8],
    functions: &'data [u8],
    locations: &'data [u8],
    addresses: &'data [u8],
    strings: &'data [u8],
    calls: usize,
}

impl<'data> Sections<'data> {
    /// The location of the range in which an address is.
    pub(super) fn locate(&self, address: u32) -> Option<Location> {
        let (starts, _) = self.addresses.as_chunks::<ADDRESS>();
        let after = starts.partition_point(|start| u32::from_le_bytes(*start) <= address);
        let location = self.location(self.calls + after.checked_sub(1)?)?;
        (location != Location::NOTHING).then_some(location)
    }

    /// The location with this number.
    pub(super) fn location(&self, number: usize) -> Option<Location> {
        let [file, line, function, inlined_into] = entry(self.locations, number)?;
        Some(Location {
            file,
            line,
            function,
            inlined_into,
        })
    }

    /// The name and start of the function with this number.
    pub(super) fn function(&self, number: u32) -> Option<(&'data str, u32)> {
        let [name, _, start, _] = entry(self.functions, number as usize)?;
        Some((self.string(name).unwrap_or("?"), start))
    }

    /// The compilation directory, the directory and the name of the file with this number; what is missing is empty.
    pub(super) fn file(&self, number: u32) -> Option<[&'data str; 3]> {
        let [compilation, directory, name, ..]: [u32; FILE / 4] =
            entry(self.files, number as usize)?;
        Some([compilation, directory, name].map(|offset| self.string(offset).unwrap_or_default()))
    }

    fn string(&self, offset: u32) -> Option<&'data str> {
        let mut bytes = self.strings.get(offset as usize..)?;
        let mut length = 0_usize;
        // Five groups of seven bits are the most that a length of 32 bits takes.
        for group in 0..5 {
            let (byte, rest) = bytes.split_first()?;
            bytes = rest;
            length |= usize::from(byte & 0x7f) << (7 * group);
            if byte & 0x80 == 0 {
                return std::str::from_utf8(bytes.get(..length)?).ok();
            }
        }
        None
    }
}

/// The entry with this number in a section of entries of so many numbers each.
fn entry<const NUMBERS: usize>(section: &[u8], number: usize) -> Option<[u32; NUMBERS]> {
    let start = number.checked_mul(NUMBERS * 4)?;
    let bytes = section.get(start..)?.get(..NUMBERS * 4)?;
    let (numbers, _) = bytes.as_chunks::<4>();
    Some(std::array::from_fn(|index| {
        u32::from_le_bytes(numbers[index])
    }))
}

fn number_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let bytes = bytes.get(offset..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*bytes))
}
