//! Do we have it, and where?
//!
//! The catalog knows the sources in the order in which they are asked: the regular ones, then, for those who ask for
//! try symbols, the try source. Each pair of source and key is one memoised question to that source's storage, so an
//! upload ends what is remembered of exactly the file that it stored, and nothing that concerns try symbols can show
//! in an answer to somebody who did not ask for them.
//!
//! [`Modules`] knows the same files by what their headers say: which module is meant by a code id. [`Builds`] knows
//! regular files by the build id that they carry.

mod builds;
mod modules;
mod origin;
mod source;
mod spool;

use std::ops::Range;
use std::sync::Arc;

use crate::background::{Background, TaskPanicked};
use crate::cache::{CacheKey, Memo, MemoFactory, MemoKind};
use crate::db::{BuildIdRecords, FileRecords};
use crate::storage::{Address, Fetched, ObjectInfo, StorageError};
use symbols::{Store, Stores, SymbolKey};

pub use builds::{Builds, BuildsError, KnownBuild};
pub use modules::{Module, Modules, ModulesError, NamedBy};
pub use origin::{Origin, Sourced, Unknown};
pub use source::{Layout, SymbolSource, UploadTarget};
pub use spool::{SpoolError, SpoolLimit, Spooled, Spooler};

/// How a lookup is to be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lookup {
    /// Which stores are asked.
    pub stores: Stores,
    /// Whether to look past what is remembered.
    pub refreshes: bool,
}

/// A file that some source holds.
#[derive(Clone, Debug)]
pub struct Found {
    /// The source that holds it.
    pub source: Arc<SymbolSource>,
    /// Its path there.
    pub path: String,
    /// What is known of it.
    pub info: Arc<ObjectInfo>,
    /// Whether it is a gzip file of what is wanted: then [`Self::info`] and what is opened describe the wanted file,
    /// stored gzipped.
    is_unwrapped: bool,
}

impl Found {
    /// Sees a gzip file, such as a `.dbg.gz`, as the file that was gzipped: to HTTP that is the same as a file that is
    /// stored gzipped. `None` for one that the storage holds gzipped once more.
    #[must_use]
    pub fn unwrapped(mut self) -> Option<Self> {
        if self.info.meta.is_gzipped {
            return None;
        }
        self.is_unwrapped = true;
        unwrap_gzip(Arc::make_mut(&mut self.info));
        Some(self)
    }
}

fn unwrap_gzip(info: &mut ObjectInfo) {
    info.meta.is_gzipped = true;
    info.meta.original_size = None;
    info.meta.content_type = None;
}

/// What one source says of a file.
#[derive(Clone, Debug)]
pub struct SourceAnswer {
    /// The storage's name.
    pub storage: String,
    /// Where the file would be there.
    pub path: String,
    /// Which store the source is of.
    pub store: Store,
    /// Whether it is there.
    pub held: Sourced<Arc<ObjectInfo>>,
}

/// A source could not be asked, so nobody knows whether it holds the file.
#[derive(Clone, Debug, thiserror::Error)]
#[error("could not look up a symbol: {0}")]
pub struct CatalogError(#[source] pub Arc<StorageError>);

/// All sources, and what is remembered of them.
#[derive(Debug)]
pub struct Catalog {
    /// The regular sources; the first is that of `target`.
    regular: Vec<Arc<SymbolSource>>,
    target: Arc<UploadTarget>,
    try_target: Arc<UploadTarget>,
    memo: Memo<Arc<ObjectInfo>>,
    modules: Modules,
    builds: Builds,
    background: Background,
}

impl Catalog {
    /// Makes a catalog of the targets of regular and of try uploads, and of further regular sources in the order in
    /// which they are asked; `files` and `build_ids` are the records of what was uploaded. Sources are asked in
    /// `background` tasks, so that a client that disconnects does not end a lookup that other requests wait for.
    #[must_use]
    pub fn new(
        target: UploadTarget,
        further: Vec<SymbolSource>,
        try_target: UploadTarget,
        files: Arc<dyn FileRecords>,
        build_ids: Arc<dyn BuildIdRecords>,
        memos: &MemoFactory,
        background: Background,
    ) -> Self {
        let mut regular = vec![Arc::clone(target.source())];
        regular.extend(further.into_iter().map(Arc::new));
        Self {
            regular,
            target: Arc::new(target),
            try_target: Arc::new(try_target),
            memo: memos.memo(MemoKind::Catalog),
            modules: Modules::new(files, memos),
            builds: Builds::new(build_ids, memos),
            background,
        }
    }

    /// What the headers of the files say of their modules.
    #[must_use]
    pub fn modules(&self) -> &Modules {
        &self.modules
    }

    /// What is known of files by their build ids.
    #[must_use]
    pub fn builds(&self) -> &Builds {
        &self.builds
    }

    /// Where the files of a store are stored.
    #[must_use]
    pub fn upload_target(&self, store: Store) -> &Arc<UploadTarget> {
        match store {
            Store::Regular => &self.target,
            Store::Try => &self.try_target,
        }
    }

    /// The first source that holds the file.
    ///
    /// # Errors
    /// A source that comes before any that is known to hold the file could not be asked.
    pub async fn find(
        &self,
        key: &SymbolKey,
        lookup: Lookup,
    ) -> Result<Option<Found>, CatalogError> {
        let asks_try = lookup.stores.includes(Store::Try);
        let try_source = asks_try.then(|| self.try_target.source());
        for source in self.regular.iter().chain(try_source) {
            let path = source.path(key);
            if let Some(info) = self.ask(source, &path, lookup.refreshes).await? {
                return Ok(Some(Found {
                    source: Arc::clone(source),
                    path,
                    info,
                    is_unwrapped: false,
                }));
            }
        }
        Ok(None)
    }

    /// What every source says of a file, and from where. What nobody remembers is asked for, and not remembered.
    pub async fn explain(&self, key: &SymbolKey, stores: Stores) -> Vec<SourceAnswer> {
        let asks_try = stores.includes(Store::Try);
        let try_source = asks_try.then(|| (self.try_target.source(), Store::Try));
        let regular = self.regular.iter().map(|source| (source, Store::Regular));
        let mut answers = Vec::new();
        for (source, store) in regular.chain(try_source) {
            let path = source.path(key);
            let remembered = self.memo.peek(&cache_key(source, &path)).await;
            let held = Sourced::of(remembered, self.head(source, &path)).await;
            answers.push(SourceAnswer {
                storage: source.objects().name().to_owned(),
                path,
                store,
                held,
            });
        }
        answers
    }

    /// The address to send clients to for a file that was found; `None` when they are to get its bytes from here.
    ///
    /// # Errors
    /// The source cannot make addresses right now.
    pub async fn address(&self, found: &Found) -> Result<Option<Address>, CatalogError> {
        if found.is_unwrapped {
            // The storage would send it as the gzip file that it is.
            return Ok(None);
        }
        let address = found.source.objects().address(&found.path).await;
        address.map_err(|error| CatalogError(Arc::new(error)))
    }

    /// Opens a file that was found: all of it, or a range. `None` when it has gone meanwhile; what was remembered of
    /// it is then dropped.
    ///
    /// # Errors
    /// The source could not be asked.
    pub async fn open(
        &self,
        found: &Found,
        range: Option<Range<u64>>,
    ) -> Result<Option<Fetched>, CatalogError> {
        let fetched = found.source.objects().fetch(&found.path, range).await;
        let fetched = fetched.map_err(|error| CatalogError(Arc::new(error)))?;
        let Some(mut fetched) = fetched else {
            self.forget(&found.source, &found.path).await;
            return Ok(None);
        };
        if found.is_unwrapped {
            unwrap_gzip(&mut fetched.info);
        }
        Ok(Some(fetched))
    }

    /// Drops what is remembered of a path of a source, because it has just changed.
    pub async fn forget(&self, source: &SymbolSource, path: &str) {
        self.memo.forget(&cache_key(source, path)).await;
    }

    async fn ask(
        &self,
        source: &Arc<SymbolSource>,
        path: &str,
        refreshes: bool,
    ) -> Result<Option<Arc<ObjectInfo>>, CatalogError> {
        let key = cache_key(source, path);
        let ask = || self.head(source, path);
        if refreshes {
            let answer = Box::pin(self.memo.refresh(&key, ask)).await;
            return answer.map_err(|error| CatalogError(Arc::new(error)));
        }
        self.memo.get_or_ask(&key, ask).await.map_err(CatalogError)
    }

    async fn head(
        &self,
        source: &Arc<SymbolSource>,
        path: &str,
    ) -> Result<Option<Arc<ObjectInfo>>, StorageError> {
        let (source, path) = (Arc::clone(source), path.to_owned());
        let head = async move { source.objects().head(&path).await };
        let ended = self.background.run(head).await;
        let info = ended.unwrap_or_else(|panic| Err(unavailable(panic)))?;
        Ok(info.map(Arc::new))
    }
}

fn cache_key(source: &SymbolSource, path: &str) -> CacheKey {
    CacheKey::new("object", &[source.objects().location(), path])
}

/// A lookup that panicked says as little of the file as a storage that did not answer.
fn unavailable(panic: TaskPanicked) -> StorageError {
    StorageError::Unavailable {
        storage: "any".to_owned(),
        reason: panic.to_string(),
    }
}
