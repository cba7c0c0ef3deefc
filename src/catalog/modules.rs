//! Finds modules by either of their pairs of names.
//!
//! The header of an uploaded `.sym` file names its module twice: by debug file and debug id, and by code file and code
//! id. The database keeps both, so a client that knows one pair can learn the other. Each pair of names in each store
//! is a memoised query to the database. A code file of Windows is asked for under its folded name too, after the exact
//! one: it is named as it was loaded, in whatever letter case. So an upload invalidates exactly the modules that it
//! names, and try uploads cannot influence the answer to a lookup that does not include try symbols.

use std::sync::Arc;

use crate::cache::{CacheKey, Memo, MemoFactory, MemoKind};
use crate::db::DbError;
use crate::db::files::{FileRecords, HeldId, ModuleRecord};
use crate::db::uploads::FileRecord;
use symbols::{DebugId, FoldedName, Store, Stores};

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

    /// The module of these names that was uploaded last. Regular modules come before try modules, and modules of
    /// exactly these names before those of other spellings.
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
        for question in questions(named_by, file, id, lookup.stores) {
            let store = question.store;
            if let Some(record) = self.ask(&question, lookup.refreshes).await? {
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

    /// The module of exactly these names in each store, then, if there is none, that of other spellings, each with the
    /// origin of that answer. Answers that are not remembered are asked for, and not kept.
    pub async fn explain(
        &self,
        named_by: NamedBy,
        file: &str,
        id: &DebugId,
        stores: Stores,
    ) -> Vec<Sourced<Module>> {
        let mut answers: Vec<Sourced<Module>> = Vec::new();
        for question in questions(named_by, file, id, stores) {
            let store = question.store;
            let is_found = answers.iter().any(|known| known.answer != Ok(None));
            if is_found && matches!(question.names, Names::FoldedCode(_)) {
                break;
            }
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
                for question in questions(named_by, file, id, store.into()) {
                    self.memo.forget(&question.cache_key()).await;
                }
            }
        }
    }

    async fn ask(
        &self,
        question: &Question<'_>,
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

/// How a question names a module.
#[derive(Clone, Debug)]
enum Names<'a> {
    Debug(&'a str),
    Code(&'a str),
    FoldedCode(FoldedName),
}

/// One query to the database.
#[derive(Clone, Debug)]
struct Question<'a> {
    names: Names<'a>,
    id: &'a DebugId,
    store: Store,
}

/// The questions about a module, in the order in which they are asked.
fn questions<'a>(
    named_by: NamedBy,
    file: &'a str,
    id: &'a DebugId,
    stores: Stores,
) -> impl Iterator<Item = Question<'a>> {
    let (exact, folded) = match named_by {
        NamedBy::DebugId => (Names::Debug(file), None),
        NamedBy::CodeId => (Names::Code(file), FoldedName::of(file)),
    };
    let names = std::iter::once(exact).chain(folded.map(Names::FoldedCode));
    names.flat_map(move |names| {
        stores.iter().map(move |store| Question {
            names: names.clone(),
            id,
            store,
        })
    })
}

impl Question<'_> {
    async fn ask(&self, files: &dyn FileRecords) -> Result<Option<ModuleRecord>, DbError> {
        let (id, store) = (self.id, self.store);
        match &self.names {
            Names::Debug(file) => files.module_by_debug_id(file, id, store).await,
            Names::Code(file) => files.module_by_code_id(file, id, store).await,
            Names::FoldedCode(file) => files.module_by_folded_code_id(file, id, store).await,
        }
    }

    fn cache_key(&self) -> CacheKey {
        let (kind, file) = match &self.names {
            Names::Debug(file) => ("module-by-debug-id", *file),
            Names::Code(file) => ("module-by-code-id", *file),
            Names::FoldedCode(file) => ("module-by-folded-code-id", file.as_str()),
        };
        CacheKey::new(kind, &[self.store.name(), file, self.id.as_str()])
    }
}
