//! A token's secret.

use std::fmt;

use sha2::{Digest, Sha256};

/// The prefix of our secrets, by which scanners for leaked secrets recognise them.
pub const SECRET_PREFIX: &str = "symbold_";

/// Hexadecimal digits of a secret of ours after its prefix.
const DIGITS: usize = 64;

/// The longest secret looked up, in bytes; no token is longer.
const LONGEST: usize = 256;

/// The secret of a token. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Makes a new secret of 32 random bytes.
    ///
    /// # Errors
    /// The operating system returned no random bytes.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(format!("{SECRET_PREFIX}{}", hex::encode(bytes))))
    }

    /// Reads what a client sent up to the first `-`, as Tecken does, so that people can label tokens. `None` if that is
    /// empty or too long. The digits of one of our secrets are accepted without the prefix, since Mozilla's
    /// `upload-symbols` sends only tokens that are all hexadecimal.
    #[must_use]
    pub fn from_client(sent: &str) -> Option<Self> {
        let secret = sent.split('-').next().unwrap_or_default().trim();
        let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if secret.len() == DIGITS && are_digits(secret) {
            return Some(Self(format!("{SECRET_PREFIX}{secret}")));
        }
        (1..=LONGEST)
            .contains(&secret.len())
            .then(|| Self(secret.to_owned()))
    }

    /// Its SHA-256, which the database stores, in lower-case hexadecimal. A secret of 256 random bits needs no
    /// slow password hash.
    #[must_use]
    pub fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.0.as_bytes()))
    }

    /// The secret itself, to be shown to its owner once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_do_not_show() {
        let (one, other) = (Secret::generate().unwrap(), Secret::generate().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.reveal().len(), SECRET_PREFIX.len() + 64);
        assert!(!format!("{one:?}").contains(&one.reveal()[10..]));
    }

    #[test]
    fn the_digits_alone_are_the_secret() {
        let secret = Secret::generate().unwrap();
        let digits = secret.reveal().strip_prefix(SECRET_PREFIX).unwrap();
        assert_eq!(Secret::from_client(digits), Some(secret.clone()));
        assert_eq!(
            Secret::from_client(&format!("{digits}-label")),
            Some(secret.clone())
        );
        assert_eq!(
            Secret::from_client(&digits[1..]).unwrap().reveal(),
            &digits[1..]
        );
    }

    #[test]
    fn labels_are_ignored() {
        let plain = Secret::from_client("abc").unwrap();
        assert_eq!(Secret::from_client("abc-my-laptop").unwrap(), plain);
        assert_eq!(Secret::from_client(" abc "), Some(plain));
        for sent in ["", "-label", " ", &"x".repeat(300)] {
            assert_eq!(Secret::from_client(sent), None);
        }
    }
}
