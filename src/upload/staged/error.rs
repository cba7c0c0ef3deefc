//! Why a staged file cannot be had.

use crate::db::DbError;
use crate::storage::StorageError;

/// One variant per reason.
#[derive(Debug, thiserror::Error)]
pub enum StagedError {
    /// No upload has begun under this key, or it took too long.
    #[error("there is no upload of this key")]
    UnknownKey,
    /// Nothing was put under the key.
    #[error("nothing was put")]
    NothingPut,
    /// This many uploads of one person are staged, as many as may be.
    #[error("{0} uploads are staged already")]
    TooMany(u32),
    /// The operating system has no randomness to give.
    #[error("no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}
