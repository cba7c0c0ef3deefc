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
//! say of it: length, CRC-32, end of the compressed stream; and that inflating it takes no more time than its bytes are
//! worth. Whoever stores nothing before both have passed can trust that `compressed_size` bytes at `data_offset` are
//! exactly one deflate stream (or the plain bytes) of the member. Any number of threads may verify members of one file
//! at once, since every read names its offset. [`Arriving`] guesses members while the archive is on its way, so that
//! reading them need not wait for its end.
//!
//! Section numbers in this module are those of PKWARE's APPNOTE.TXT 6.3.10.

mod arriving;
mod directory;
mod end;
mod entry;
mod error;
mod extra;
mod fields;
mod inflate;
mod layout;
mod limits;
mod local_header;
mod name;
mod read_at;
mod record;
mod verify;
mod whole;

#[cfg(test)]
mod tests;

pub use arriving::Arriving;
pub use entry::{Content, Entry, Method};
pub use error::ArchiveError;
pub use limits::ArchiveLimits;
pub use read_at::ReadAt;
pub use verify::{Digest, verify};
pub use whole::whole_file;

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
