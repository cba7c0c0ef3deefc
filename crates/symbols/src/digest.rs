//! The digests by which the bytes of files are compared.

use std::fmt;
use std::str::FromStr;

use super::text::{TextError, serde_as_text};

/// Defines a digest of a fixed length, with its text in hexadecimal.
macro_rules! digest {
    ($(#[$doc:meta])* $name:ident, $length:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; $length]);

        impl $name {
            /// Makes a digest of its bytes.
            #[must_use]
            pub const fn new(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }

            /// Parses hexadecimal digits of either case, two for each byte.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let mut bytes = [0; $length];
                hex::decode_to_slice(text, &mut bytes).ok()?;
                Some(Self(bytes))
            }
        }

        impl FromStr for $name {
            type Err = TextError;

            fn from_str(text: &str) -> Result<Self, TextError> {
                Self::parse(text).ok_or(TextError($expected))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        serde_as_text!($name);
    };
}

digest!(
    /// A SHA-256 digest. As text it has 64 hexadecimal digits, lower case.
    Sha256,
    32,
    "64 hexadecimal digits"
);

digest!(
    /// An MD5 digest, by which Tecken's clients and buckets know files. As text it has 32 hexadecimal digits, lower
    /// case.
    Md5,
    16,
    "32 hexadecimal digits"
);

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
        assert_eq!(Md5::new([0xab; 16]).to_string(), "ab".repeat(16));
        assert_eq!(
            format!("{:?}", Md5::new([0; 16])),
            format!("Md5({})", "00".repeat(16))
        );
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "ab", &"a".repeat(63), &"a".repeat(66), &"g".repeat(64)] {
            assert_eq!(Sha256::parse(text), None, "{text}");
            assert_eq!(Md5::parse(text), None, "{text}");
        }
        let error = "".parse::<Sha256>().unwrap_err();
        assert_eq!(error.to_string(), "is not 64 hexadecimal digits");
    }
}
