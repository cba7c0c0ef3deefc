//! Tokens and their permissions.
//!
//! A token is 32 random bytes that its owner sees once; the database keeps its SHA-256. A [`Principal`] proves that a
//! token was checked, and a [`Grant`] proves that it has a permission; services accept nothing else. Every check
//! queries the database, so that a revoked token ends everywhere at once.

mod error;
mod permission;
mod principal;
mod secret;

use std::sync::Arc;
use std::time::Duration;

use crate::clock::SharedClock;
use crate::db::tokens::{NewToken, TokenRecord};
use crate::db::{DbError, TokenRecords};

pub use error::{AuthError, NewTokenError};
pub use permission::Permission;
pub use principal::{Credential, Grant, Principal, Uploader};
pub use secret::{SECRET_PREFIX, Secret};

/// A token to be made.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// E-mail address of its owner.
    pub email: String,
    /// Its permissions.
    pub permissions: Vec<Permission>,
    /// How many days it is valid.
    pub days: u32,
    /// Its purpose, for the list of tokens.
    pub note: String,
}

/// Checks tokens and manages them.
#[derive(Clone, Debug)]
pub struct AuthService {
    records: Arc<dyn TokenRecords>,
    clock: SharedClock,
}

impl AuthService {
    /// Makes the service over the tokens table.
    #[must_use]
    pub fn new(records: Arc<dyn TokenRecords>, clock: SharedClock) -> Self {
        Self { records, clock }
    }

    /// Checks the token that a client sent; a label after its first `-` is ignored.
    ///
    /// # Errors
    /// The token is missing, unknown, expired or revoked, or the database is unavailable.
    pub async fn authenticate(&self, sent: Option<&str>) -> Result<Principal, AuthError> {
        let secret = sent
            .and_then(Secret::from_client)
            .ok_or(AuthError::Missing)?;
        let record = self
            .records
            .token_by_hash(&secret.hash())
            .await?
            .ok_or(AuthError::Unknown)?;
        if record.revoked_at.is_some() {
            return Err(AuthError::Revoked);
        }
        if record.token.expires_at <= self.clock.now() {
            return Err(AuthError::Expired);
        }
        let permissions = permissions_of(&record);
        let credential = Credential::Token {
            id: record.id,
            expires_at: record.token.expires_at,
        };
        Ok(Principal::new(record.token.email, permissions, credential))
    }

    /// Makes a token and returns its secret, which cannot be shown again.
    ///
    /// # Errors
    /// The request is invalid, or the database is unavailable.
    pub async fn create(&self, request: TokenRequest) -> Result<Secret, NewTokenError> {
        check(&request)?;
        let secret = Secret::generate()?;
        let created_at = self.clock.now();
        let token = NewToken {
            secret_hash: secret.hash(),
            email: request.email,
            permissions: request
                .permissions
                .iter()
                .map(ToString::to_string)
                .collect(),
            note: request.note,
            created_at,
            expires_at: created_at + Duration::from_hours(24 * u64::from(request.days)),
        };
        self.records.insert_token(&token).await?;
        Ok(secret)
    }

    /// Revokes a token at once. Returns whether there was a token of this number that was not revoked before.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn revoke(&self, id: i64) -> Result<bool, DbError> {
        self.records.revoke_token(id, self.clock.now()).await
    }

    /// All tokens, the newest first, without their secrets.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn list(&self) -> Result<Vec<TokenRecord>, DbError> {
        self.records.tokens().await
    }
}

/// The permissions of a token. A newer version of the server may have recorded one that this version does not know. It
/// permits nothing here, and the token stays valid while the nodes are updated one by one.
fn permissions_of(record: &TokenRecord) -> Vec<Permission> {
    let mut permissions = Vec::new();
    for name in &record.token.permissions {
        if let Ok(permission) = name.parse() {
            permissions.push(permission);
        } else {
            tracing::warn!(
                event = "permission_unknown",
                token = record.id,
                permission = name,
                "a token has a permission that this version does not know"
            );
        }
    }
    permissions
}

fn check(request: &TokenRequest) -> Result<(), NewTokenError> {
    let has = |permission| request.permissions.contains(&permission);
    if has(Permission::UploadSymbols) && has(Permission::UploadTrySymbols) {
        return Err(NewTokenError::BothUploads);
    }
    if request.permissions.is_empty() {
        return Err(NewTokenError::NoPermission);
    }
    let is_address = request
        .email
        .split_once('@')
        .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
    if !is_address || request.email.len() > 254 || request.email.contains(char::is_whitespace) {
        return Err(NewTokenError::Email(request.email.clone()));
    }
    if !(1..=3650).contains(&request.days) {
        return Err(NewTokenError::Days(request.days));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_permission_of_a_later_version_permits_nothing_and_spoils_nothing() {
        let at = datetime!(2026-01-01 0:00 UTC);
        let names = ["upload_symbols", "symbolicate"];
        let token = NewToken {
            secret_hash: String::new(),
            email: "ci@example.com".to_owned(),
            permissions: names.map(str::to_owned).to_vec(),
            note: String::new(),
            created_at: at,
            expires_at: at,
        };
        let record = TokenRecord {
            id: 1,
            token,
            revoked_at: None,
        };
        assert_eq!(permissions_of(&record), [Permission::UploadSymbols]);
    }
}
