//! Checks an upload before any of it is stored.
//!
//! [`strict_zip`] reads the archive and refuses everything that readers of zips could disagree on. This module adds the
//! server's own rules: the names of symbol files ([`MemberNames`]), and the facts that are recorded of a member
//! ([`MemberFacts`]), which are computed in the same pass that verifies it. A file without an archive is checked like
//! the only member of one ([`single_file()`]).

mod early;
mod error;
mod facts;
mod limits;
mod members;
mod names;
mod single_file;
#[cfg(test)]
mod tests;
mod verifier;

pub(super) use early::EarlyVerification;
pub use error::ArchiveError;
pub use facts::{MemberFacts, verify_member};
pub use limits::ArchiveLimits;
pub(super) use members::verify_members;
pub use names::{Content, Entry, MemberNames};
pub use single_file::single_file;
pub(super) use verifier::{Verifier, VerifyError};

use strict_zip::ReadAt;

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
