//! The composition root: it opens the adaptors, makes the services, runs the server and shuts everything down.
//!
//! One multi-threaded runtime carries storages, the database, background work and uploads; the HTTP workers have
//! runtimes of their own and only parse and stream. Stopping reverses the order of starting: no new connections are
//! accepted, requests in flight finish, and the last counts are written. Each step has a deadline.

mod answering;
mod connection;
mod listening;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use anyhow::Context;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::AuthService;
use crate::background::Background;
use crate::breakpad::BreakpadService;
use crate::cache::{self, MemoFactory};
use crate::catalog::{Catalog, Layout, SymbolSource, UploadTarget};
use crate::clock::SharedClock;
use crate::config::Config;
use crate::cpu::CpuPool;
use crate::db::{self, Database};
use crate::debuginfod::DebuginfodService;
use crate::download::{DownloadService, Unpacker};
use crate::durable_dirs;
use crate::health::Health;
use crate::http::{BaseUrl, HttpServices, Observation};
use crate::metrics::Metrics;
use crate::missing::{MissingLog, MissingReport, MissingWorker};
use crate::scratch::Scratch;
use crate::storage::{self, Metered, ObjectSource, Storage, StorageConfig};
use crate::upload::{StagedFiles, UploadParts, UploadService};

pub use listening::SILENCED;

/// How long writing the last counts may take.
const FLUSH_DEADLINE: Duration = Duration::from_secs(10);

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

    /// Wraps every storage so that its calls are counted and timed.
    fn metered(self, metrics: &Metrics, clock: &SharedClock) -> Self {
        let storage = Metered::new(self.storage, metrics.clone(), Arc::clone(clock));
        let metered = |source| -> Arc<dyn ObjectSource> {
            Arc::new(Metered::new(source, metrics.clone(), Arc::clone(clock)))
        };
        Self {
            storage: Arc::new(storage),
            sources: self.sources.into_iter().map(metered).collect(),
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

/// The folder for temporary files.
fn open_scratch(config: &Config) -> anyhow::Result<Arc<Scratch>> {
    let folder = Path::new(&config.data_dir).join("incoming");
    let scratch = Scratch::open(&folder);
    let scratch = scratch.with_context(|| format!("cannot use {}", folder.display()))?;
    Ok(Arc::new(scratch))
}

fn missing_worker(
    config: &Config,
    log: MissingLog,
    database: Arc<dyn Database>,
    metrics: &Metrics,
    clock: &SharedClock,
) -> anyhow::Result<MissingWorker> {
    let (settings, metrics) = (config.missing.clone(), metrics.clone());
    MissingWorker::new(log, database, settings, Arc::clone(clock), metrics)
        .context("cannot name the writer of missing symbols")
}

/// The services that receive files.
struct Receivers {
    uploads: Arc<UploadService>,
    staged: Arc<StagedFiles>,
    breakpad: BreakpadService,
}

impl Receivers {
    fn new(config: &Config, parts: UploadParts) -> anyhow::Result<Self> {
        let (catalog, background) = (Arc::clone(&parts.catalog), parts.background.clone());
        let (records, clock) = (Arc::clone(&parts.database) as _, Arc::clone(&parts.clock));
        let staged = Arc::new(StagedFiles::new(Arc::clone(&catalog), records, clock));
        let uploads = UploadService::new(config.upload.clone(), parts);
        let uploads =
            Arc::new(uploads.context("cannot prepare uploads by address (section upload.by_url)")?);
        let breakpad = BreakpadService::new(
            Arc::clone(&uploads),
            Arc::clone(&staged),
            catalog,
            config.download.serve.clone(),
            background,
        );
        Ok(Self {
            uploads,
            staged,
            breakpad,
        })
    }
}

fn listen(address: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).with_context(|| {
        format!(
            "cannot listen on {address}: is another server running there? (setting server.listen)"
        )
    })
}

/// A server that has opened everything and listens. It answers only while it runs.
#[derive(Debug)]
pub struct Server {
    config: Config,
    listener: TcpListener,
    services: HttpServices,
    staged: Arc<StagedFiles>,
    observation: Data<Observation>,
    missing: MissingWorker,
}

impl Server {
    /// Puts the services together and begins to listen.
    ///
    /// # Errors
    /// The address cannot be listened on, or temporary files cannot be made.
    pub fn new(config: Config, adaptors: Adaptors, clock: SharedClock) -> anyhow::Result<Self> {
        let metrics = Metrics::default();
        let adaptors = adaptors.metered(&metrics, &clock);
        let (storage, database) = (adaptors.storage, adaptors.database);
        let cpu = CpuPool::new(0).context("cannot start the threads for CPU work")?;
        let scratch = open_scratch(&config)?;
        let cache =
            cache::open(&config.cache, &metrics, &clock).context("setting cache.redis_url")?;
        let memos = MemoFactory::new(&config.cache, cache.clone(), &metrics, &clock);
        let catalog = catalog(
            &config.storage,
            &storage,
            adaptors.sources,
            &database,
            &memos,
        );
        let log = MissingLog::new(&config.missing, Arc::clone(&clock), metrics.clone());
        let debuginfod = debuginfod(&config, &catalog, &scratch, &cpu, &metrics);
        let receivers = Receivers::new(
            &config,
            UploadParts {
                serve: config.download.serve.clone(),
                scratch: Arc::clone(&scratch),
                catalog: Arc::clone(&catalog),
                database: Arc::clone(&database),
                cpu: cpu.clone(),
                background: Background::current(),
                clock: Arc::clone(&clock),
                metrics: metrics.clone(),
            },
        )?;
        let unpacker = Unpacker::new(cpu, scratch);
        let downloads = downloads(&config, &catalog, &log, unpacker, &metrics);
        let check = Arc::clone(&database) as _;
        let health = Health::new(storage, check, cache, Arc::clone(&clock));
        let services = HttpServices {
            auth: AuthService::new(Arc::clone(&database) as _, Arc::clone(&clock)),
            uploads: receivers.uploads,
            breakpad: receivers.breakpad,
            base_url: BaseUrl::from(&config.server),
            downloads,
            debuginfod,
            catalog,
            max_age: config.download.max_age,
            missing: MissingReport::new(Arc::clone(&database) as _, Arc::clone(&clock)),
            health: Arc::new(health),
            metrics: metrics.clone(),
            clock: Arc::clone(&clock),
        };
        let missing = missing_worker(&config, log, database, &metrics, &clock)?;
        let observation = Data::new(Observation::new(metrics, clock, config.log.requests));
        Ok(Self {
            listener: listen(&config.server.listen)?,
            config,
            services,
            staged: receivers.staged,
            observation,
            missing,
        })
    }

    /// The address listened on.
    ///
    /// # Errors
    /// The operating system does not return it.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The service that manages tokens.
    #[must_use]
    pub fn auth(&self) -> &AuthService {
        &self.services.auth
    }

    /// Serves until `stop` is cancelled, then finishes the requests in flight and writes the last counts.
    ///
    /// # Errors
    /// The HTTP server cannot start, or fails while it runs.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let background = TaskTracker::new();
        let stop_background = CancellationToken::new();
        background.spawn(self.missing.run(stop_background.clone()));
        let abandoned = self.services.uploads.abandoned_uploads();
        background.spawn(abandoned.run(stop_background.clone()));
        background.spawn(self.staged.sweep(stop_background.clone()));
        background.close();

        let http_server = listening::start(
            &self.config.server,
            self.listener,
            self.services,
            self.observation,
            stop,
        )?;
        let served = http_server.await;

        stop_background.cancel();
        if tokio::time::timeout(FLUSH_DEADLINE, background.wait())
            .await
            .is_err()
        {
            tracing::error!(
                event = "flush_timeout",
                "could not write the last counts in time"
            );
        }
        served.context("the HTTP server failed")
    }
}

fn downloads(
    config: &Config,
    catalog: &Arc<Catalog>,
    log: &MissingLog,
    unpacker: Unpacker,
    metrics: &Metrics,
) -> DownloadService {
    DownloadService::new(
        &config.download,
        Arc::clone(catalog),
        log.clone(),
        unpacker,
        metrics.clone(),
        Background::current(),
    )
}

fn debuginfod(
    config: &Config,
    catalog: &Arc<Catalog>,
    scratch: &Arc<Scratch>,
    cpu: &CpuPool,
    metrics: &Metrics,
) -> DebuginfodService {
    DebuginfodService::new(
        config.debuginfod.clone(),
        Arc::clone(catalog),
        Arc::clone(scratch),
        cpu.clone(),
        metrics.clone(),
    )
}

fn catalog(
    settings: &StorageConfig,
    storage: &Arc<dyn Storage>,
    sources: Vec<Arc<dyn ObjectSource>>,
    database: &Arc<dyn Database>,
    memos: &MemoFactory,
) -> Arc<Catalog> {
    let target = |prefix: &str| UploadTarget::new(Arc::clone(storage), Layout::breakpad(prefix));
    let sources = sources.into_iter().zip(&settings.sources);
    let further = sources
        .map(|(objects, source)| SymbolSource::new(objects, Layout::breakpad(&source.prefix)));
    Arc::new(Catalog::new(
        target(&settings.prefix),
        further.collect(),
        target(&settings.try_prefix),
        Arc::clone(database) as _,
        Arc::clone(database) as _,
        memos,
        Background::current(),
    ))
}
