//! The vocabulary of symbol files: what a key is, which names are legal, what kind of file a name stands for.
//!
//! A [`SymbolKey`] is `<debug file>/<id>/<file>`, as in `xul.pdb/44E4EC8C2F41492B9369D6B9A059577C2/xul.sym`. It is
//! parsed once, at the door (a zip member's name or a URL path after exactly one percent-decoding), and is valid by
//! construction from there on: every storage path, database row and CSV cell is made from one. The name grammar is
//! Tecken's character class with the additions that keep a name from meaning something else on a disk, in a terminal
//! or in a spreadsheet.

mod build_id;
mod debug_id;
mod digest;
pub mod elf;
mod gunzip;
pub mod header;
mod name;
mod packed;
mod store;
mod suffix;
mod text;
mod windows;

use std::fmt;
use std::str::FromStr;

pub use build_id::BuildId;
pub use debug_id::DebugId;
pub use digest::{Md5, Sha256};
pub use gunzip::Gunzip;
pub use name::{NameError, check_name};
pub use packed::{packed_name, plain_name};
pub use store::{Store, Stores};
pub use suffix::SuffixList;
pub use text::TextError;
pub use windows::{FoldedKey, FoldedName, WINDOWS_ENDINGS, is_windows_name};

use text::serde_as_text;

/// The three parts that name one file of symbols.
///
/// The id is upper case whatever the client sent; the two names are kept as they are, since they are case-sensitive.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SymbolKey {
    debug_file: String,
    id: DebugId,
    file_name: String,
}

/// Why a text is not a [`SymbolKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text has another number of `/`-separated parts than three.
    #[error("is not of the form <debug file>/<id>/<file>")]
    Shape,
    /// The middle part is not a hexadecimal id.
    #[error("has an id that is not 1 to 64 hexadecimal digits")]
    Id,
    /// One of the two names breaks the name grammar.
    #[error("has a name that {0}")]
    Name(#[from] NameError),
}

impl SymbolKey {
    /// Makes a key of its three parts, checking each.
    pub fn new(debug_file: &str, id: &str, file_name: &str) -> Result<Self, KeyError> {
        let id = DebugId::parse(id).ok_or(KeyError::Id)?;
        Ok(Self::with_id(debug_file, id, file_name)?)
    }

    /// Makes a key of an id and two names, checking the names.
    pub fn with_id(debug_file: &str, id: DebugId, file_name: &str) -> Result<Self, NameError> {
        check_name(debug_file)?;
        check_name(file_name)?;
        Ok(Self {
            debug_file: debug_file.to_owned(),
            id,
            file_name: file_name.to_owned(),
        })
    }

    /// Parses `<debug file>/<id>/<file>`.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut parts = text.split('/');
        let (Some(debug_file), Some(id), Some(file_name), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(KeyError::Shape);
        };
        Self::new(debug_file, id, file_name)
    }

    /// The name of the file that the symbols describe, as in `xul.pdb` or `libxul.so`.
    #[must_use]
    pub fn debug_file(&self) -> &str {
        &self.debug_file
    }

    /// The debug id (or, on a code-id lookup, the code id).
    #[must_use]
    pub fn id(&self) -> &DebugId {
        &self.id
    }

    /// The file's own name, as in `xul.sym`.
    #[must_use]
    pub fn file_name(&self) -> &str {
        &self.file_name
    }
}

impl fmt::Display for SymbolKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.debug_file, self.id, self.file_name)
    }
}

impl FromStr for SymbolKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::parse(text)
    }
}

serde_as_text!(SymbolKey);

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn legal_names_survive_unchanged() {
        for text in [
            "c++filt/AB12/c++filt.sym",
            "libstdc++.so.6/AB12/libstdc++.so.6.sym",
            "汉.pdb/AB12/汉.sym",
            "a b~c?d:e.pdb/AB12/⚡️.sym",
        ] {
            assert_eq!(SymbolKey::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn ids_are_upper_cased_and_names_are_not() {
        let key = SymbolKey::parse("Foo.pdb/ab12/Foo.sym").unwrap();
        assert_eq!(key.to_string(), "Foo.pdb/AB12/Foo.sym");
    }

    #[test]
    fn other_shapes_are_refused() {
        for (text, error) in [
            ("foo.pdb/foo.sym", KeyError::Shape),
            ("a/foo.pdb/AB/foo.sym", KeyError::Shape),
            ("/foo.pdb/AB/foo.sym", KeyError::Shape),
            ("foo.pdb/xyz/foo.sym", KeyError::Id),
            ("foo.pdb//foo.sym", KeyError::Id),
            ("../AB/x.sym", KeyError::Name(NameError::Dots)),
            ("a/AB/", KeyError::Name(NameError::Empty)),
        ] {
            assert_eq!(SymbolKey::parse(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_parsed_key_is_three_plain_path_components(text in "\\PC{0,12}/[0-9a-fA-F]{1,8}/\\PC{0,12}") {
            if let Ok(key) = SymbolKey::parse(&text) {
                let path = key.to_string();
                let components: Vec<_> = Path::new(&path).components().collect();
                prop_assert_eq!(components.len(), 3);
                prop_assert!(components.iter().all(|part| matches!(part, Component::Normal(_))));
                prop_assert_eq!(SymbolKey::parse(&path).unwrap(), key);
            }
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = SymbolKey::parse(&text);
        }
    }
}
