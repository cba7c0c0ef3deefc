//! The settings of debuginfod.

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use crate::section::{Section, Violation, violations};

/// What is answered to debuggers that ask by build id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DebuginfodConfig {
    /// The largest file, inflated, of which single sections or source files are sent. Whole files are sent whatever
    /// their size.
    pub extract_from: ByteSize,
    /// How many of them are being extracted at once.
    pub extracts: usize,
}

impl Default for DebuginfodConfig {
    fn default() -> Self {
        Self {
            extract_from: ByteSize::gib(1),
            extracts: 2,
        }
    }
}

impl Section for DebuginfodConfig {
    fn violations(&self) -> Vec<Violation> {
        violations(
            "debuginfod",
            &[("extracts", self.extracts > 0, "must be at least 1")],
        )
    }
}
