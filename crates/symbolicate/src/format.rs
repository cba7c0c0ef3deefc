//! The symcache format, version 9: the numbers that the writer and the reader share.
//!
//! A symcache is a header and five sections, each of which starts at a multiple of 8 bytes: files, functions, source
//! locations, the addresses at which ranges start, and strings. All numbers are 32 bits, little-endian. Locations that
//! only other locations refer to, as the places of calls, come first; the last ones belong to the ranges, one each and
//! in their order. A string is its length in LEB128 and its bytes; others refer to it by its offset in the section.
//! Source: the crate symbolic-symcache 13.9, which describes the sections in its documentation.

/// The first four bytes.
pub(crate) const MAGIC: [u8; 4] = *b"SYMC";

/// The version that is written and read.
pub(crate) const VERSION: u32 = 9;

/// Stands for what is not known: a file, a function, a start, a location.
pub(crate) const NONE: u32 = u32::MAX;

/// Length of the header in bytes: magic, version, debug id (32), architecture, five counts, 16 bytes for later.
pub(crate) const HEADER: usize = 80;

/// Length of a file in bytes: the offsets of compilation directory, directory, name, and three of source servers.
pub(crate) const FILE: usize = 24;

/// Length of a function in bytes: the offset of its name, nothing, its start, its language.
pub(crate) const FUNCTION: usize = 16;

/// Length of a location in bytes: file, line, function, the location of the call if this is inlined.
pub(crate) const LOCATION: usize = 16;

/// Length of an address in bytes.
pub(crate) const ADDRESS: usize = 4;

/// Where in a source a range of addresses comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Location {
    /// The file's number, or [`NONE`].
    pub(crate) file: u32,
    /// 0 if not known.
    pub(crate) line: u32,
    /// The function's number.
    pub(crate) function: u32,
    /// The number of the location of the call, or [`NONE`] in an outer function.
    pub(crate) inlined_into: u32,
}

impl Location {
    /// Belongs to no function: ends a range where no other one starts.
    pub(crate) const NOTHING: Self = Self {
        file: NONE,
        line: NONE,
        function: NONE,
        inlined_into: NONE,
    };

    /// A place in an outer function of which no more is known.
    pub(crate) const fn without_file(function: u32) -> Self {
        Self {
            file: NONE,
            line: 0,
            function,
            inlined_into: NONE,
        }
    }
}

/// The length of a section with the bytes that fill it up to a multiple of 8.
pub(crate) const fn padded(length: usize) -> usize {
    length.next_multiple_of(8)
}

/// The low 32 bits of a number. The format has no more, and symbolic drops the others in the same places.
#[expect(clippy::cast_possible_truncation, reason = "that is what it is for")]
pub(crate) const fn low_bits(number: u64) -> u32 {
    number as u32
}
