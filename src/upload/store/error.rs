//! Why an upload could not be stored.

use crate::cpu::JobPanicked;
use crate::db::DbError;
use crate::storage::StorageError;

/// One variant per reason. Files that are stored already stay.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Not enough room for temporary files became free in time.
    #[error("The server is busy with other uploads. Try again later")]
    Busy,
    /// A file is stored already with other contents, and this upload must not change it.
    #[error(
        "{0} is stored already with other contents, and this server does not let this upload change it. Nothing was \
         stored; leave this file out, or ask the operator of the server (setting upload.overwrite)"
    )]
    AlreadyExists(String),
    /// There is no room for a temporary file.
    #[error("could not keep the archive in a temporary file: {0}")]
    Temporary(#[source] std::io::Error),
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
    /// A job on the CPU pool panicked, which is a bug.
    #[error(transparent)]
    Panicked(#[from] JobPanicked),
}

impl StoreError {
    /// Returns whether the fault is this server's or a dependency's, so that the same upload may succeed later.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        !matches!(self, Self::Busy | Self::AlreadyExists(_))
    }

    /// A short name of the refusal that does not change, for programs and for metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::AlreadyExists(_) => "already_exists",
            Self::Temporary(_) | Self::Storage(StorageError::Full { .. }) => "disk_full",
            Self::Storage(_) => "storage_unavailable",
            Self::Database(_) => "database_unavailable",
            Self::Panicked(_) => "internal",
        }
    }
}
