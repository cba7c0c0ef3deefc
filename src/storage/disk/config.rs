//! The settings of a storage on disk.

use serde::{Deserialize, Serialize};

use crate::section::Check;

/// Where the objects of a disk storage lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiskConfig {
    /// The directory; a relative one lies under `data_dir`.
    pub directory: String,
}

impl Default for DiskConfig {
    fn default() -> Self {
        Self {
            directory: "objects".to_owned(),
        }
    }
}

impl DiskConfig {
    /// What must hold for each key, and the message if it does not.
    pub(in crate::storage) fn checks(&self) -> Vec<Check> {
        vec![(
            "directory",
            !self.directory.is_empty(),
            "names no directory",
        )]
    }
}
