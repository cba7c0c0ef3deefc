//! Lists of file name endings, from the configuration.

use serde::{Deserialize, Serialize};

use crate::{is_windows_name, plain_name};

/// Endings such as `.sym` or `.dbg.gz`, tested one by one with `ends_with`: a handful of comparisons of a few bytes
/// costs less than any cleverer structure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SuffixList(Vec<String>);

impl SuffixList {
    /// Makes a list of the endings given.
    #[must_use]
    pub fn new(suffixes: &[&str]) -> Self {
        Self(suffixes.iter().map(|suffix| (*suffix).to_owned()).collect())
    }

    /// Returns whether the list names no ending at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether the name ends in one of the endings, letter case included.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.0.iter().any(|suffix| name.ends_with(suffix.as_str()))
    }

    /// As [`Self::matches`], but names of Windows modules, debug files and cabinets match whatever the case of their
    /// letters.
    #[must_use]
    pub fn matches_file(&self, name: &str) -> bool {
        let has_no_case = || is_windows_name(name) || plain_name(name).is_some();
        self.matches(name) || self.matches_ignoring_case(name) && has_no_case()
    }

    /// As [`Self::matches`], whatever the case of ASCII letters.
    #[must_use]
    pub fn matches_ignoring_case(&self, name: &str) -> bool {
        self.0.iter().any(|suffix| {
            let start = name.len().checked_sub(suffix.len());
            start
                .and_then(|start| name.as_bytes().get(start..))
                .is_some_and(|end| end.eq_ignore_ascii_case(suffix.as_bytes()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_counts_only_where_asked() {
        let list = SuffixList::new(&[".sym", ".dbg.gz"]);
        assert!(list.matches("a.sym") && list.matches("a.so.dbg.gz"));
        assert!(!list.matches("a.SYM") && !list.matches("a.gz"));
        let list = SuffixList::new(&[".sym", ".pdb", ".dl_", ".bz2"]);
        for (name, matches) in [
            ("a.sym", true),
            ("A.PDB", true),
            ("A.Dl_", true),
            ("A.SYM", false),
            ("A.BZ2", false),
            ("A.EXE", false),
        ] {
            assert_eq!(list.matches_file(name), matches, "{name}");
        }
        let list = SuffixList::new(&[".sym", ".dbg.gz"]);
        assert!(list.matches_ignoring_case("a.SYM"));
        assert!(!list.matches_ignoring_case("é"));
    }
}
