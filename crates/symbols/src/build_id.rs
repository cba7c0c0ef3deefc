//! The id by which debuginfod knows a build of an ELF file.

use std::fmt;
use std::str::FromStr;

use super::text::{TextError, serde_as_text};

/// The shortest and the longest id in bytes. Linkers make 8 to 32; one byte would identify nothing.
const BYTES: std::ops::RangeInclusive<usize> = 2..=64;

/// The bytes of an ELF file's note `NT_GNU_BUILD_ID` in hexadecimal, lower case, as debuginfod's paths have it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BuildId(String);

impl BuildId {
    /// Makes an id of the note's bytes; `None` for fewer than 2 or more than 64.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        BYTES
            .contains(&bytes.len())
            .then(|| Self(hex::encode(bytes)))
    }

    /// Parses hexadecimal digits of either case, two a byte.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_id = text.len().is_multiple_of(2)
            && BYTES.contains(&(text.len() / 2))
            && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then(|| Self(text.to_ascii_lowercase()))
    }

    /// The id as text, lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for BuildId {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Self::parse(text).ok_or(TextError("2 to 64 bytes in hexadecimal"))
    }
}

serde_as_text!(BuildId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds() {
        assert_eq!(BuildId::parse("aF00").unwrap().as_str(), "af00");
        assert_eq!(BuildId::from_bytes(&[0xaf, 0]).unwrap().as_str(), "af00");
        assert!(BuildId::parse(&"A".repeat(128)).is_some());
        for text in ["", "ab", "abc", "abcg", "abcde", &"A".repeat(130)] {
            assert_eq!(BuildId::parse(text), None, "{text}");
        }
        assert_eq!(BuildId::from_bytes(&[0; 65]), None);
    }
}
