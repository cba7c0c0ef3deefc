//! The two stores of a symbol server.

use std::fmt;

/// Which symbols are meant. A file of the same key may be in both stores with different contents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Store {
    /// Symbols of builds that are kept, which everyone is served.
    #[default]
    Regular,
    /// Symbols of builds that only try something out, which are served to those who ask for them.
    Try,
}

impl Store {
    /// Both stores, in the order in which they are asked.
    pub const ALL: [Self; 2] = [Self::Regular, Self::Try];

    /// The name for people and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Regular => "regular",
            Self::Try => "try",
        }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
