//! Errors of staged files.

use crate::db::DbError;
use crate::storage::StorageError;

/// Why a staged file could not be created, stored or read.
#[derive(Debug, thiserror::Error)]
pub enum StagedError {
    /// No upload has this key, or the key has expired.
    #[error("no upload has this key")]
    UnknownKey,
    /// Nothing was put under the key.
    #[error("no file was put under this key")]
    NothingPut,
    /// The user has this many staged uploads, which is the limit.
    #[error("{0} uploads are staged already")]
    TooMany(u32),
    /// The operating system provides no randomness.
    #[error("no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}
