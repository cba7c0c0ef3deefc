//! Names of Windows modules, in which letter case makes no difference.
//!
//! Windows names a module as it was loaded: a minidump has `KERNEL32.DLL`, its debug record `kernel32.pdb`, and old
//! linkers wrote `FOO.PDB`. Symbol servers of Microsoft's protocol lie on file systems that ignore case.

use crate::{DebugId, SymbolKey};

/// Endings of Windows modules and of their debug files, in lower case.
///
/// The partial indexes of the database repeat this list, so a new ending needs a migration.
pub const WINDOWS_ENDINGS: [&str; 10] = [
    ".pdb", ".dll", ".exe", ".sys", ".ocx", ".drv", ".cpl", ".scr", ".efi", ".mui",
];

/// Returns whether this is the name of a Windows module or of its debug file, whatever the case of its letters.
#[must_use]
pub fn is_windows_name(name: &str) -> bool {
    let start = name.len().checked_sub(4);
    let ending = start.and_then(|start| name.as_bytes().get(start..));
    ending.is_some_and(|ending| {
        WINDOWS_ENDINGS
            .iter()
            .any(|known| ending.eq_ignore_ascii_case(known.as_bytes()))
    })
}

/// The name of a Windows module with its ASCII letters in lower case: all its spellings have the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FoldedName(String);

impl FoldedName {
    /// Folds a name; `None` if it is not that of a Windows module.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        is_windows_name(name).then(|| Self(name.to_ascii_lowercase()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The key of a Windows module's file with all its ASCII letters, those of the id too, in lower case: keys that differ
/// only in case have the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FoldedKey(String);

impl FoldedKey {
    /// Folds a key; `None` if its debug file is not that of a Windows module.
    #[must_use]
    pub fn of(key: &SymbolKey) -> Option<Self> {
        is_windows_name(key.debug_file()).then(|| Self(folded_text(key)))
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn folded_text(key: &SymbolKey) -> String {
    let (debug_file, id, file_name) = (key.debug_file(), key.id(), key.file_name());
    let mut text = [debug_file, DebugId::as_str(id), file_name].join("/");
    text.make_ascii_lowercase();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_windows_modules_are_folded() {
        for (name, folded) in [
            ("KERNEL32.DLL", Some("kernel32.dll")),
            ("Foo.Pdb", Some("foo.pdb")),
            ("x.sYs", Some("x.sys")),
            ("ŽŠ.PDB", Some("ŽŠ.pdb")),
            (".pdb", Some(".pdb")),
            ("libFoo.so", None),
            ("pdb", None),
            ("Foo.pd_", None),
            ("汉", None),
        ] {
            let of = FoldedName::of(name);
            assert_eq!(of.as_ref().map(FoldedName::as_str), folded, "{name}");
        }
    }

    #[test]
    fn only_keys_of_windows_modules_are_folded() {
        let folded = |text| FoldedKey::of(&SymbolKey::parse(text).unwrap());
        let key = folded("Foo.PDB/ab12/Foo.SYM").unwrap();
        assert_eq!(key.as_str(), "foo.pdb/ab12/foo.sym");
        assert_eq!(folded("foo.pdb/AB12/FOO.sym"), Some(key));
        assert_eq!(folded("Foo.so/AB12/Foo.so.sym"), None);
    }
}
