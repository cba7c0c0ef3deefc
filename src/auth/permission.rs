//! The permissions of tokens.

use std::fmt;
use std::str::FromStr;

/// A permission, by Tecken's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// To upload regular symbols, and try symbols on request.
    UploadSymbols,
    /// To upload try symbols, and nothing else.
    UploadTrySymbols,
    /// To see the uploads of all users.
    ViewAllUploads,
    /// To manage tokens. No request needs it yet, since tokens are managed on the command line (`symbold token`); the
    /// token of the first start has it already, so that it need not be replaced when one does.
    ManageTokens,
}

/// The text names no permission.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a permission; there are {names}", names = Permission::NAMES)]
pub struct UnknownPermission(String);

impl Permission {
    /// The names of all permissions, for messages.
    pub const NAMES: &'static str =
        "upload_symbols, upload_try_symbols, view_all_uploads, manage_tokens";

    const ALL: [Self; 4] = [
        Self::UploadSymbols,
        Self::UploadTrySymbols,
        Self::ViewAllUploads,
        Self::ManageTokens,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::UploadSymbols => "upload_symbols",
            Self::UploadTrySymbols => "upload_try_symbols",
            Self::ViewAllUploads => "view_all_uploads",
            Self::ManageTokens => "manage_tokens",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Permission {
    type Err = UnknownPermission;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let permission = Self::ALL
            .into_iter()
            .find(|permission| permission.name() == text);
        permission.ok_or_else(|| UnknownPermission(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_permissions_agree() {
        let names: Vec<_> = Permission::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(names.join(", "), Permission::NAMES);
        for permission in Permission::ALL {
            assert_eq!(permission.to_string().parse(), Ok(permission));
        }
        let error = "upload".parse::<Permission>().unwrap_err();
        assert!(error.to_string().contains("upload_try_symbols"), "{error}");
    }
}
