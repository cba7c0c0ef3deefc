//! Who sent a request, and the proofs of their permissions.
//!
//! A [`Principal`] is made in this module alone, from a token that was checked. A service that guards something takes
//! the principal, or a type that stands for a permission, such as [`Uploader`].

use symbols::Store;
use time::OffsetDateTime;

use super::error::AuthError;
use super::permission::Permission;

/// Who sent a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    email: String,
    permissions: Vec<Permission>,
    credential: Credential,
}

/// How a principal was authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// By the secret of a token.
    Token {
        /// The token's number, for limits and the log.
        id: i64,
        /// When the token ends.
        expires_at: OffsetDateTime,
    },
}

impl Principal {
    pub(super) fn new(email: String, permissions: Vec<Permission>, credential: Credential) -> Self {
        Self {
            email,
            permissions,
            credential,
        }
    }

    /// The e-mail address of the person.
    #[must_use]
    pub fn email(&self) -> &str {
        &self.email
    }

    /// How the person was authenticated.
    #[must_use]
    pub fn credential(&self) -> Credential {
        self.credential
    }

    /// Returns whether the principal has this permission.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }
}

/// A type that proves a permission: its values are made only from principals that have it.
///
/// To guard something by a permission, make a type for it with this trait, and let the handler and the service take it.
pub trait Grant: Sized + 'static {
    /// Makes the proof, if the principal has the permission.
    ///
    /// # Errors
    /// The principal lacks the permission.
    fn from_principal(principal: Principal) -> Result<Self, AuthError>;
}

/// Any valid token will do.
impl Grant for Principal {
    fn from_principal(principal: Principal) -> Result<Self, AuthError> {
        Ok(principal)
    }
}

/// Someone who may upload, and to where: the proof of `upload_symbols` or `upload_try_symbols`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploader {
    /// E-mail address of the token's owner.
    pub email: String,
    /// The token's number.
    pub token_id: i64,
    /// The store that this token's uploads go to. A form may send an upload to try, but never from try to regular.
    pub store: Store,
    /// When the token ends.
    pub expires_at: OffsetDateTime,
    checked: Checked,
}

/// A private field of this type keeps other modules from making an [`Uploader`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Checked;

impl Grant for Uploader {
    fn from_principal(principal: Principal) -> Result<Self, AuthError> {
        let may_upload = principal.may(Permission::UploadSymbols);
        if !may_upload && !principal.may(Permission::UploadTrySymbols) {
            return Err(AuthError::NotPermitted(Permission::UploadSymbols));
        }
        let Credential::Token { id, expires_at } = principal.credential;
        Ok(Self {
            email: principal.email,
            token_id: id,
            store: Store::of(!may_upload),
            expires_at,
            checked: Checked,
        })
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn with(permissions: &[Permission]) -> Principal {
        let expires_at = datetime!(2026-01-01 0:00 UTC);
        let credential = Credential::Token { id: 7, expires_at };
        Principal::new(
            "ci@example.com".to_owned(),
            permissions.to_vec(),
            credential,
        )
    }

    #[test]
    fn uploaders_have_one_of_two_permissions() {
        let store = |permissions: &[Permission]| {
            Uploader::from_principal(with(permissions)).map(|uploader| uploader.store)
        };
        assert_eq!(store(&[Permission::UploadSymbols]).unwrap(), Store::Regular);
        assert_eq!(store(&[Permission::UploadTrySymbols]).unwrap(), Store::Try);
        for permissions in [
            &[][..],
            &[Permission::ViewAllUploads, Permission::ManageTokens],
        ] {
            assert!(matches!(
                store(permissions),
                Err(AuthError::NotPermitted(Permission::UploadSymbols))
            ));
        }
    }
}
