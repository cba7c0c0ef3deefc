//! What the uploader of an upload should know, although nothing is wrong with the upload.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why there is a warning. Clients and databases know each kind by its name in snake case, which never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WarningKind {
    /// No request is ever answered with the file.
    NotServed,
    /// The text of the `.sym` file is UTF-16.
    HeadUtf16,
    /// The text of the `.sym` file begins with a byte order mark.
    HeadByteOrderMark,
    /// The `.sym` file does not begin with the `MODULE` line of a module.
    HeadNoModule,
}

/// The members of an upload to which one warning applies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Why.
    #[serde(rename = "code")]
    pub kind: WarningKind,
    /// How many members.
    pub count: u64,
    /// The names of the first of them.
    pub keys: Vec<String>,
}

/// All warnings of an upload, at most one of each kind. Its text is JSON, which is how every engine keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Warnings(pub Vec<Warning>);

impl fmt::Display for Warnings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        f.write_str(&json)
    }
}

impl FromStr for Warnings {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(text)
    }
}
