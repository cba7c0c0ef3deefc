//! The configuration: defaults, then a TOML file, then the environment.
//!
//! Each module owns the section of its settings and the checks of their values ([`Section`]); here they are put
//! together. [`load()`] reports everything that is wrong at once: unknown keys with the nearest valid one, values of
//! the wrong kind, each with its key and its source.

mod load;
mod problem;

use serde::{Deserialize, Serialize};

use crate::cache::CacheConfig;
use crate::db::DatabaseConfig;
use crate::debuginfod::DebuginfodConfig;
use crate::download::DownloadConfig;
use crate::http::ServerConfig;
use crate::missing::MissingConfig;
use crate::section::{Section, Violation};
use crate::storage::StorageConfig;
use crate::symbolication::SymbolicationConfig;
use crate::telemetry::LogConfig;
use crate::upload::UploadConfig;

pub use load::load;
pub use problem::{ConfigError, Problem};

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
    /// Symbolication.
    pub symbolication: SymbolicationConfig,
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
            symbolication: SymbolicationConfig::default(),
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

    /// The problems of values that have the right type.
    fn problems(&self) -> Vec<Problem> {
        let sections: [&dyn Section; 10] = [
            &self.server,
            &self.storage,
            &self.database,
            &self.cache,
            &self.upload,
            &self.download,
            &self.debuginfod,
            &self.symbolication,
            &self.missing,
            &self.log,
        ];
        let data_dir = self.data_dir.is_empty().then(|| Violation {
            key: "data_dir".to_owned(),
            message: "names no directory",
        });
        data_dir
            .into_iter()
            .chain(sections.iter().flat_map(|section| section.violations()))
            .map(|Violation { key, message }| {
                Problem::new(&key, "the configuration as a whole", message)
            })
            .collect()
    }
}
