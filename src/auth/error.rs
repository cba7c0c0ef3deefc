//! Why a request is refused, and why a token cannot be made.

use super::permission::Permission;
use crate::db::DbError;

/// Why a request is refused. The first three sentences are Tecken's, since clients know them.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// No token was sent.
    #[error("This requires an Auth-Token to authenticate the request")]
    Missing,
    /// No such token exists.
    #[error("API Token not matched")]
    Unknown,
    /// The token has expired.
    #[error("API Token found but expired")]
    Expired,
    /// The token was revoked.
    #[error("API Token found but revoked. Ask for a new one")]
    Revoked,
    /// The token lacks the permission.
    #[error("Forbidden: the token lacks the permission {0}")]
    NotPermitted(Permission),
    /// The database could not be queried.
    #[error("could not check the token: {0}")]
    Database(#[from] DbError),
}

/// Why a token cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum NewTokenError {
    /// The two permissions decide where uploads go, so a token has at most one of them.
    #[error(
        "a token cannot have both upload_symbols and upload_try_symbols: they decide where its uploads go"
    )]
    BothUploads,
    /// A token without a permission is useless.
    #[error("a token needs at least one permission: {}", Permission::NAMES)]
    NoPermission,
    /// The e-mail address is invalid.
    #[error("{0:?} is not an e-mail address")]
    Email(String),
    /// The token would expire at once, or be valid for more than ten years.
    #[error("a token is valid for 1 to 3650 days, not {0}")]
    Days(u32),
    /// The operating system returned no random bytes.
    #[error("the operating system returned no random bytes: {0}")]
    Randomness(#[from] getrandom::Error),
    /// The token could not be recorded.
    #[error("could not record the token: {0}")]
    Database(#[from] DbError),
}
