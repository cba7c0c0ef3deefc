//! Classifies a member's name by the caller's rules.

use std::borrow::Cow;
use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;

use super::error::Error;
use super::limits::Limits;
use super::record::{Kind, Record};

/// The caller's rules for the names of members.
///
/// Names are UTF-8 of at most [`Limits::name_length`](super::Limits::name_length) bytes. Those that end in a slash are
/// directories. [`PlainPaths`](super::PlainPaths) is an implementation for archives that will be unpacked.
pub trait Names {
    /// The caller's kinds of files; every [`Entry`](super::Entry) carries it.
    type Content;

    /// Why an archive is refused: a rule of this crate, or one of the caller's.
    type Error: From<Error>;

    /// Refuses a name before anything else in its record is looked at. Accepts every name unless implemented.
    fn screen(&self, name: &str) -> Result<(), Self::Error> {
        let _ = name;
        Ok(())
    }

    /// Refuses the name of a directory, which ends in a slash.
    fn check_directory(&self, name: &str) -> Result<(), Self::Error>;

    /// Says what a file is by its name, or refuses it.
    fn classify(&self, name: &str) -> Result<Self::Content, Self::Error>;

    /// The text by which duplicates are found: the name itself unless implemented.
    ///
    /// Two members are duplicates if their identities differ only in how characters are composed (as on macOS), in
    /// dots at the end of a part (as on Windows) or in parts that are `.`. Letter case counts.
    fn identity<'a>(&self, name: &'a str, content: &Self::Content) -> Cow<'a, str> {
        let _ = content;
        Cow::Borrowed(name)
    }
}

/// Decodes a name, which must be UTF-8 whatever flag bit 11 says, and lets the caller screen it.
pub(super) fn decode<'a, N: Names + ?Sized>(
    bytes: &'a [u8],
    limits: &Limits,
    names: &N,
) -> Result<&'a str, N::Error> {
    if bytes.len() > limits.name_length {
        return Err(N::Error::from(Error::NameTooLong {
            length: bytes.len(),
            limit: limits.name_length,
        }));
    }
    let name = std::str::from_utf8(bytes)
        .map_err(|_| Error::NameNotUtf8(String::from_utf8_lossy(bytes).into_owned()))?;
    names.screen(name)?;
    Ok(name)
}

/// Tells directories from files, and lets the caller classify a file.
pub(super) fn classify<N: Names + ?Sized>(
    name: &str,
    names: &N,
) -> Result<Kind<N::Content>, N::Error> {
    if name.ends_with('/') {
        names.check_directory(name)?;
        return Ok(Kind::Directory);
    }
    Ok(Kind::File(names.classify(name)?))
}

/// Refuses two members of one identity. Names that some file system takes for one are one here, too: unpacking such an
/// archive there would write one file over the other.
pub(super) fn refuse_duplicates<N: Names + ?Sized>(
    records: &[Record<N::Content>],
    names: &N,
) -> Result<(), Error> {
    let mut seen = HashMap::with_capacity(records.len());
    for record in records {
        let identity = match &record.kind {
            Kind::File(content) => names.identity(&record.name, content),
            Kind::Directory => Cow::Borrowed(record.name.as_str()),
        };
        if let Some(first) = seen.insert(fold(&identity), &record.name) {
            return Err(Error::Duplicate {
                first: first.clone(),
                second: record.name.clone(),
            });
        }
    }
    Ok(())
}

/// The name as the most forgiving file systems compare it, letter case aside: characters composed (macOS), parts
/// without their trailing dots (Windows), and no part that is `.`.
fn fold(name: &str) -> String {
    let parts: Vec<&str> = name
        .split('/')
        .filter(|part| *part != ".")
        .map(|part| part.trim_end_matches('.'))
        .collect();
    parts.join("/").nfc().collect()
}
