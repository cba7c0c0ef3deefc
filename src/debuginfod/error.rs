//! Errors of requests by build id.

use std::io;

use bytesize::ByteSize;

use crate::catalog::{BuildsError, CatalogError, SpoolError};
use crate::cpu::JobPanicked;
use crate::storage::StorageError;

/// Why a debugger gets no file.
#[derive(Debug, thiserror::Error)]
pub enum DebuginfodError {
    /// No source holds a file of this build, or its files have no such section or source file.
    #[error("Not Found")]
    NotFound,
    /// The file is larger than the client accepts.
    #[error("The file has {size} bytes, more than the {largest} that X-DEBUGINFOD-MAXSIZE allows")]
    TooLarge {
        /// The file's size in bytes.
        size: u64,
        /// The client's limit in bytes.
        largest: u64,
    },
    /// The file is too large to extract parts of it.
    #[error("The file is larger than {0}, so it is only sent as a whole")]
    NotExtracted(ByteSize),
    /// The file is not what its name or its record says.
    #[error("The file that was uploaded cannot be read: {0}")]
    Damaged(String),
    /// Too many extractions are in progress.
    #[error("Too many files are being read right now. Try again later")]
    Busy,
    /// Reading the file took too long.
    #[error("Reading the file took too long. Try again later")]
    Timeout,
    /// There is no room for temporary files, or they cannot be read.
    #[error("a temporary file failed: {0}")]
    Temporary(io::Error),
    /// The file could not be read from its source.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A source could not be asked.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The database could not be asked.
    #[error(transparent)]
    Builds(#[from] BuildsError),
    /// A computation failed unexpectedly.
    #[error(transparent)]
    Panicked(#[from] JobPanicked),
}

impl DebuginfodError {
    /// The stable name of the error, for clients and metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::TooLarge { .. } => "too_large",
            Self::NotExtracted(_) => "not_extracted",
            Self::Damaged(_) => "damaged",
            Self::Busy => "busy",
            Self::Timeout => "timeout",
            Self::Temporary(_) => "temporary_file_failed",
            Self::Storage(_) | Self::Catalog(_) if self.is_damage() => "object_damaged",
            Self::Storage(_) | Self::Catalog(_) => "storage_unavailable",
            Self::Builds(_) => "database_unavailable",
            Self::Panicked(_) => "internal",
        }
    }

    /// Returns whether a stored object is not what was stored; [`Self::Damaged`] are files that were uploaded damaged.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Storage(error) => error.is_damage(),
            Self::Catalog(error) => error.is_damage(),
            _ => false,
        }
    }
}

impl From<SpoolError> for DebuginfodError {
    fn from(error: SpoolError) -> Self {
        match error {
            SpoolError::TooLarge(limit) => Self::NotExtracted(limit),
            SpoolError::TimedOut(_) => Self::Timeout,
            SpoolError::Damaged(error) => Self::Damaged(error.to_string()),
            SpoolError::Temporary(error) => Self::Temporary(error),
            SpoolError::Storage(error) => Self::Storage(error),
            SpoolError::Panicked(error) => Self::Panicked(error),
        }
    }
}
