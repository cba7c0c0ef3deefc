//! Errors of archives: the rules of zips, and this server's own.

use symbols::NameError;

/// Why an archive is refused: a sentence for the client, which names the member and the rule.
///
/// The sentences without a full stop are Tecken's.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The archive breaks a rule of the format or a limit, or cannot be read.
    #[error(transparent)]
    Zip(#[from] strict_zip::Error),
    /// A member's name contains a text that the configuration forbids.
    #[error("Content of archive file contains the snippet '{0}' which is not allowed")]
    DisallowedSnippet(String),
    /// A member's name is neither that of a symbol file nor one to ignore.
    #[error(
        "Unrecognized file pattern. Should only be <module>/<hex>/<file> or <name>-symbols.txt and nothing else. \
         (First unrecognized pattern was {})",
        .0.replace(char::is_control, "\u{fffd}")
    )]
    UnrecognizedPattern(String),
    /// A member's name has the right shape but breaks the name grammar.
    #[error("The member {name:?} has a part in its name that {error}.")]
    BadName {
        /// The member.
        name: String,
        /// The rule.
        error: NameError,
    },
}

impl ArchiveError {
    /// A short name of the rule that does not change, for programs and for metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Zip(error) => error.code(),
            Self::DisallowedSnippet(_) => "disallowed_snippet",
            Self::UnrecognizedPattern(_) => "unrecognized_pattern",
            Self::BadName { .. } => "bad_name",
        }
    }

    /// Returns whether the archive exceeds a limit on its size, which the operator could raise.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(self, Self::Zip(error) if error.is_too_large())
    }

    /// Returns whether the temporary file could not be read back, which is not the client's fault.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        matches!(self, Self::Zip(strict_zip::Error::Read(_)))
    }
}
