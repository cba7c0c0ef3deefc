//! The id of a build of a module.

use std::fmt;
use std::str::FromStr;

use super::text::{TextError, serde_as_text};

/// The least digits of a Breakpad debug id: a GUID's 32 and an age.
const DEBUG_ID: usize = 33;

/// The longest id accepted, in hexadecimal digits. Breakpad's debug ids have 33 or a few more, ELF build ids 40.
const LONGEST: usize = 64;

/// A hexadecimal id, upper case: a Breakpad debug id (GUID and age), an ELF build id or a code id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DebugId(String);

impl DebugId {
    /// Parses 1 to 64 hexadecimal digits of either case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_id = (1..=LONGEST).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then(|| Self(text.to_ascii_uppercase()))
    }

    /// The id as text, upper case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether this is long enough for a debug id (or an ELF build id); Windows' and macOS's code ids are
    /// shorter.
    #[must_use]
    pub fn is_debug_id(&self) -> bool {
        self.0.len() >= DEBUG_ID
    }

    /// The debug id that LLDB means by this one: it writes the age in decimal digits, where all other programs write
    /// hexadecimal ones. `None` where that makes no difference, and where the age is no decimal number.
    #[must_use]
    pub fn with_decimal_age(&self) -> Option<Self> {
        let (guid, age) = self.0.split_at_checked(DEBUG_ID - 1)?;
        let is_number = !age.starts_with('0') && age.bytes().all(|byte| byte.is_ascii_digit());
        let age: u32 = age.parse().ok().filter(|_| is_number)?;
        (age >= 10).then(|| Self(format!("{guid}{age:X}")))
    }

    /// Returns whether this is the 33 zeros that a client sends when it knows no id.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.0.len() == DEBUG_ID && self.0.bytes().all(|byte| byte == b'0')
    }
}

impl fmt::Display for DebugId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for DebugId {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Self::parse(text).ok_or(TextError("1 to 64 hexadecimal digits"))
    }
}

serde_as_text!(DebugId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_in_decimal_digits() {
        let guid = "44E4EC8C2F41492B9369D6B9A059577C";
        let of = |age: &str| {
            let id = DebugId::parse(&format!("{guid}{age}"))?.with_decimal_age()?;
            Some(id.as_str().replace(guid, ""))
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!((of("10"), of("31")), (text("A"), text("1F")));
        assert_eq!(of("4294967295"), text("FFFFFFFF"));
        for age in ["", "1", "9", "a", "1A", "010", "4294967296"] {
            assert_eq!(of(age), None, "{age}");
        }
        assert_eq!(DebugId::parse("AB12").unwrap().with_decimal_age(), None);
    }

    #[test]
    fn bounds() {
        assert_eq!(DebugId::parse("aF0").unwrap().as_str(), "AF0");
        assert!(DebugId::parse(&"A".repeat(64)).is_some());
        for text in ["", "G", "AB ", "０", &"A".repeat(65)] {
            assert_eq!(DebugId::parse(text), None, "{text}");
        }
    }
}
