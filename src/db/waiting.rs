//! Files that wait until their upload is completed, by the hash of the upload's key.

use std::fmt::Debug;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::DbError;
use symbols::Sha256;

/// An upload that was begun and not completed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingFile {
    /// SHA-256 of the upload's key.
    pub key_hash: Sha256,
    /// E-mail address of the token's owner.
    pub user: String,
    /// The token's number.
    pub token_id: i64,
    /// When the upload was begun.
    pub created_at: OffsetDateTime,
}

/// The table of waiting files. Every call but the first may be repeated.
#[async_trait]
pub trait WaitingRecords: Debug + Send + Sync {
    /// Records a file, unless so many of this user wait already. Returns whether it was recorded.
    async fn begin_waiting(&self, file: &WaitingFile, limit: u32) -> Result<bool, DbError>;

    /// The file of this hash.
    async fn waiting_file(&self, key_hash: &Sha256) -> Result<Option<WaitingFile>, DbError>;

    /// Hashes of files recorded before a time, the oldest first, at most so many.
    async fn waiting_since(
        &self,
        before: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<Sha256>, DbError>;

    /// Forgets a file, if it is there.
    async fn end_waiting(&self, key_hash: &Sha256) -> Result<(), DbError>;
}
