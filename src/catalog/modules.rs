//! Finds modules by either of their pairs of names.
//!
//! The header of an uploaded `.sym` file names its module twice: by debug file and debug id, and by code file and code
//! id. The database keeps both, so a client that knows one pair can learn the other. Each pair of names in each store
//! is a memoised query to the database. So an upload invalidates exactly the modules that it names, and try uploads
//! cannot influence the answer to a lookup that does not include try symbols.

use std::sync::Arc;

use crate::cache::{CacheKey, Memo, MemoFactory, MemoKind};
use crate::db::DbError;
use crate::db::files::{FileRecords, HeldId, ModuleRecord};
use crate::db::uploads::FileRecord;
use symbols::{DebugId, Store, Stores};

use super::{Lookup, Sourced};

/// The pair of names that a module is looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// Code file and code id.
    CodeId,
    /// Debug file and debug id.
    DebugId,
}

/// A module that an upload named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Its record.
    pub record: ModuleRecord,
    /// The store that holds its file.
    pub store: Store,
}

/// The database could not be asked, so it is unknown whether there is such a module.
#[derive(Clone, Debug, thiserror::Error)]
#[error("could not look up a module: {0}")]
pub struct ModulesError(#[source] pub Arc<DbError>);

/// The modules of all completed uploads, and the remembered answers about them.
#[derive(Debug)]
pub struct Modules {
    files: Arc<dyn FileRecords>,
    memo: Memo<ModuleRecord>,
}

impl Modules {
    /// Makes a directory of the modules in the database.
    #[must_use]
    pub fn new(files: Arc<dyn FileRecords>, memos: &MemoFactory) -> Self {
        Self {
            files,
            memo: memos.memo(MemoKind::Modules),
        }
    }

    /// The module of these names that was uploaded last. Regular modules come before try modules.
    ///
    /// # Errors
    /// The database could not be asked.
    pub async fn find(
        &self,
        named_by: NamedBy,
        file: &str,
        id: &DebugId,
        lookup: Lookup,
    ) -> Result<Option<Module>, ModulesError> {
        for store in lookup.stores.iter() {
            let question = Question {
                named_by,
                file,
                id,
                store,
            };
            if let Some(record) = self.ask(question, lookup.refreshes).await? {
                return Ok(Some(Module { record, store }));
            }
        }
        Ok(None)
    }

    /// The module of these names, whether they are a debug file and debug id or a code file and code id.
    ///
    /// # Errors
    /// The database could not be asked.
    pub async fn find_by_any_name(
        &self,
        file: &str,
        id: &DebugId,
        lookup: Lookup,
    ) -> Result<Option<Module>, ModulesError> {
        for named_by in [NamedBy::DebugId, NamedBy::CodeId] {
            let found = self.find(named_by, file, id, lookup).await?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The module of these names in each store, and the origin of that answer. Answers that are not remembered are
    /// asked for, and not kept.
    pub async fn explain(
        &self,
        named_by: NamedBy,
        file: &str,
        id: &DebugId,
        stores: Stores,
    ) -> Vec<Sourced<Module>> {
        let mut answers = Vec::new();
        for store in stores.iter() {
            let question = Question {
                named_by,
                file,
                id,
                store,
            };
            let remembered = self.memo.peek(&question.cache_key()).await;
            let known = Sourced::of(remembered, question.ask(self.files.as_ref())).await;
            let module = |record| Module { record, store };
            answers.push(Sourced {
                answer: known.answer.map(|record| record.map(module)),
                origin: known.origin,
            });
        }
        answers
    }

    /// Debug ids under which symbols of this debug file were uploaded, the newest first; at most `limit` in each store.
    ///
    /// # Errors
    /// The database could not be asked.
    pub async fn ids(
        &self,
        debug_file: &str,
        stores: Stores,
        limit: u32,
    ) -> Result<Vec<HeldId>, DbError> {
        let mut ids = Vec::new();
        for store in stores.iter() {
            ids.extend(self.files.debug_ids(debug_file, store, limit).await?);
        }
        Ok(ids)
    }

    /// Drops the remembered answers about the module that a file names, because the file has just been recorded.
    pub async fn forget(&self, file: &FileRecord, store: Store) {
        let names = [
            (NamedBy::DebugId, &file.debug_file, &file.debug_id),
            (NamedBy::CodeId, &file.code_file, &file.code_id),
        ];
        for (named_by, file, id) in names {
            if let (Some(file), Some(id)) = (file, id) {
                let question = Question {
                    named_by,
                    file,
                    id,
                    store,
                };
                self.memo.forget(&question.cache_key()).await;
            }
        }
    }

    async fn ask(
        &self,
        question: Question<'_>,
        refreshes: bool,
    ) -> Result<Option<ModuleRecord>, ModulesError> {
        let key = question.cache_key();
        let ask = || question.ask(self.files.as_ref());
        if refreshes {
            let answer = self.memo.refresh(&key, ask).await;
            return answer.map_err(|error| ModulesError(Arc::new(error)));
        }
        self.memo.get_or_ask(&key, ask).await.map_err(ModulesError)
    }
}

/// One query to the database.
#[derive(Clone, Copy, Debug)]
struct Question<'a> {
    named_by: NamedBy,
    file: &'a str,
    id: &'a DebugId,
    store: Store,
}

impl Question<'_> {
    async fn ask(self, files: &dyn FileRecords) -> Result<Option<ModuleRecord>, DbError> {
        match self.named_by {
            NamedBy::CodeId => {
                files
                    .module_by_code_id(self.file, self.id, self.store)
                    .await
            }
            NamedBy::DebugId => {
                files
                    .module_by_debug_id(self.file, self.id, self.store)
                    .await
            }
        }
    }

    fn cache_key(self) -> CacheKey {
        let kind = match self.named_by {
            NamedBy::CodeId => "module-by-code-id",
            NamedBy::DebugId => "module-by-debug-id",
        };
        CacheKey::new(kind, &[self.store.name(), self.file, self.id.as_str()])
    }
}
