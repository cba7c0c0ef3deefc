//! Tokens, by the hash of their secret.

use std::fmt::Debug;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::DbError;

/// A token about to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// SHA-256 of the secret, in lower-case hexadecimal.
    pub secret_hash: String,
    /// E-mail address of its owner.
    pub email: String,
    /// Names of its permissions.
    pub permissions: Vec<String>,
    /// What it is for, in its owner's words.
    pub note: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it ends.
    pub expires_at: OffsetDateTime,
}

/// A token as recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRecord {
    /// The record's number.
    pub id: i64,
    /// What was known when it was made.
    pub token: NewToken,
    /// When it was revoked, if it was.
    pub revoked_at: Option<OffsetDateTime>,
}

/// The tokens table.
#[async_trait]
pub trait TokenRecords: Debug + Send + Sync {
    /// The token of this hash.
    async fn token_by_hash(&self, secret_hash: &str) -> Result<Option<TokenRecord>, DbError>;

    /// Records a token and returns its number. A hash that is there already is a [`DbError::Conflict`].
    async fn insert_token(&self, token: &NewToken) -> Result<i64, DbError>;

    /// Marks a token as revoked. Tells whether there was one of this number that had not been revoked before.
    async fn revoke_token(&self, id: i64, at: OffsetDateTime) -> Result<bool, DbError>;

    /// All tokens, the newest first.
    async fn tokens(&self) -> Result<Vec<TokenRecord>, DbError>;
}
