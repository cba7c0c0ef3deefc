//! Every way in which a `.sym` file is refused.

use std::io;

use crate::writer::Excess;

/// Why a `.sym` file was not converted. No message holds text of the file, which may be long and anything.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SymError {
    /// The source could not be read, so nothing is known of the file.
    #[error("the symbols could not be read")]
    Read(#[source] io::Error),
    /// The symcache could not be written; nothing is wrong with the file.
    #[error("the symcache could not be written")]
    Write(#[source] io::Error),
    /// The file is damaged, or is no `.sym` file.
    #[error("line {line}: {rule}")]
    Damaged {
        /// The number of the first bad line, from 1.
        line: u64,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// A limit keeps the file from taking too much memory or time.
    #[error("line {line}: there are more than {limit} {what}")]
    TooComplex {
        /// The number of the line at which the limit was reached, from 1.
        line: u64,
        /// What there is too much of.
        what: &'static str,
        /// The limit, a field of [`Limits`](crate::Limits).
        limit: u64,
    },
}

impl SymError {
    pub(super) fn damaged(line: u64, rule: &'static str) -> Self {
        Self::Damaged { line, rule }
    }

    pub(super) fn too_complex(line: u64, excess: Excess) -> Self {
        Self::TooComplex {
            line,
            what: excess.what,
            limit: excess.limit,
        }
    }
}
