//! Checking what was uploaded, before any of it is stored.
//!
//! [`strict_zip`] reads the archive and refuses everything that readers of zips could disagree on. This module adds
//! what is this server's own: which names symbol files have ([`MemberNames`]), and the facts that are recorded of a
//! member ([`MemberFacts`]), which are computed in the one pass that verifies it. A file without an archive around it
//! is checked as if it were the only member of one ([`single_file()`]).

mod error;
mod facts;
mod limits;
mod names;
mod single_file;
#[cfg(test)]
mod tests;

pub use error::ArchiveError;
pub use facts::{MemberFacts, verify_member};
pub use limits::ArchiveLimits;
pub use names::{Content, MemberNames};
pub use single_file::single_file;

use strict_zip::ReadAt;

/// A member of an archive, with what it is to this server.
pub type Entry = strict_zip::Entry<Content>;

/// Checks an archive's structure and the names in it, and returns its members in the order of their data, without
/// directories. Reads headers only.
///
/// # Errors
/// The first rule that the archive breaks, or that it cannot be read.
pub fn inspect<R: ReadAt + ?Sized>(
    archive: &R,
    limits: &ArchiveLimits,
) -> Result<Vec<Entry>, ArchiveError> {
    strict_zip::inspect(archive, &limits.zip_limits(), &limits.names())
}
