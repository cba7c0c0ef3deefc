//! Makes the services of the adaptors and the configuration.
//!
//! [`Ground`] holds what several services share. Each of its methods makes one service, and hands it no more than it
//! needs.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;

use super::adaptors::Adaptors;
use crate::background::Background;
use crate::breakpad::BreakpadService;
use crate::cache::MemoFactory;
use crate::catalog::{Catalog, Layout, SymbolSource, UploadTarget};
use crate::clock::SharedClock;
use crate::config::Config;
use crate::cpu::CpuPool;
use crate::db::Database;
use crate::debuginfod::DebuginfodService;
use crate::download::{DownloadService, Unpacker};
use crate::metrics::Metrics;
use crate::missing::{MissingLog, MissingWorker};
use crate::scratch::Scratch;
use crate::storage::{Integrity, StorageConfig, StorageKind};
use crate::symbolication::symcaches::{StoredForm, SymcacheParts, Symcaches};
use crate::symbolication::{PrebuildQueue, SymbolicationService};
use crate::upload::{StagedFiles, UploadParts, UploadService};

/// What services are made of.
pub(super) struct Ground<'config> {
    pub(super) config: &'config Config,
    pub(super) database: Arc<dyn Database>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) log: MissingLog,
    pub(super) scratch: Arc<Scratch>,
    pub(super) cpu: CpuPool,
    pub(super) clock: SharedClock,
    pub(super) metrics: Metrics,
}

/// The services that receive files.
pub(super) struct Receivers {
    pub(super) uploads: Arc<UploadService>,
    pub(super) staged: Arc<StagedFiles>,
    pub(super) breakpad: BreakpadService,
}

impl<'config> Ground<'config> {
    /// Makes what services share of opened adaptors.
    pub(super) fn new(
        config: &'config Config,
        adaptors: Adaptors,
        memos: &MemoFactory,
        clock: SharedClock,
        metrics: Metrics,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            database: Arc::clone(&adaptors.database),
            catalog: catalog(&config.storage, adaptors, memos),
            log: MissingLog::new(&config.missing, Arc::clone(&clock), metrics.clone()),
            scratch: open_scratch(config)?,
            cpu: CpuPool::new(0).context("cannot start the threads for CPU work")?,
            config,
            clock,
            metrics,
        })
    }

    /// The services that receive files; stored ones wait in `prebuild` for their conversion.
    pub(super) fn receivers(&self, prebuild: Option<PrebuildQueue>) -> anyhow::Result<Receivers> {
        let Self {
            config, catalog, ..
        } = self;
        let (records, clock) = (Arc::clone(&self.database) as _, Arc::clone(&self.clock));
        let staged = Arc::new(StagedFiles::new(Arc::clone(catalog), records, clock));
        let parts = UploadParts {
            serve: config.download.serve.clone(),
            scratch: Arc::clone(&self.scratch),
            catalog: Arc::clone(catalog),
            database: Arc::clone(&self.database),
            cpu: self.cpu.clone(),
            background: Background::current(),
            prebuild,
            clock: Arc::clone(&self.clock),
            metrics: self.metrics.clone(),
        };
        let uploads = UploadService::new(config.upload.clone(), parts);
        let uploads =
            Arc::new(uploads.context("cannot prepare uploads by address (section upload.by_url)")?);
        let breakpad = BreakpadService::new(
            Arc::clone(&uploads),
            Arc::clone(&staged),
            Arc::clone(catalog),
            config.download.serve.clone(),
            Background::current(),
        );
        Ok(Receivers {
            uploads,
            staged,
            breakpad,
        })
    }

    /// The service of the paths of symbols.
    pub(super) fn downloads(&self) -> DownloadService {
        DownloadService::new(
            &self.config.download,
            Arc::clone(&self.catalog),
            self.log.clone(),
            Unpacker::new(self.cpu.clone(), Arc::clone(&self.scratch)),
            self.metrics.clone(),
            Background::current(),
        )
    }

    /// The service of files by build id.
    pub(super) fn debuginfod(&self) -> DebuginfodService {
        DebuginfodService::new(
            self.config.debuginfod.clone(),
            Arc::clone(&self.catalog),
            Arc::clone(&self.scratch),
            self.cpu.clone(),
            self.metrics.clone(),
        )
    }

    /// The symcaches. On disk room costs little, so there they are stored as they are used.
    pub(super) fn symcaches(&self) -> anyhow::Result<Symcaches> {
        let directory = Path::new(&self.config.data_dir).join("symcache");
        let form = match self.config.storage.kind {
            StorageKind::Disk(_) => StoredForm::Plain,
            StorageKind::S3(_) => StoredForm::Gzipped,
        };
        let parts = SymcacheParts {
            catalog: Arc::clone(&self.catalog),
            scratch: Arc::clone(&self.scratch),
            directory: directory.clone(),
            form,
            program: std::env::current_exe().context("cannot find the program's own file")?,
            cpu: self.cpu.clone(),
            background: Background::current(),
            clock: Arc::clone(&self.clock),
            metrics: self.metrics.clone(),
        };
        let symcaches = Symcaches::new(&self.config.symbolication, parts);
        symcaches.with_context(|| format!("cannot use {}", directory.display()))
    }

    /// The service of stacks.
    pub(super) fn symbolication(&self, symcaches: Symcaches) -> SymbolicationService {
        SymbolicationService::new(
            &self.config.symbolication,
            symcaches,
            self.log.clone(),
            self.cpu.clone(),
            self.metrics.clone(),
        )
    }

    /// The task that writes the missing symbols.
    pub(super) fn missing_worker(&self) -> anyhow::Result<MissingWorker> {
        let (database, clock) = (Arc::clone(&self.database) as _, Arc::clone(&self.clock));
        let settings = self.config.missing.clone();
        MissingWorker::new(
            self.log.clone(),
            database,
            settings,
            clock,
            self.metrics.clone(),
        )
        .context("cannot name the writer of missing symbols")
    }
}

/// The catalog of all sources.
fn catalog(settings: &StorageConfig, adaptors: Adaptors, memos: &MemoFactory) -> Arc<Catalog> {
    let Adaptors {
        storage,
        sources,
        database,
    } = adaptors;
    let target = |prefix: &str| UploadTarget::new(Arc::clone(&storage), Layout::breakpad(prefix));
    let sources = sources.into_iter().zip(&settings.sources);
    let further = sources
        .map(|(objects, source)| SymbolSource::new(objects, Layout::breakpad(&source.prefix)));
    Arc::new(Catalog::new(
        target(&settings.prefix),
        further.collect(),
        target(&settings.try_prefix),
        Arc::clone(&database) as _,
        database as _,
        memos,
        Background::current(),
    ))
}

/// The folder for temporary files.
fn open_scratch(config: &Config) -> anyhow::Result<Arc<Scratch>> {
    let folder = Path::new(&config.data_dir).join("incoming");
    let scratch = Scratch::open(&folder);
    let scratch = scratch.with_context(|| format!("cannot use {}", folder.display()))?;
    Ok(Arc::new(scratch))
}

/// Symbolication for a command, without a server around it. Other nodes are not told of anything, and nothing is
/// counted as missing.
///
/// # Errors
/// Temporary files cannot be made.
pub fn symbolication(
    config: &Config,
    adaptors: Adaptors,
    clock: SharedClock,
) -> anyhow::Result<SymbolicationService> {
    let metrics = Metrics::default();
    let integrity = Arc::new(Integrity::new(metrics.clone()));
    let adaptors = adaptors.watched(&metrics, &clock, &integrity);
    let memos = MemoFactory::new(&config.cache, None, &metrics, &clock);
    let ground = Ground::new(config, adaptors, &memos, clock, metrics)?;
    Ok(ground.symbolication(ground.symcaches()?))
}
