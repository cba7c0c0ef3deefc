//! The settings of a storage on disk.

use serde::{Deserialize, Serialize};

use crate::section::Check;

/// The settings of a disk storage.
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
    /// The rule of each key, and the message if it is broken.
    pub(in crate::storage) fn checks(&self) -> Vec<Check> {
        vec![(
            "directory",
            !self.directory.is_empty(),
            "names no directory",
        )]
    }
}
