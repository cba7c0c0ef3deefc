#![doc = include_str!("../README.md")]

mod arriving;
mod directory;
mod end;
mod entry;
mod error;
mod extra;
mod inflate;
mod layout;
mod le_reader;
mod limits;
mod local_header;
mod names;
mod plain_paths;
mod read_at;
mod record;
mod verify;

#[cfg(test)]
mod tests;

pub use arriving::Arriving;
pub use entry::{Entry, Method};
pub use error::Error;
pub use limits::Limits;
pub use names::Names;
pub use plain_paths::{PlainPathError, PlainPaths};
pub use read_at::ReadAt;
pub use verify::verify;

/// Checks the archive's structure and returns its members in the order of their data, without directories.
///
/// An archive without members is legal. No data of a member is read, and no allocation is larger than the limits.
///
/// # Errors
/// The first rule that the archive breaks, be it this crate's or the caller's, or [`Error::Read`].
pub fn inspect<R: ReadAt + ?Sized, N: Names + ?Sized>(
    archive: &R,
    limits: &Limits,
    names: &N,
) -> Result<Vec<Entry<N::Content>>, N::Error> {
    let directory = end::find_directory(archive)?;
    limits.check_directory(&directory)?;
    let records = directory::read(archive, &directory, limits, names)?;
    limits.check_members(&records)?;
    names::refuse_duplicates(&records, names)?;
    Ok(layout::locate(archive, records, directory.offset)?)
}
