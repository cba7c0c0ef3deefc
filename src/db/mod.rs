//! The records: uploads and their files, missing symbols, tokens.
//!
//! One trait a table, one folder an engine; SQL is written by hand in each engine's own dialect and kept beside its
//! migrations. The suite in `contract/` is what every engine passes. Every engine keeps times to the microsecond.

pub mod build_ids;
#[cfg(test)]
pub(crate) mod contract;
mod error;
pub mod files;
pub mod migrate;
mod migrations;
pub mod missing;
pub mod nodes;
pub mod postgres;
pub mod sqlite;
mod table;
pub mod tokens;
pub mod uploads;
pub mod waiting;
pub mod warnings;
mod windows_endings;

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::section::{Section, Violation, violations};
use crate::service_url::ServiceUrl;

pub use build_ids::BuildIdRecords;
pub use error::DbError;
pub use files::FileRecords;
pub use missing::MissingRecords;
pub use nodes::NodeRecords;
pub use postgres::PostgresDatabase;
pub use sqlite::SqliteDatabase;
pub use tokens::TokenRecords;
pub use uploads::UploadRecords;
pub use waiting::WaitingRecords;

/// Calls to a healthy database take up to some tens of milliseconds on a busy machine.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(100);

/// Whether the database answers.
#[async_trait]
pub trait DatabaseCheck: Debug + Send + Sync {
    /// Asks the database for a sign of life.
    async fn check(&self) -> Result<(), DbError>;
}

/// All records of one engine. A service takes only the traits that it uses.
pub trait Database:
    UploadRecords
    + FileRecords
    + BuildIdRecords
    + NodeRecords
    + MissingRecords
    + TokenRecords
    + WaitingRecords
    + DatabaseCheck
{
}

impl<T> Database for T where
    T: UploadRecords
        + FileRecords
        + BuildIdRecords
        + NodeRecords
        + MissingRecords
        + TokenRecords
        + WaitingRecords
        + DatabaseCheck
{
}

/// Which database keeps the records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `sqlite:` and a file, of which a relative one lies under `data_dir`; or the address of a PostgreSQL database,
    /// as in `postgres://user:password@host/database`.
    pub url: ServiceUrl,
    /// How many connections to PostgreSQL are open at most.
    pub connections: usize,
    /// How long a call may take before it fails, with all that it waits for.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// Whether a start brings PostgreSQL's schema up to date. If not, `symbold migrate` has to come first. An SQLite
    /// file, which belongs to one server, is always brought up to date.
    pub migrate: bool,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self {
            url: ServiceUrl::from("sqlite:symbold.sqlite"),
            connections: 10,
            timeout: Duration::from_secs(6),
            migrate: true,
        }
    }
}

impl Section for DatabaseConfig {
    fn violations(&self) -> Vec<Violation> {
        violations(
            "database",
            &[
                ("connections", self.connections > 0, "must be at least 1"),
                (
                    "timeout",
                    self.timeout >= SHORTEST_TIMEOUT,
                    "must be at least 100ms",
                ),
            ],
        )
    }
}

impl DatabaseConfig {
    /// Returns whether the records are in the embedded engine, on this machine.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.url.reveal().starts_with("sqlite:")
    }
}

/// Opens the database of the configuration and brings its schema up to date.
///
/// # Errors
/// The address is of no known kind, or the database cannot be opened.
pub async fn open(config: &DatabaseConfig, data_dir: &Path) -> Result<Arc<dyn Database>, DbError> {
    match config.url.reveal().split_once(':') {
        Some(("sqlite", file)) if !file.is_empty() => {
            let file = data_dir.join(file);
            Ok(Arc::new(
                SqliteDatabase::open_with(&file, config.timeout).await?,
            ))
        }
        Some(("postgres" | "postgresql", _)) => Ok(Arc::new(PostgresDatabase::open(config).await?)),
        _ => Err(DbError::Schema(format!(
            "database.url {} is neither sqlite: and a file nor postgres://user:password@host/database",
            config.url
        ))),
    }
}
