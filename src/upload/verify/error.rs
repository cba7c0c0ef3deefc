//! Why an archive is refused: the rules of zips, and this server's own.

use symbols::NameError;

/// Why an archive is refused: a sentence for the person who made it, which names the member and the rule.
///
/// The sentences without a full stop are Tecken's.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The archive breaks a rule of the format or a limit, or cannot be read.
    #[error(transparent)]
    Zip(#[from] strict_zip::Error),
    /// A name with a text that the configuration forbids.
    #[error("Content of archive file contains the snippet '{0}' which is not allowed")]
    DisallowedSnippet(String),
    /// A name that is neither a symbol file's nor one to ignore.
    #[error(
        "Unrecognized file pattern. Should only be <module>/<hex>/<file> or <name>-symbols.txt and nothing else. \
         (First unrecognized pattern was {})",
        .0.replace(char::is_control, "\u{fffd}")
    )]
    UnrecognizedPattern(String),
    /// A name of the right shape that breaks the name grammar.
    #[error("The member {name:?} has a part in its name that {error}.")]
    BadName {
        /// The member.
        name: String,
        /// The rule.
        error: NameError,
    },
}

impl ArchiveError {
    /// The name of the rule for programs, which never changes.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Zip(error) => error.code(),
            Self::DisallowedSnippet(_) => "disallowed_snippet",
            Self::UnrecognizedPattern(_) => "unrecognized_pattern",
            Self::BadName { .. } => "bad_name",
        }
    }

    /// Tells whether the archive breaks a limit on its size, so that a server with larger ones would accept it.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(self, Self::Zip(error) if error.is_too_large())
    }

    /// Tells whether the temporary file could not be read back, which is not the uploader's fault.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        matches!(self, Self::Zip(strict_zip::Error::Read(_)))
    }
}
