//! The symcaches of modules: found, made, kept and opened.
//!
//! [`Symcaches::open`] takes the first that there is: a symcache that this process has open, or a new one, converted
//! from the module's symbols. Many callers that ask for one module share one conversion, which goes on even if all of
//! them leave.

mod convert;
mod file;
mod module;
mod source;

use std::sync::Arc;

use moka::future::Cache;
use moka::policy::EvictionPolicy;

use super::config::SymbolicationConfig;
use crate::background::Background;
use crate::catalog::{Catalog, Spooler};
use crate::cpu::CpuPool;
use crate::metrics::{CountResult, Metrics};
use crate::scratch::Scratch;

use convert::{Converted, Converter};
use module::Opened;
use source::Source;

pub(super) use source::sym_key;

pub use module::{
    MappedBytes, ModuleSymbols, OpenSymcache, SymcacheFailure, Unusable, UnusableReason,
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
    /// The pool that converts.
    pub cpu: CpuPool,
    /// Runs conversions to their end even if nobody waits for them any more.
    pub background: Background,
    /// The metrics.
    pub metrics: Metrics,
}

/// The symcaches of all modules. Clones share what is open.
#[derive(Clone, Debug)]
pub struct Symcaches {
    catalog: Arc<Catalog>,
    opened: Cache<Arc<str>, Opened>,
    maker: Arc<Maker>,
    background: Background,
    metrics: Metrics,
}

impl Symcaches {
    /// Makes an empty collection.
    #[must_use]
    pub fn new(config: &SymbolicationConfig, parts: SymcacheParts) -> Self {
        let SymcacheParts {
            catalog,
            scratch,
            cpu,
            background,
            metrics,
        } = parts;
        let opened = Cache::builder()
            .max_capacity(OPEN)
            .eviction_policy(EvictionPolicy::lru());
        let spooler = Spooler::new(Arc::clone(&scratch), cpu.clone());
        Self {
            opened: opened.build(),
            maker: Arc::new(Maker {
                converter: Converter::new(config, spooler, scratch, cpu.clone()),
                catalog: Arc::clone(&catalog),
                cpu,
                metrics: metrics.clone(),
            }),
            catalog,
            background,
            metrics,
        }
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
        let source = Source::find(&self.catalog, debug_file, debug_id).await?;
        let Some(source) = source else {
            self.metrics.symcache_lookups.count("absent");
            return Ok(ModuleSymbols::Absent);
        };
        let name = source.name();
        if let Some(opened) = self.opened.get(&name).await {
            self.metrics.symcache_lookups.count("open");
            return Ok(opened.into());
        }
        // The task holds the question, so the next caller finds it although this one has left.
        let (opened, maker) = (self.opened.clone(), Arc::clone(&self.maker));
        let asking = async move { opened.try_get_with(name, maker.make(source)).await };
        let answered = Box::pin(self.background.run(asking)).await;
        let answered = answered.unwrap_or(Err(Arc::new(SymcacheFailure::Panicked)));
        match answered {
            Ok(opened) => Ok(opened.into()),
            Err(failure) => {
                self.metrics.symcache_lookups.count("failed");
                Err(SymcacheFailure::clone(&failure))
            }
        }
    }
}

/// Gets symcaches that are not open.
#[derive(Debug)]
struct Maker {
    catalog: Arc<Catalog>,
    converter: Converter,
    cpu: CpuPool,
    metrics: Metrics,
}

impl Maker {
    async fn make(&self, source: Source) -> Result<Opened, SymcacheFailure> {
        match self.converter.convert(&self.catalog, &source).await? {
            Converted::Refused(unusable) => Ok(Opened::Unusable(unusable)),
            Converted::File(file, digest) => {
                self.metrics.symcache_lookups.count("converted");
                let opened = self
                    .cpu
                    .run(move || file::open(file.into_file(), &digest))
                    .await;
                let opened = opened.map_err(|_| SymcacheFailure::Panicked)?;
                Ok(opened?)
            }
        }
    }
}
