//! Lookups among the files that uploads have stored.

use std::fmt::Debug;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::DbError;

/// A module as the header of an uploaded `.sym` file describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleRecord {
    /// What the file was stored as: `<debug file>/<id>/<file>`.
    pub key: String,
    /// The debug file's name.
    pub debug_file: String,
    /// The debug id, upper case.
    pub debug_id: String,
    /// The code file's name, if the header tells.
    pub code_file: Option<String>,
    /// The code id, upper case, if the header tells.
    pub code_id: Option<String>,
    /// The program that wrote the file, if the header tells.
    pub generator: Option<String>,
}

/// Files of completed uploads. Names and ids are compared as they are, letter case included; regular and try symbols
/// are never mixed.
#[async_trait]
pub trait FileRecords: Debug + Send + Sync {
    /// The module of the newest `.sym` file whose header has this debug file and debug id.
    async fn module_by_debug_id(
        &self,
        debug_file: &str,
        debug_id: &str,
        is_try: bool,
    ) -> Result<Option<ModuleRecord>, DbError>;

    /// The module of the newest `.sym` file whose header has this code file and code id, and a debug file and id.
    async fn module_by_code_id(
        &self,
        code_file: &str,
        code_id: &str,
        is_try: bool,
    ) -> Result<Option<ModuleRecord>, DbError>;
}
