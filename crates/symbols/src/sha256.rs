//! The digest by which the bytes of files are compared.

use std::fmt;
use std::str::FromStr;

use super::text::{TextError, serde_as_text};

/// A SHA-256 digest. As text it has 64 hexadecimal digits, lower case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// Makes a digest of its bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Parses 64 hexadecimal digits of either case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl FromStr for Sha256 {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Self::parse(text).ok_or(TextError("64 hexadecimal digits"))
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256({self})")
    }
}

serde_as_text!(Sha256);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_either_case() {
        let text = "0123456789abcdef".repeat(4);
        let digest = Sha256::parse(&text.to_ascii_uppercase()).unwrap();
        assert_eq!(digest.to_string(), text);
        assert_eq!(text.parse(), Ok(digest));
        assert_eq!(Sha256::new([0xab; 32]).to_string(), "ab".repeat(32));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "ab", &"a".repeat(63), &"a".repeat(66), &"g".repeat(64)] {
            assert_eq!(Sha256::parse(text), None, "{text}");
        }
        let error = "".parse::<Sha256>().unwrap_err();
        assert_eq!(error.to_string(), "is not 64 hexadecimal digits");
    }
}
