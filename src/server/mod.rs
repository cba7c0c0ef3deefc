//! The composition root: it opens the adaptors, makes the services, runs the server and shuts everything down.
//!
//! One multi-threaded runtime carries storages, the database, background work and uploads; the HTTP workers have
//! runtimes of their own and only parse and stream. Stopping reverses the order of starting: no new connections are
//! accepted, requests in flight finish, and the last counts are written. Each step has a deadline.

mod adaptors;
mod answering;
mod assembly;
mod connection;
mod listening;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use anyhow::Context;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::AuthService;
use crate::cache::{self, MemoFactory};
use crate::clock::SharedClock;
use crate::config::Config;
use crate::health::Health;
use crate::http::{BaseUrl, HttpServices, Observation};
use crate::metrics::Metrics;
use crate::missing::{MissingReport, MissingWorker};
use crate::storage::Integrity;
use crate::symbolication::PrebuildQueue;
use crate::symbolication::symcaches::Symcaches;
use crate::upload::StagedFiles;

use assembly::Ground;

pub use adaptors::{Adaptors, open_database};
pub use assembly::symbolication;

pub use listening::SILENCED;

/// How long writing the last counts may take.
const FLUSH_DEADLINE: Duration = Duration::from_secs(10);

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
    /// What waits for its conversion, and what converts it.
    prebuild: Option<(PrebuildQueue, Symcaches)>,
}

impl Server {
    /// Puts the services together and begins to listen.
    ///
    /// # Errors
    /// The address cannot be listened on, or temporary files cannot be made.
    pub fn new(config: Config, adaptors: Adaptors, clock: SharedClock) -> anyhow::Result<Self> {
        let metrics = Metrics::default();
        let integrity = Arc::new(Integrity::new(metrics.clone()));
        let adaptors = adaptors.watched(&metrics, &clock, &integrity);
        let (storage, database) = (
            Arc::clone(&adaptors.storage),
            Arc::clone(&adaptors.database),
        );
        let cache =
            cache::open(&config.cache, &metrics, &clock).context("setting cache.redis_url")?;
        let memos = MemoFactory::new(&config.cache, cache.clone(), &metrics, &clock);
        let ground = Ground::new(
            &config,
            adaptors,
            &memos,
            Arc::clone(&clock),
            metrics.clone(),
        )?;
        let symcaches = ground.symcaches()?;
        let prebuilds = config.symbolication.prebuild;
        let prebuild = prebuilds.then(|| PrebuildQueue::new(metrics.clone()));
        let receivers = ground.receivers(prebuild.clone())?;
        let check = Arc::clone(&database) as _;
        let health = Health::new(storage, check, cache, integrity, Arc::clone(&clock));
        let services = HttpServices {
            auth: AuthService::new(Arc::clone(&database) as _, Arc::clone(&clock)),
            uploads: receivers.uploads,
            breakpad: receivers.breakpad,
            base_url: BaseUrl::from(&config.server),
            downloads: ground.downloads(),
            debuginfod: ground.debuginfod(),
            symbolication: ground.symbolication(symcaches.clone()),
            catalog: Arc::clone(&ground.catalog),
            symcaches: symcaches.clone(),
            max_age: config.download.max_age,
            missing: MissingReport::new(database as _, Arc::clone(&clock)),
            health: Arc::new(health),
            metrics: metrics.clone(),
            clock: Arc::clone(&clock),
        };
        let missing = ground.missing_worker()?;
        let observation = Data::new(Observation::new(metrics, clock, config.log.requests));
        Ok(Self {
            listener: listen(&config.server.listen)?,
            config,
            services,
            staged: receivers.staged,
            observation,
            missing,
            prebuild: prebuild.map(|queue| (queue, symcaches)),
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
        if let Some((queue, symcaches)) = self.prebuild {
            background.spawn(queue.run(symcaches, stop_background.clone()));
        }
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
