//! The records: uploads and their files, missing symbols, tokens.
//!
//! One trait a table, one folder an engine; SQL is written by hand in each engine's own dialect and kept beside its
//! migrations. The suite in `contract.rs` is what every engine passes. Every engine keeps times to the microsecond.

#[cfg(test)]
pub(crate) mod contract;
mod error;
pub mod migrate;
pub mod missing;
pub mod sqlite;
pub mod tokens;
pub mod uploads;

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use error::DbError;
pub use missing::MissingRecords;
pub use sqlite::SqliteDatabase;
pub use tokens::TokenRecords;
pub use uploads::UploadRecords;

/// All records of one engine.
#[async_trait]
pub trait Database: UploadRecords + MissingRecords + TokenRecords + Debug + Send + Sync {
    /// Asks the database for a sign of life.
    async fn check(&self) -> Result<(), DbError>;
}

/// Which database keeps the records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `sqlite:` and a file; a relative one lies under `data_dir`.
    pub url: String,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self {
            url: "sqlite:symbold.sqlite".to_owned(),
        }
    }
}

/// Opens the database of the configuration and brings its schema up to date.
///
/// # Errors
/// The address is of no known kind, or the database cannot be opened.
pub async fn open(config: &DatabaseConfig, data_dir: &Path) -> Result<Arc<dyn Database>, DbError> {
    match config.url.split_once(':') {
        Some(("sqlite", file)) if !file.is_empty() => {
            Ok(Arc::new(SqliteDatabase::open(&data_dir.join(file)).await?))
        }
        _ => Err(DbError::Schema(format!(
            "database.url {:?} is not sqlite: and a file",
            config.url
        ))),
    }
}
