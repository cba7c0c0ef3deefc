//! Checks of a section of the configuration.
//!
//! Parsing the configuration refuses unknown keys and values of the wrong type. Further rules for values are checked by
//! the sections themselves, which lie beside the code that uses them: each implements [`Section`], and `config`
//! collects the violations.

/// A section of the configuration.
pub trait Section {
    /// The values that break a rule of this section. None by default.
    fn violations(&self) -> Vec<Violation> {
        Vec::new()
    }
}

/// A value that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The full key, such as `upload.slots`.
    pub key: String,
    /// The rule, as the end of a sentence that starts with the key: "must be at least 1".
    pub message: &'static str,
}

/// A rule: the key without its section, whether its value obeys the rule, and the message if it does not.
pub type Check = (&'static str, bool, &'static str);

/// The violations among the checks of a section.
#[must_use]
pub fn violations(section: &str, checks: &[Check]) -> Vec<Violation> {
    let failed = checks.iter().filter(|(_, holds, _)| !holds);
    failed
        .map(|(key, _, message)| Violation {
            key: format!("{section}.{key}"),
            message,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violations_name_the_whole_key() {
        let checks = [("one", true, "must be 1"), ("two", false, "must be 2")];
        let expected = Violation {
            key: "numbers.two".to_owned(),
            message: "must be 2",
        };
        assert_eq!(violations("numbers", &checks), [expected]);
    }
}
