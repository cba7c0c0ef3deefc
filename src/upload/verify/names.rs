//! The names that members may have, by Tecken's patterns.

use std::borrow::Cow;

use strict_zip::Names;
use symbols::{KeyError, SymbolKey, check_name};

use super::error::ArchiveError;

/// The longest name in bytes: more than any legal key has.
pub(super) const LONGEST_NAME: usize = 512;

/// How names begin in an archive that bsdtar makes of the directory `.`, which is a member itself.
const HERE: &str = "./";

/// A member of an archive, with its kind.
pub type Entry = strict_zip::Entry<Content>;

/// The kind of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A file to store.
    Symbol(SymbolKey),
    /// A file that builds include and no client asks for: `.DS_Store` or `<name>-symbols.txt`.
    Ignored,
}

/// Sorts members into symbol files and files to ignore, and refuses all others.
#[derive(Clone, Copy, Debug)]
pub struct MemberNames<'a> {
    disallowed_snippets: &'a [String],
}

impl<'a> MemberNames<'a> {
    /// Makes the rules. No name may contain one of `disallowed_snippets`.
    #[must_use]
    pub fn new(disallowed_snippets: &'a [String]) -> Self {
        Self {
            disallowed_snippets,
        }
    }
}

impl Names for MemberNames<'_> {
    type Content = Content;
    type Error = ArchiveError;

    /// The error says "content" where it means names, as Tecken's does.
    fn screen(&self, name: &str) -> Result<(), ArchiveError> {
        let mut snippets = self.disallowed_snippets.iter();
        match snippets.find(|snippet| name.contains(snippet.as_str())) {
            Some(snippet) => Err(ArchiveError::DisallowedSnippet(snippet.clone())),
            None => Ok(()),
        }
    }

    fn check_directory(&self, name: &str) -> Result<(), ArchiveError> {
        if name == HERE {
            return Ok(());
        }
        let path = without_here(name);
        check_parts(name, path.strip_suffix('/').unwrap_or(path))
    }

    fn classify(&self, name: &str) -> Result<Content, ArchiveError> {
        let path = without_here(name);
        if is_ignored(path) {
            check_parts(name, path)?;
            return Ok(Content::Ignored);
        }
        match SymbolKey::parse(path) {
            Ok(key) => Ok(Content::Symbol(key)),
            Err(KeyError::Shape | KeyError::Id) => {
                Err(ArchiveError::UnrecognizedPattern(name.to_owned()))
            }
            Err(KeyError::Name(error)) => Err(ArchiveError::BadName {
                name: name.to_owned(),
                error,
            }),
        }
    }

    /// Symbol files with the same key are the same file: the case of a debug id does not matter.
    fn identity<'n>(&self, name: &'n str, content: &Content) -> Cow<'n, str> {
        match content {
            Content::Symbol(key) => Cow::Owned(key.to_string()),
            Content::Ignored => Cow::Borrowed(name),
        }
    }
}

fn without_here(name: &str) -> &str {
    name.strip_prefix(HERE).unwrap_or(name)
}

fn is_ignored(name: &str) -> bool {
    match name.rsplit_once('/') {
        Some((_, base)) => base == ".DS_Store",
        None => name == ".DS_Store" || name.to_ascii_lowercase().ends_with("-symbols.txt"),
    }
}

/// Checks each part of a member's path against the name grammar.
fn check_parts(name: &str, path: &str) -> Result<(), ArchiveError> {
    for part in path.split('/') {
        check_name(part).map_err(|error| ArchiveError::BadName {
            name: name.to_owned(),
            error,
        })?;
    }
    Ok(())
}
