//! The storages and the database of the configuration.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;

use crate::clock::SharedClock;
use crate::config::Config;
use crate::db::{self, Database};
use crate::durable_dirs;
use crate::metrics::Metrics;
use crate::storage::{self, Checked, Integrity, Metered, ObjectSource, Storage};

/// The adaptors that the services use; opened once, before the server starts.
#[derive(Clone, Debug)]
pub struct Adaptors {
    /// The object store.
    pub storage: Arc<dyn Storage>,
    /// Further sources, which are only read, in the order of `storage.sources`.
    pub sources: Vec<Arc<dyn ObjectSource>>,
    /// The database.
    pub database: Arc<dyn Database>,
}

impl Adaptors {
    /// Opens the storages and the database of the configuration.
    ///
    /// # Errors
    /// One of them cannot be reached or used; the message names the setting.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let data_dir = Path::new(&config.data_dir);
        make_data_dir(config)?;
        let storage = storage::open(&config.storage.kind, data_dir)
            .await
            .context("cannot open [storage]")?;
        let mut sources = Vec::new();
        for (number, source) in config.storage.sources.iter().enumerate() {
            let opened = storage::open_source(&source.kind, data_dir).await;
            sources.push(opened.with_context(|| format!("cannot open storage.sources[{number}]"))?);
        }
        let database = open_database(config).await?;
        Ok(Self {
            storage,
            sources,
            database,
        })
    }

    /// Wraps every storage so that its calls are counted and timed, and its objects checked.
    pub(super) fn watched(
        self,
        metrics: &Metrics,
        clock: &SharedClock,
        integrity: &Arc<Integrity>,
    ) -> Self {
        let storage = Metered::new(self.storage, metrics.clone(), Arc::clone(clock));
        let watched = |source| -> Arc<dyn ObjectSource> {
            let metered = Metered::new(source, metrics.clone(), Arc::clone(clock));
            Arc::new(Checked::new(Arc::new(metered), Arc::clone(integrity)))
        };
        Self {
            storage: Arc::new(Checked::new(Arc::new(storage), Arc::clone(integrity))),
            sources: self.sources.into_iter().map(watched).collect(),
            database: self.database,
        }
    }
}

/// Opens only the database, for commands that need nothing else.
///
/// # Errors
/// It cannot be reached or used; the message names the setting.
pub async fn open_database(config: &Config) -> anyhow::Result<Arc<dyn Database>> {
    make_data_dir(config)?;
    db::open(&config.database, Path::new(&config.data_dir))
        .await
        .context("cannot open [database]")
}

fn make_data_dir(config: &Config) -> anyhow::Result<()> {
    let data_dir = &config.data_dir;
    durable_dirs::make(Path::new(data_dir))
        .with_context(|| format!("cannot make data_dir {data_dir}"))
}
