//! Checks of a section of the configuration.
//!
//! The configuration refuses unknown keys and values of the wrong kind by itself. Values of the right kind that cannot
//! be meant are found by the section they belong to, which lies beside the code that uses it: each implements
//! [`Section`], and `config` puts their findings together.

/// A section of the configuration.
pub trait Section {
    /// What is wrong with values that are of the right kind. Nothing by default.
    fn violations(&self) -> Vec<Violation> {
        Vec::new()
    }
}

/// A value that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The whole key, as in `upload.slots`.
    pub key: String,
    /// What is wrong with it, to be read after the key: "must be at least 1".
    pub message: &'static str,
}

/// A rule: the key without its section, whether its value keeps to the rule, and the message if it does not.
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
