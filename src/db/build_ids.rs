//! Which stored files belong to which build of an ELF file.

use std::fmt::Debug;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::DbError;
use symbols::{BuildId, DebugId, Sha256, SymbolKey};

/// The most rows returned for one build id; more than one or two come from an uploader's mistake.
pub const MOST_ANSWERS: i64 = 8;

/// A stored file that has a build id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildIdRecord {
    /// The build id.
    pub build_id: BuildId,
    /// The key that the file was stored under.
    pub key: SymbolKey,
    /// SHA-256 of the file that has the build id.
    pub sha256: Sha256,
    /// Whether it has what a process is loaded from.
    pub has_code: bool,
    /// Whether it has symbols or debug information.
    pub has_debug_info: bool,
    /// Whether the file is the gzipped form of the ELF file.
    pub is_gzipped: bool,
    /// The ELF file's size in bytes; of gzipped ones a hint, and not always known.
    pub size: Option<u64>,
}

/// Where the files of a module lie: the first two parts of their keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleFolder {
    /// The debug file's name.
    pub debug_file: String,
    /// The debug id.
    pub debug_id: DebugId,
}

/// A part of the table of build ids in the order of keys and, of one key, of build ids, both by their bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// Only what comes after this key and build id.
    pub(super) after: (String, String),
    /// Only keys that come before this text.
    pub(super) before: String,
}

impl KeyRange {
    /// The keys from one text on, and before another. Neither may contain NUL.
    #[must_use]
    pub fn new(from: String, before: String) -> Self {
        Self {
            after: (from, String::new()),
            before,
        }
    }

    /// Leaves out what comes up to and with this record.
    pub fn continue_after(&mut self, last: &BuildIdRecord) {
        self.after = (last.key.to_string(), last.build_id.to_string());
    }
}

/// The table of build ids. It is written with the uploads that the files belong to; only regular uploads are in it.
#[async_trait]
pub trait BuildIdRecords: Debug + Send + Sync {
    /// The files of a build id, those recorded last first; [`MOST_ANSWERS`] at most.
    async fn files_by_build_id(&self, build_id: &BuildId) -> Result<Vec<BuildIdRecord>, DbError>;

    /// The files in a range of keys, in its order; `limit` at most.
    async fn files_in_range(
        &self,
        range: &KeyRange,
        limit: usize,
    ) -> Result<Vec<BuildIdRecord>, DbError>;

    /// The modules whose `.sym` files, in completed regular uploads, have this build id as their code id and name no
    /// code file, as those of ELF files do; [`MOST_ANSWERS`] at most.
    async fn modules_by_build_id(&self, build_id: &BuildId) -> Result<Vec<ModuleFolder>, DbError>;
}
