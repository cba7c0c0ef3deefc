//! Lists of file name endings, from the configuration.

use serde::{Deserialize, Serialize};

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
        assert!(list.matches_ignoring_case("a.SYM"));
        assert!(!list.matches_ignoring_case("é"));
    }
}
