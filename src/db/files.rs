//! Lookups among the files that uploads have stored.

use std::collections::HashMap;
use std::fmt::Debug;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::DbError;
use symbols::{DebugId, FoldedKey, FoldedName, Store, SymbolKey};

/// A module as the header of an uploaded `.sym` file describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleRecord {
    /// The key that the file was stored under.
    pub key: SymbolKey,
    /// The debug file's name.
    pub debug_file: String,
    /// The debug id.
    pub debug_id: DebugId,
    /// The code file's name, if the header has it.
    pub code_file: Option<String>,
    /// The code id, if the header has it.
    pub code_id: Option<DebugId>,
    /// The program that wrote the file, if the header has it.
    pub generator: Option<String>,
}

/// A debug id under which uploads have brought symbols of a debug file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldId {
    /// The debug id.
    pub debug_id: DebugId,
    /// Which store they are in.
    pub store: Store,
    /// When the newest of them was stored.
    pub stored_at: OffsetDateTime,
}

/// A file that another one has replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplacedFile {
    /// Its key.
    pub key: SymbolKey,
    /// The upload that had stored it.
    pub upload: i64,
    /// That upload's user.
    pub user: String,
    /// When it had been stored.
    pub stored_at: OffsetDateTime,
}

/// Files of completed uploads. Names and ids are compared as they are, letter case included, unless they are folded;
/// the two stores are never mixed.
#[async_trait]
pub trait FileRecords: Debug + Send + Sync {
    /// The module of the newest `.sym` file whose header has this debug file and debug id.
    async fn module_by_debug_id(
        &self,
        debug_file: &str,
        debug_id: &DebugId,
        store: Store,
    ) -> Result<Option<ModuleRecord>, DbError>;

    /// The module of the newest `.sym` file whose header has this code file and code id, and a debug file and id.
    async fn module_by_code_id(
        &self,
        code_file: &str,
        code_id: &DebugId,
        store: Store,
    ) -> Result<Option<ModuleRecord>, DbError>;

    /// As [`Self::module_by_code_id`], for every spelling of the code file.
    async fn module_by_folded_code_id(
        &self,
        code_file: &FoldedName,
        code_id: &DebugId,
        store: Store,
    ) -> Result<Option<ModuleRecord>, DbError>;

    /// The key of the newest file whose folded key is this one.
    async fn key_by_folded(
        &self,
        key: &FoldedKey,
        store: Store,
    ) -> Result<Option<SymbolKey>, DbError>;

    /// At most `limit` debug ids that headers name together with this debug file, each once, the newest first.
    async fn debug_ids(
        &self,
        debug_file: &str,
        store: Store,
        limit: u32,
    ) -> Result<Vec<HeldId>, DbError>;

    /// Who stored each of these keys last, by e-mail address. A key that no upload has stored is left out.
    async fn last_uploaders(
        &self,
        store: Store,
        keys: &[SymbolKey],
    ) -> Result<HashMap<SymbolKey, String>, DbError>;

    /// Who had stored the files that an upload replaced, in the order in which it replaced them. Files that no upload
    /// had stored are left out.
    async fn replaced_files(&self, upload: i64) -> Result<Vec<ReplacedFile>, DbError>;
}
