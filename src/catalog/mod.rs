//! Finds which source holds a file.
//!
//! The catalog asks the sources in order: the regular ones, then, if a lookup includes try symbols, the try source.
//! Each pair of source and path is a memoised lookup in that source's storage. So an upload invalidates exactly the
//! files that it stored, and try symbols cannot influence the answer to a lookup that does not include them.
//!
//! [`Modules`] finds the module of a code id or a debug id, by the headers of the files. [`Builds`] finds regular files
//! by build id. [`Spellings`] finds files of Windows whatever the letter case of their names. [`Spooler`] brings a
//! stored object into a temporary file.

mod builds;
mod modules;
mod origin;
mod source;
mod spellings;
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
pub use origin::{NoAnswer, Origin, Sourced};
pub use source::{Layout, SymbolSource, UploadTarget};
pub use spellings::{Spellings, SpellingsError};
pub use spool::{SpoolError, SpoolLimit, Spooled, Spooler};

/// The options of a lookup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lookup {
    /// Which stores are asked.
    pub stores: Stores,
    /// Whether to ask the storage even if an answer is remembered.
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
    /// Whether the object is a gzip file of the wanted one. If so, [`Self::info`] and [`Catalog::open`] describe the
    /// wanted file, stored gzipped.
    is_unwrapped: bool,
}

impl Found {
    /// Treats a gzip file, such as a `.dbg.gz`, as the file inside it, which HTTP sends like any file that is stored
    /// gzipped. `None` if the storage holds the gzip file itself gzipped.
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

/// One source's answer about a file.
#[derive(Clone, Debug)]
pub struct SourceAnswer {
    /// The storage's name.
    pub storage: String,
    /// Where the file would be there.
    pub path: String,
    /// The store that the source belongs to.
    pub store: Store,
    /// Whether it is there.
    pub held: Sourced<Arc<ObjectInfo>>,
}

/// A source could not be asked, so it is unknown whether it holds the file.
#[derive(Clone, Debug, thiserror::Error)]
#[error("could not look up a symbol: {0}")]
pub struct CatalogError(#[source] pub Arc<StorageError>);

impl CatalogError {
    /// Returns whether the source holds the file, and the object is damaged.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        self.0.is_damage()
    }
}

/// All sources, and the remembered answers about them.
#[derive(Debug)]
pub struct Catalog {
    /// The regular sources; the first is that of `target`.
    regular: Vec<Arc<SymbolSource>>,
    target: Arc<UploadTarget>,
    try_target: Arc<UploadTarget>,
    memo: Memo<Arc<ObjectInfo>>,
    modules: Modules,
    spellings: Spellings,
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
            modules: Modules::new(Arc::clone(&files), memos),
            spellings: Spellings::new(files, memos),
            builds: Builds::new(build_ids, memos),
            background,
        }
    }

    /// The modules that the headers of the files name.
    #[must_use]
    pub fn modules(&self) -> &Modules {
        &self.modules
    }

    /// The spellings of the names of Windows files.
    #[must_use]
    pub fn spellings(&self) -> &Spellings {
        &self.spellings
    }

    /// The files that are known by their build ids.
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
    /// A source could not be asked, and no source before it holds the file.
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

    /// Every source's answer about a file, and its origin. Answers that are not remembered are asked for, and not kept.
    pub async fn explain(&self, key: &SymbolKey, stores: Stores) -> Vec<SourceAnswer> {
        let asks_try = stores.includes(Store::Try);
        let try_source = asks_try.then(|| (self.try_target.source(), Store::Try));
        let regular = self.regular.iter().map(|source| (source, Store::Regular));
        let mut answers = Vec::new();
        for (source, store) in regular.chain(try_source) {
            let path = source.path(key);
            let remembered = self.memo.peek(&cache_key(source, &path)).await;
            let mut held = Sourced::of(remembered, self.head(source, &path)).await;
            if source.objects().is_known_damaged(&path) {
                held.answer = Err(NoAnswer::Damaged);
            }
            answers.push(SourceAnswer {
                storage: source.objects().name().to_owned(),
                path,
                store,
                held,
            });
        }
        answers
    }

    /// The URL to redirect clients to for a file that was found; `None` if this server sends its bytes.
    ///
    /// # Errors
    /// The source cannot make URLs right now.
    pub async fn address(&self, found: &Found) -> Result<Option<Address>, CatalogError> {
        if found.is_unwrapped {
            // The storage would send it as a gzip file, without a Content-Encoding.
            return Ok(None);
        }
        let address = found.source.objects().address(&found.path).await;
        address.map_err(|error| CatalogError(Arc::new(error)))
    }

    /// Opens a file that was found: all of it, or a range. `None` if it has been removed since. The remembered answer
    /// is dropped then, and if the file is damaged.
    ///
    /// # Errors
    /// The source could not be asked, or holds a damaged object.
    pub async fn open(
        &self,
        found: &Found,
        range: Option<Range<u64>>,
    ) -> Result<Option<Fetched>, CatalogError> {
        let fetched = found.source.objects().fetch(&found.path, range).await;
        if matches!(fetched, Ok(None) | Err(StorageError::Damaged { .. })) {
            self.forget(&found.source, &found.path).await;
        }
        let fetched = fetched.map_err(|error| CatalogError(Arc::new(error)))?;
        let Some(mut fetched) = fetched else {
            return Ok(None);
        };
        if found.is_unwrapped {
            unwrap_gzip(&mut fetched.info);
        }
        Ok(Some(fetched))
    }

    /// Drops the remembered answer about a path of a source, because the object has just changed.
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

/// Treats a lookup that panicked like a storage that did not answer.
fn unavailable(panic: TaskPanicked) -> StorageError {
    StorageError::Unavailable {
        storage: "any".to_owned(),
        reason: panic.to_string(),
    }
}
