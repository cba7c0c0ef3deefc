//! The symcaches of modules: found, made, kept and opened.
//!
//! [`Symcaches::open`] takes the first that there is: one that this process has open, a file in the node's directory
//! (`disk`), an object beside the symbols (`beside`), or a new one, converted from the module's symbols (`convert`).
//! Files and objects have one layout (`file`) and are checked whole before the first use; a damaged one is made again.
//! Many callers that ask for one module share one conversion, which goes on even if all of them leave.
//!
//! A symcache belongs to the digest of the symbols that it was made from. So it needs no invalidation: replaced symbols
//! have another one.

mod beside;
mod convert;
mod disk;
mod file;
mod module;
pub mod native;
mod source;

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use moka::future::Cache;
use moka::policy::EvictionPolicy;
use tempfile::NamedTempFile;

use super::config::SymbolicationConfig;
use crate::background::Background;
use crate::blocking;
use crate::catalog::{Catalog, Spooler};
use crate::clock::SharedClock;
use crate::cpu::CpuPool;
use crate::download::Unpacker;
use crate::metrics::{CountResult, Metrics};
use crate::scratch::Scratch;

use beside::StoredSymcaches;
use convert::{Converted, Converter, ConverterParts};
use disk::NodeDirectory;
use file::{Content, FileFault, VERSIONS};
use module::Opened;
use source::{Natives, Source};

pub(super) use source::{sym_key, sym_name};

pub use beside::StoredForm;
pub use module::{
    MappedBytes, ModuleSymbols, OpenSymcache, SymcacheExplanation, SymcacheFailure, SymcacheState,
    Unusable, UnusableReason,
};

/// How many symcaches are kept open.
const OPEN: u64 = 256;

/// What [`Symcaches`] are made of.
#[derive(Debug)]
pub struct SymcacheParts {
    /// Finds symbols.
    pub catalog: Arc<Catalog>,
    /// Holds files while they are converted.
    pub scratch: Arc<Scratch>,
    /// The node's directory.
    pub directory: PathBuf,
    /// How symcaches are stored beside the symbols.
    pub form: StoredForm,
    /// The program that converts native files, when it is told to: this one.
    pub program: PathBuf,
    /// The pool that converts.
    pub cpu: CpuPool,
    /// Runs conversions to their end even if their requests have been dropped.
    pub background: Background,
    /// Times conversions.
    pub clock: SharedClock,
    /// The metrics.
    pub metrics: Metrics,
}

/// The symcaches of all modules. Clones share what is open.
#[derive(Clone, Debug)]
pub struct Symcaches {
    catalog: Arc<Catalog>,
    natives: Natives,
    opened: Cache<Arc<str>, Opened>,
    maker: Arc<Maker>,
    background: Background,
    metrics: Metrics,
}

impl Symcaches {
    /// Takes the node's directory and opens nothing yet.
    ///
    /// # Errors
    /// The directory cannot be made or written to.
    pub fn new(config: &SymbolicationConfig, parts: SymcacheParts) -> io::Result<Self> {
        let opened = Cache::builder()
            .max_capacity(OPEN)
            .eviction_policy(EvictionPolicy::lru());
        Ok(Self {
            natives: if config.native {
                Natives::Used
            } else {
                Natives::Ignored
            },
            opened: opened.build(),
            catalog: Arc::clone(&parts.catalog),
            background: parts.background.clone(),
            metrics: parts.metrics.clone(),
            maker: Arc::new(Maker::new(config, parts)?),
        })
    }

    /// Opens the symbols of a module, named as in a request.
    ///
    /// # Errors
    /// They could not be had, which says nothing about them. Nothing is remembered then.
    pub async fn open(
        &self,
        debug_file: &str,
        debug_id: &str,
    ) -> Result<ModuleSymbols, SymcacheFailure> {
        let mut answer = self.try_open(debug_file, debug_id).await;
        if matches!(answer, Err(SymcacheFailure::Changed)) {
            // The catalog knows now that they have been replaced or removed.
            answer = self.try_open(debug_file, debug_id).await;
        }
        match answer {
            // Not remembered, since the next upload mends it.
            Err(failure) if failure.is_damage() => {
                self.metrics.symcache_lookups.count("unusable");
                Ok(ModuleSymbols::Unusable(Unusable::DAMAGED))
            }
            Err(failure) => {
                self.metrics.symcache_lookups.count("failed");
                Err(failure)
            }
            Ok(symbols) => Ok(symbols),
        }
    }

    /// Tells what this node knows of a module's symcache; `None` if no source holds its symbols. Nothing is converted.
    ///
    /// # Errors
    /// A source could not be asked.
    pub async fn explain(
        &self,
        debug_file: &str,
        debug_id: &str,
    ) -> Result<Option<SymcacheExplanation>, SymcacheFailure> {
        let finding = Source::find(&self.catalog, debug_file, debug_id, self.natives);
        let Some(source) = finding.await? else {
            return Ok(None);
        };
        let state = match self.opened.get(&source.name()).await {
            Some(Opened::Usable(symcache)) => SymcacheState::Usable {
                length: symcache.length,
            },
            Some(Opened::Unusable(unusable)) => SymcacheState::Unusable(unusable),
            None => self.maker.state(&source).await,
        };
        Ok(Some(SymcacheExplanation {
            path: self.maker.stored.path(&source),
            digest: source.digest,
            source: source.key,
            versions: VERSIONS,
            state,
        }))
    }

    async fn try_open(
        &self,
        debug_file: &str,
        debug_id: &str,
    ) -> Result<ModuleSymbols, SymcacheFailure> {
        let finding = Source::find(&self.catalog, debug_file, debug_id, self.natives);
        let Some(source) = finding.await? else {
            self.metrics.symcache_lookups.count("absent");
            return Ok(ModuleSymbols::Absent);
        };
        let name = source.name();
        if let Some(opened) = self.opened.get(&name).await {
            self.metrics.symcache_lookups.count(match opened {
                Opened::Usable(_) => "open",
                Opened::Unusable(_) => "unusable",
            });
            return Ok(opened.into());
        }
        Box::pin(self.make_together(name, source)).await
    }

    /// Opens a symcache once for all callers that wait at this moment.
    async fn make_together(
        &self,
        name: Arc<str>,
        source: Source,
    ) -> Result<ModuleSymbols, SymcacheFailure> {
        // The task holds the question, so the next caller finds it although this one has left.
        let (opened, maker) = (self.opened.clone(), Arc::clone(&self.maker));
        let asking = async move {
            let answer = opened.try_get_with(name, maker.make(source)).await;
            opened.run_pending_tasks().await;
            answer
        };
        let answer = self.background.run(asking).await;
        let count = i64::try_from(self.opened.entry_count()).unwrap_or(i64::MAX);
        self.metrics.symcaches_open.set(count);
        match answer {
            Ok(Ok(opened)) => Ok(opened.into()),
            Ok(Err(failure)) => Err(SymcacheFailure::clone(&failure)),
            Err(_) => Err(SymcacheFailure::Panicked),
        }
    }
}

/// Gets symcaches that are not open.
#[derive(Debug)]
struct Maker {
    directory: Arc<NodeDirectory>,
    stored: Arc<StoredSymcaches>,
    converter: Converter,
    cpu: CpuPool,
    background: Background,
    metrics: Metrics,
}

impl Maker {
    fn new(config: &SymbolicationConfig, parts: SymcacheParts) -> io::Result<Self> {
        let SymcacheParts {
            catalog,
            scratch,
            directory,
            form,
            program,
            cpu,
            background,
            clock,
            metrics,
        } = parts;
        let unpacker = Unpacker::new(cpu.clone(), Arc::clone(&scratch));
        let room = config.disk_cache.as_u64();
        let directory = Arc::new(NodeDirectory::open(&directory, room, metrics.clone())?);
        let spooler = Spooler::new(Arc::clone(&scratch), cpu.clone());
        Ok(Self {
            stored: Arc::new(StoredSymcaches {
                catalog: Arc::clone(&catalog),
                spooler: spooler.clone(),
                scratch,
                cpu: cpu.clone(),
                form,
                largest: config.max_source_size,
            }),
            converter: Converter::new(
                config,
                ConverterParts {
                    catalog,
                    spooler,
                    unpacker,
                    program,
                    directory: Arc::clone(&directory),
                    cpu: cpu.clone(),
                    clock,
                    metrics: metrics.clone(),
                },
            ),
            directory,
            cpu,
            background,
            metrics,
        })
    }

    /// The state of a symcache that is not open.
    async fn state(&self, source: &Source) -> SymcacheState {
        let (directory, name) = (Arc::clone(&self.directory), source.file_name());
        let peeking =
            blocking::run(move || Ok(directory.peek(&name).map(|file| file::peek(&file))));
        match peeking.await {
            Ok(Some(Ok(Content::Usable { length, .. }))) => SymcacheState::Usable { length },
            Ok(Some(Ok(Content::Unusable(unusable)))) => SymcacheState::Unusable(unusable),
            _ if self.stored.holds(source).await => SymcacheState::Stored,
            _ => SymcacheState::NotMade,
        }
    }

    async fn make(&self, source: Source) -> Result<Opened, SymcacheFailure> {
        let (opened, origin) = if let Some(opened) = self.on_disk(&source).await? {
            (opened, "disk")
        } else if let Some(opened) = self.in_store(&source).await? {
            (opened, "store")
        } else {
            (self.convert(source).await?, "converted")
        };
        self.metrics.symcache_lookups.count(match opened {
            Opened::Usable(_) => origin,
            Opened::Unusable(_) => "unusable",
        });
        Ok(opened)
    }

    /// The symcache in the node's directory. A damaged one is removed.
    async fn on_disk(&self, source: &Source) -> Result<Option<Opened>, SymcacheFailure> {
        let (directory, name, digest) = (
            Arc::clone(&self.directory),
            source.file_name(),
            source.digest,
        );
        let job = move || {
            let file = directory.file(&name)?;
            let opened = file::open(file, &digest);
            opened
                .map_err(|fault| {
                    warn_of_damage("disk", &name, &fault);
                    directory.remove(&name);
                })
                .ok()
        };
        let opened = self.cpu.run(job).await;
        opened.map_err(|_| SymcacheFailure::Panicked)
    }

    /// The symcache that some node has stored.
    async fn in_store(&self, source: &Source) -> Result<Option<Opened>, SymcacheFailure> {
        let Some(mut spooled) = self.stored.fetch(source).await else {
            return Ok(None);
        };
        let directory = Arc::clone(&self.directory);
        let job = move || {
            let mut file = directory.temporary()?;
            io::copy(&mut spooled.file, &mut file)?;
            Ok(file)
        };
        let copied: io::Result<_> = self.run(job).await?;
        match self.keep(source, copied?).await? {
            Ok(opened) => Ok(Some(opened)),
            Err(fault) => {
                warn_of_damage("store", &self.stored.path(source), &fault);
                Ok(None)
            }
        }
    }

    /// Converts the symbols, keeps the symcache in the node's directory and stores it beside the symbols.
    async fn convert(&self, source: Source) -> Result<Opened, SymcacheFailure> {
        let (file, place) = match self.converter.convert(&source).await? {
            Converted::Refused(unusable) => return Ok(Opened::Unusable(unusable)),
            Converted::File(file, place) => (file, place),
        };
        let to_store = file.reopen()?;
        let opened = self.keep(&source, file).await??;
        let stored = Arc::clone(&self.stored);
        self.background.start(async move {
            stored.store(&source, to_store).await;
            // Only now the next symbols may be read, so slow stores bound how many symcaches wait for them.
            drop(place);
        });
        Ok(opened)
    }

    /// Opens a new file, and keeps it if it is good.
    async fn keep(
        &self,
        source: &Source,
        file: NamedTempFile,
    ) -> Result<Result<Opened, FileFault>, SymcacheFailure> {
        let (directory, name, digest) = (
            Arc::clone(&self.directory),
            source.file_name(),
            source.digest,
        );
        self.run(move || {
            let opened = file::open(File::try_clone(file.as_file())?, &digest)?;
            directory.keep(&name, file)?;
            Ok(opened)
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, SymcacheFailure> {
        let ended = self.cpu.run(job).await;
        ended.map_err(|_| SymcacheFailure::Panicked)
    }
}

/// Warns of a symcache that was not believed, and is made again.
fn warn_of_damage(place: &'static str, name: &str, fault: &FileFault) {
    tracing::warn!(
        event = "symcache_damaged",
        place,
        name,
        %fault,
        "a symcache is damaged, will make it again"
    );
}

#[cfg(test)]
mod tests;
