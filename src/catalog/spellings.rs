//! Finds the keys of Windows files that differ from a wanted one in letter case alone.
//!
//! Storages compare names letter by letter, so another spelling is found through the records of uploads. Each folded
//! key in each store is a memoised query to the database, whatever spelling was asked for. So an upload invalidates
//! exactly the spellings of its own files, and files that no upload has recorded are found by their exact names alone.

use std::sync::Arc;

use crate::cache::{CacheKey, Memo, MemoFactory, MemoKind};
use crate::db::DbError;
use crate::db::files::FileRecords;
use symbols::{FoldedKey, Store, SymbolKey};

use super::{Lookup, Sourced};

/// The database could not be asked, so it is unknown whether there is another spelling.
#[derive(Clone, Debug, thiserror::Error)]
#[error("could not look up the spellings of a name: {0}")]
pub struct SpellingsError(#[source] pub Arc<DbError>);

/// The spellings of the keys of all completed uploads, and the remembered answers about them.
#[derive(Debug)]
pub struct Spellings {
    files: Arc<dyn FileRecords>,
    memo: Memo<SymbolKey>,
}

impl Spellings {
    /// Makes a directory of the keys in the database.
    #[must_use]
    pub fn new(files: Arc<dyn FileRecords>, memos: &MemoFactory) -> Self {
        Self {
            files,
            memo: memos.memo(MemoKind::Spellings),
        }
    }

    /// Another spelling of the key under which a file was uploaded, the newest one; regular uploads come before try
    /// uploads. `None` for files of other systems, whose names have letter case.
    ///
    /// # Errors
    /// The database could not be asked.
    pub async fn find(
        &self,
        key: &SymbolKey,
        lookup: Lookup,
    ) -> Result<Option<SymbolKey>, SpellingsError> {
        let Some(folded) = FoldedKey::of(key) else {
            return Ok(None);
        };
        for store in lookup.stores.iter() {
            let found = self.ask(&folded, store, lookup.refreshes).await?;
            if let Some(other) = found.filter(|other| other != key) {
                return Ok(Some(other));
            }
        }
        Ok(None)
    }

    /// The answer of [`Self::find`] in one store, and its origin. An answer that is not remembered is asked for, and
    /// not kept. `None` for files of other systems.
    pub async fn explain(&self, key: &SymbolKey, store: Store) -> Option<Sourced<SymbolKey>> {
        let folded = FoldedKey::of(key)?;
        let remembered = self.memo.peek(&cache_key(&folded, store)).await;
        let mut known = Sourced::of(remembered, self.files.key_by_folded(&folded, store)).await;
        if known.answer.as_ref() == Ok(&Some(key.clone())) {
            known.answer = Ok(None);
        }
        Some(known)
    }

    /// Drops the remembered answer about the spellings of a key, because a file has just been recorded under it.
    pub async fn forget(&self, key: &SymbolKey, store: Store) {
        if let Some(folded) = FoldedKey::of(key) {
            self.memo.forget(&cache_key(&folded, store)).await;
        }
    }

    async fn ask(
        &self,
        key: &FoldedKey,
        store: Store,
        refreshes: bool,
    ) -> Result<Option<SymbolKey>, SpellingsError> {
        let cache_key = cache_key(key, store);
        let ask = || self.files.key_by_folded(key, store);
        if refreshes {
            let answer = self.memo.refresh(&cache_key, ask).await;
            return answer.map_err(|error| SpellingsError(Arc::new(error)));
        }
        let answer = self.memo.get_or_ask(&cache_key, ask).await;
        answer.map_err(SpellingsError)
    }
}

fn cache_key(key: &FoldedKey, store: Store) -> CacheKey {
    CacheKey::new("spelling", &[store.name(), key.as_str()])
}
