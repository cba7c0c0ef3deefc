//! The settings of debuginfod.

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use crate::section::{Section, Violation, violations};

/// How requests by build id are answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DebuginfodConfig {
    /// The largest file, inflated, from which sections or source files are extracted. Whole files of any size are sent.
    pub extract_from: ByteSize,
    /// How many extractions may run at once.
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
