//! The settings of symbolication.

use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use crate::section::{Section, Violation, violations};

/// How addresses are symbolicated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SymbolicationConfig {
    /// How long a request waits for the symbols of its modules.
    #[serde(with = "humantime_serde")]
    pub deadline: Duration,
    /// Whether ELF and PDB files give the symbols of modules that have no `.sym` file.
    pub native: bool,
    /// Whether symcaches are made of uploaded `.sym` files before anybody asks.
    pub prebuild: bool,
    /// How much memory all conversions may take together.
    pub memory: ByteSize,
    /// The largest file of symbols, inflated, of which a symcache is made.
    pub max_source_size: ByteSize,
    /// How much room symcaches may take on this machine's disk.
    pub disk_cache: ByteSize,
}

impl Default for SymbolicationConfig {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            native: true,
            prebuild: true,
            memory: ByteSize::gib(1),
            max_source_size: ByteSize::gib(2),
            disk_cache: ByteSize::gib(4),
        }
    }
}

impl Section for SymbolicationConfig {
    fn violations(&self) -> Vec<Violation> {
        violations(
            "symbolication",
            &[(
                "memory",
                self.memory >= ByteSize::mib(16),
                "must be at least 16 MiB",
            )],
        )
    }
}
