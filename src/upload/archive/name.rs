//! What a member's name says that it is.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;

use super::entry::Content;
use super::error::ArchiveError;
use super::record::{Kind, Record};
use symbols::{KeyError, SymbolKey, check_name};

/// The longest name in bytes: more than any legal key has.
const LONGEST: usize = 512;

/// Decodes a name, which must be UTF-8 whatever the flag for it says.
pub(super) fn decode(bytes: &[u8]) -> Result<&str, ArchiveError> {
    if bytes.len() > LONGEST {
        return Err(ArchiveError::NameTooLong {
            length: bytes.len(),
            limit: LONGEST,
        });
    }
    std::str::from_utf8(bytes)
        .map_err(|_| ArchiveError::NameNotUtf8(String::from_utf8_lossy(bytes).into_owned()))
}

/// Refuses a name that contains one of the texts. Tecken calls this the archive's content, and so does the sentence.
pub(super) fn refuse_snippets(name: &str, disallowed: &[String]) -> Result<(), ArchiveError> {
    match disallowed
        .iter()
        .find(|snippet| name.contains(snippet.as_str()))
    {
        Some(snippet) => Err(ArchiveError::DisallowedSnippet(snippet.clone())),
        None => Ok(()),
    }
}

/// Sorts a name into directories, symbol files and files to ignore, with Tecken's patterns.
pub(super) fn classify(name: &str) -> Result<Kind, ArchiveError> {
    if let Some(directory) = name.strip_suffix('/') {
        check_segments(name, directory)?;
        return Ok(Kind::Directory);
    }
    if is_ignored(name) {
        check_segments(name, name)?;
        return Ok(Kind::File(Content::Ignored));
    }
    match SymbolKey::parse(name) {
        Ok(key) => Ok(Kind::File(Content::Symbol(key))),
        Err(KeyError::Shape | KeyError::Id) => {
            Err(ArchiveError::UnrecognizedPattern(name.to_owned()))
        }
        Err(KeyError::Name(error)) => Err(ArchiveError::BadName {
            name: name.to_owned(),
            error,
        }),
    }
}

fn is_ignored(name: &str) -> bool {
    match name.rsplit_once('/') {
        Some((_, base)) => base == ".DS_Store",
        None => name == ".DS_Store" || name.to_ascii_lowercase().ends_with("-symbols.txt"),
    }
}

fn check_segments(name: &str, path: &str) -> Result<(), ArchiveError> {
    for segment in path.split('/') {
        check_name(segment).map_err(|error| ArchiveError::BadName {
            name: name.to_owned(),
            error,
        })?;
    }
    Ok(())
}

/// Refuses two members of one name, and two symbol files of one key: ids that differ in case only are the same id.
/// Names that some file systems take for one are one here, too: people would see the same name twice, and unpack one
/// file over the other.
pub(super) fn refuse_duplicates(records: &[Record]) -> Result<(), ArchiveError> {
    let mut seen = HashMap::with_capacity(records.len());
    for record in records {
        let identity = match &record.kind {
            Kind::File(Content::Symbol(key)) => fold(&key.to_string()),
            Kind::File(Content::Ignored) | Kind::Directory => fold(&record.name),
        };
        if let Some(first) = seen.insert(identity, &record.name) {
            return Err(ArchiveError::Duplicate {
                first: first.clone(),
                second: record.name.clone(),
            });
        }
    }
    Ok(())
}

/// The name as the most forgiving file systems compare it, letter case aside, which tells files apart here: characters
/// composed (macOS), parts without their trailing dots (Windows).
fn fold(name: &str) -> String {
    let parts: Vec<&str> = name
        .split('/')
        .map(|part| part.trim_end_matches('.'))
        .collect();
    parts.join("/").nfc().collect()
}
