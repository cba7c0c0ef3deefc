//! How cache keys are made.

use std::fmt;

/// The key of a remembered answer: what kind of question, and its arguments.
///
/// Every argument is preceded by its length, so that no two lists of arguments make the same key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey(String);

impl CacheKey {
    /// Makes the key of a question of this kind with these arguments.
    #[must_use]
    pub fn new(kind: &str, arguments: &[&str]) -> Self {
        let length = kind.len()
            + arguments
                .iter()
                .map(|argument| argument.len() + 5)
                .sum::<usize>();
        let mut key = String::with_capacity(length);
        key.push_str(kind);
        for argument in arguments {
            key.push(':');
            push_decimal(&mut key, argument.len());
            key.push(':');
            key.push_str(argument);
        }
        Self(key)
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Writes a number; every lookup makes a key, and formatting takes several times as long.
fn push_decimal(text: &mut String, number: usize) {
    if number >= 10 {
        push_decimal(text, number / 10);
    }
    let digit = u8::try_from(number % 10).unwrap_or_default();
    text.push(char::from(b'0' + digit));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_arguments_make_different_keys() {
        assert_eq!(
            CacheKey::new("found", &["disk", "v1/a"]).as_str(),
            "found:4:disk:4:v1/a"
        );
        assert_ne!(
            CacheKey::new("k", &["a:b", "c"]),
            CacheKey::new("k", &["a", "b:c"])
        );
        assert_ne!(CacheKey::new("k", &["a", ""]), CacheKey::new("k", &["a"]));
        let long = "a".repeat(120);
        let expected = format!("k:120:{long}:0:");
        assert_eq!(CacheKey::new("k", &[&long, ""]).as_str(), expected);
    }
}
