//! The configuration: defaults, then a TOML file, then the environment.
//!
//! Each module owns the section of its settings; here they are put together. [`load()`] reports everything that is
//! wrong at once: unknown keys with the nearest valid one, values of the wrong kind, each with its key and its source.

mod load;
mod problem;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cache::CacheConfig;
use crate::db::DatabaseConfig;
use crate::debuginfod::DebuginfodConfig;
use crate::download::DownloadConfig;
use crate::http::ServerConfig;
use crate::missing::MissingConfig;
use crate::storage::StorageConfig;
use crate::telemetry::LogConfig;
use crate::upload::UploadConfig;

pub use load::load;
pub use problem::{ConfigError, Problem};

/// Calls to a database that is well take up to some tens of milliseconds on a busy machine.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(100);

/// Every setting of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where everything lies that is kept on this machine; other relative paths are relative to it.
    pub data_dir: String,
    /// The HTTP server.
    pub server: ServerConfig,
    /// The object store.
    pub storage: StorageConfig,
    /// The database.
    pub database: DatabaseConfig,
    /// The lookup cache.
    pub cache: CacheConfig,
    /// Uploads.
    pub upload: UploadConfig,
    /// Downloads.
    pub download: DownloadConfig,
    /// Downloads by build id.
    pub debuginfod: DebuginfodConfig,
    /// The count of missing symbols.
    pub missing: MissingConfig,
    /// Logs.
    pub log: LogConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: "data".to_owned(),
            server: ServerConfig::default(),
            storage: StorageConfig::default(),
            database: DatabaseConfig::default(),
            cache: CacheConfig::default(),
            upload: UploadConfig::default(),
            download: DownloadConfig::default(),
            debuginfod: DebuginfodConfig::default(),
            missing: MissingConfig::default(),
            log: LogConfig::default(),
        }
    }
}

impl Config {
    /// The configuration as TOML, as it takes effect.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every setting has a form in TOML")
    }

    /// What is wrong with values that are of the right kind.
    fn contradictions(&self) -> Vec<Problem> {
        let checks = [
            ("data_dir", !self.data_dir.is_empty(), "names no directory"),
            (
                "server.listen",
                self.server.listen.parse::<std::net::SocketAddr>().is_ok(),
                "is not an address and a port such as 127.0.0.1:8000",
            ),
            (
                "database.connections",
                self.database.connections > 0,
                "must be at least 1",
            ),
            (
                "database.timeout",
                self.database.timeout >= SHORTEST_TIMEOUT,
                "must be at least 100ms",
            ),
            ("upload.slots", self.upload.slots > 0, "must be at least 1"),
            (
                "upload.temporary",
                self.upload.temporary >= self.upload.size,
                "is less than upload.size, so the largest archive could never be sent",
            ),
            (
                "upload.stores",
                self.upload.stores > 0,
                "must be at least 1",
            ),
            (
                "upload.abandoned_after",
                !self.upload.abandoned_after.is_zero(),
                "must be longer than zero",
            ),
            (
                "upload.level",
                (1..=9).contains(&self.upload.level),
                "must be from 1 to 9",
            ),
            (
                "missing.flush_every",
                !self.missing.flush_every.is_zero(),
                "must be longer than zero",
            ),
            (
                "download.serve",
                !self.download.serve.is_empty(),
                "names no ending, so nothing would be served",
            ),
        ];
        let failed = checks.into_iter().filter(|(_, holds, _)| !holds);
        let failed = failed.map(|(key, _, message)| (key.to_owned(), message));
        failed
            .chain(self.storage.contradictions())
            .chain(owned(self.cache.contradictions()))
            .chain(owned(self.debuginfod.contradictions()))
            .map(|(key, message)| Problem::new(&key, "the configuration as a whole", message))
            .collect()
    }
}

fn owned(
    problems: Vec<(&'static str, &'static str)>,
) -> impl Iterator<Item = (String, &'static str)> {
    problems
        .into_iter()
        .map(|(key, message)| (key.to_owned(), message))
}
