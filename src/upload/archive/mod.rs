//! Decides which zip archives are accepted, by our own reading of their raw bytes.
//!
//! Zip readers disagree on everything that a zip says twice: names, sizes, counts and offsets stand in the local
//! headers, in the central directory and in the end records. An archive is accepted only if all of its places agree,
//! so that every reader sees the same files in it: the end record is the last thing in the file, the central directory
//! ends where the end record begins, and the members fill the space before the directory from byte 0 without a gap or
//! an overlap.
//!
//! [`inspect`] reads headers only, checks them against each other, against the [`ArchiveLimits`] and against the
//! grammar of names, and returns the members. [`verify()`] then reads one member's data once and proves what the headers
//! say of it: length, CRC-32, end of the compressed stream. Whoever stores nothing before both have passed can trust
//! that `compressed_size` bytes at `data_offset` are exactly one deflate stream (or the plain bytes) of the member.
//! Any number of threads may verify members of one file at once, since every read names its offset.
//!
//! Section numbers in this module are those of PKWARE's APPNOTE.TXT 6.3.10.

mod directory;
mod end;
mod error;
mod extra;
mod fields;
mod layout;
mod limits;
mod name;
mod read_at;
mod verify;

#[cfg(test)]
mod tests;

pub use error::ArchiveError;
pub use limits::ArchiveLimits;
pub use read_at::ReadAt;
pub use verify::{Digest, verify};

use crate::symbol::SymbolKey;

/// One member that is not a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name, exactly as in the zip.
    pub name: String,
    /// What the name says that it is.
    pub content: Content,
    /// How the data is stored.
    pub method: Method,
    /// CRC-32 of the uncompressed data, as declared.
    pub crc32: u32,
    /// Bytes of the data in the archive.
    pub compressed_size: u64,
    /// Bytes of the uncompressed data, as declared.
    pub size: u64,
    /// Where the data starts, counted from the archive's first byte.
    pub data_offset: u64,
}

/// What a member is to this server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A file to store.
    Symbol(SymbolKey),
    /// A file that builds send along and nobody asks for: `.DS_Store` and `<name>-symbols.txt`.
    Ignored,
}

/// The compression methods accepted (4.4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Method 0: the plain bytes.
    Stored,
    /// Method 8: one raw deflate stream.
    Deflated,
}

impl Method {
    fn from_number(number: u16) -> Option<Self> {
        match number {
            0 => Some(Self::Stored),
            8 => Some(Self::Deflated),
            _ => None,
        }
    }

    fn number(self) -> u16 {
        match self {
            Self::Stored => 0,
            Self::Deflated => 8,
        }
    }
}

/// Checks the archive's structure and returns its members in the order of their data, without directories.
///
/// An archive without members is legal. No data of a member is read and nothing larger than the limits is allocated.
///
/// # Errors
/// The first rule that the archive breaks, or [`ArchiveError::Read`].
pub fn inspect<R: ReadAt + ?Sized>(
    archive: &R,
    limits: &ArchiveLimits,
) -> Result<Vec<Entry>, ArchiveError> {
    let directory = end::find_directory(archive)?;
    limits.check_directory(&directory)?;
    let records = directory::read(archive, &directory, &limits.disallowed_snippets)?;
    limits.check_members(&records)?;
    name::refuse_duplicates(&records)?;
    layout::locate(archive, records, directory.offset)
}
