//! A real storage and a real database whose calls fail when the test says so, or wait.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use symbold::db::build_ids::{BuildIdRecord, BuildIdRecords, KeyRange, ModuleFolder};
use symbold::db::files::{FileRecords, HeldId, ModuleRecord, ReplacedFile};
use symbold::db::missing::{
    BatchId, MissingCount, MissingDemand, MissingFilter, MissingPage, MissingPlace, MissingRecord,
    MissingRecords, PageRequest,
};
use symbold::db::nodes::{NodeBeat, NodeRecords};
use symbold::db::tokens::{NewToken, TokenRecord, TokenRecords};
use symbold::db::uploads::{FileRecord, Hold, NewUpload, Outcome, UploadRecord, UploadRecords};
use symbold::db::waiting::{WaitingFile, WaitingRecords};
use symbold::db::{Database, DatabaseCheck, DbError};
use symbold::server::Adaptors;
use symbold::storage::{
    Address, Fetched, ObjectInfo, ObjectMeta, ObjectSource, Payload, Storage, StorageError,
};
use symbols::{BuildId, DebugId, FoldedKey, FoldedName, Sha256, Store, SymbolKey};
use time::OffsetDateTime;
use tokio::sync::watch;

/// What a call that fails has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    Refused,
    /// Everything, and then the answer was lost.
    AnswerLost,
    /// Nothing, for a mistake in the program.
    Panics,
}

/// Which calls fail, of those that uploads make.
#[derive(Debug)]
pub(crate) struct Faults {
    plan: Mutex<Plan>,
    is_open: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Plan {
    calls: usize,
    failing: Range<usize>,
    fault: Option<Fault>,
    struck: usize,
}

impl Faults {
    pub(crate) fn none() -> Arc<Self> {
        Arc::new(Self {
            plan: Mutex::default(),
            is_open: watch::Sender::new(true),
        })
    }

    /// Lets these calls fail, the next one being 0.
    pub(crate) fn fail(&self, failing: Range<usize>, fault: Fault) {
        *self.plan.lock().unwrap() = Plan {
            failing,
            fault: Some(fault),
            ..Plan::default()
        };
    }

    /// Lets all calls succeed again, and tells how many failed.
    pub(crate) fn heal(&self) -> usize {
        std::mem::take(&mut *self.plan.lock().unwrap()).struck
    }

    /// Lets calls wait until they may go on.
    pub(crate) fn hold(&self, holds: bool) {
        self.is_open.send_replace(!holds);
    }

    fn next(&self) -> Option<Fault> {
        let mut plan = self.plan.lock().unwrap();
        let number = plan.calls;
        plan.calls += 1;
        if !plan.failing.contains(&number) {
            return None;
        }
        plan.struck += 1;
        plan.fault
    }

    async fn around<T, E>(
        &self,
        error: impl FnOnce() -> E,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let mut is_open = self.is_open.subscribe();
        is_open.wait_for(|is_open| *is_open).await.unwrap();
        match self.next() {
            None => call.await,
            Some(Fault::Refused) => Err(error()),
            Some(Fault::Panics) => panic!("the test wants it so"),
            Some(Fault::AnswerLost) => {
                call.await?;
                Err(error())
            }
        }
    }
}

/// Puts faults before the storage and the database.
pub(crate) fn wrap(adaptors: Adaptors, storage: &Arc<Faults>, database: &Arc<Faults>) -> Adaptors {
    Adaptors {
        storage: Arc::new(FaultyStorage {
            sound: adaptors.storage,
            faults: Arc::clone(storage),
        }),
        database: Arc::new(FaultyDatabase {
            sound: adaptors.database,
            faults: Arc::clone(database),
        }),
        ..adaptors
    }
}

#[derive(Debug)]
struct FaultyStorage {
    sound: Arc<dyn Storage>,
    faults: Arc<Faults>,
}

fn storage_fault() -> StorageError {
    StorageError::Unavailable {
        storage: "the test's".to_owned(),
        reason: "the test wants it so".to_owned(),
    }
}

#[async_trait]
impl ObjectSource for FaultyStorage {
    fn name(&self) -> &str {
        self.sound.name()
    }

    fn location(&self) -> &str {
        self.sound.location()
    }

    async fn head(&self, path: &str) -> Result<Option<ObjectInfo>, StorageError> {
        let call = self.sound.head(path);
        self.faults.around(storage_fault, call).await
    }

    async fn fetch(
        &self,
        path: &str,
        range: Option<Range<u64>>,
    ) -> Result<Option<Fetched>, StorageError> {
        self.sound.fetch(path, range).await
    }

    async fn address(&self, path: &str) -> Result<Option<Address>, StorageError> {
        self.sound.address(path).await
    }

    async fn check(&self) -> Result<(), StorageError> {
        self.sound.check().await
    }
}

#[async_trait]
impl Storage for FaultyStorage {
    async fn put(
        &self,
        path: &str,
        payload: Payload,
        meta: ObjectMeta,
    ) -> Result<(), StorageError> {
        let call = self.sound.put(path, payload, meta);
        self.faults.around(storage_fault, call).await
    }

    async fn make_durable(&self, path: &str) -> Result<(), StorageError> {
        let call = self.sound.make_durable(path);
        self.faults.around(storage_fault, call).await
    }

    async fn delete(&self, path: &str) -> Result<(), StorageError> {
        self.sound.delete(path).await
    }
}

#[derive(Debug)]
struct FaultyDatabase {
    sound: Arc<dyn Database>,
    faults: Arc<Faults>,
}

fn database_fault() -> DbError {
    DbError::Unavailable("the test wants it so".to_owned())
}

#[async_trait]
impl DatabaseCheck for FaultyDatabase {
    async fn check(&self) -> Result<(), DbError> {
        self.sound.check().await
    }
}

#[async_trait]
impl UploadRecords for FaultyDatabase {
    async fn begin_upload(&self, upload: &NewUpload, hold: &Hold) -> Result<i64, DbError> {
        let call = self.sound.begin_upload(upload, hold);
        self.faults.around(database_fault, call).await
    }

    async fn complete_upload(
        &self,
        id: i64,
        outcome: &Outcome,
        at: OffsetDateTime,
    ) -> Result<(), DbError> {
        let call = self.sound.complete_upload(id, outcome, at);
        self.faults.around(database_fault, call).await
    }

    async fn fail_upload(&self, id: i64, reason: &str) -> Result<bool, DbError> {
        let call = self.sound.fail_upload(id, reason);
        self.faults.around(database_fault, call).await
    }

    async fn withdraw_upload(&self, id: i64) -> Result<(), DbError> {
        let call = self.sound.withdraw_upload(id);
        self.faults.around(database_fault, call).await
    }

    async fn upload(&self, id: i64) -> Result<Option<(UploadRecord, Vec<FileRecord>)>, DbError> {
        self.sound.upload(id).await
    }
}

#[async_trait]
impl FileRecords for FaultyDatabase {
    async fn module_by_debug_id(
        &self,
        debug_file: &str,
        debug_id: &DebugId,
        store: Store,
    ) -> Result<Option<ModuleRecord>, DbError> {
        self.sound
            .module_by_debug_id(debug_file, debug_id, store)
            .await
    }

    async fn module_by_code_id(
        &self,
        code_file: &str,
        code_id: &DebugId,
        store: Store,
    ) -> Result<Option<ModuleRecord>, DbError> {
        self.sound
            .module_by_code_id(code_file, code_id, store)
            .await
    }

    async fn module_by_folded_code_id(
        &self,
        code_file: &FoldedName,
        code_id: &DebugId,
        store: Store,
    ) -> Result<Option<ModuleRecord>, DbError> {
        self.sound
            .module_by_folded_code_id(code_file, code_id, store)
            .await
    }

    async fn key_by_folded(
        &self,
        key: &FoldedKey,
        store: Store,
    ) -> Result<Option<SymbolKey>, DbError> {
        self.sound.key_by_folded(key, store).await
    }

    async fn debug_ids(
        &self,
        debug_file: &str,
        store: Store,
        limit: u32,
    ) -> Result<Vec<HeldId>, DbError> {
        self.sound.debug_ids(debug_file, store, limit).await
    }

    async fn last_uploaders(
        &self,
        store: Store,
        keys: &[SymbolKey],
    ) -> Result<HashMap<SymbolKey, String>, DbError> {
        let call = self.sound.last_uploaders(store, keys);
        self.faults.around(database_fault, call).await
    }

    async fn replaced_files(&self, upload: i64) -> Result<Vec<ReplacedFile>, DbError> {
        self.sound.replaced_files(upload).await
    }
}

/// Not of an upload's own, so they do not count.
#[async_trait]
impl BuildIdRecords for FaultyDatabase {
    async fn files_by_build_id(&self, build_id: &BuildId) -> Result<Vec<BuildIdRecord>, DbError> {
        self.sound.files_by_build_id(build_id).await
    }

    async fn files_in_range(
        &self,
        range: &KeyRange,
        limit: usize,
    ) -> Result<Vec<BuildIdRecord>, DbError> {
        self.sound.files_in_range(range, limit).await
    }

    async fn modules_by_build_id(&self, build_id: &BuildId) -> Result<Vec<ModuleFolder>, DbError> {
        self.sound.modules_by_build_id(build_id).await
    }
}

/// Not of an upload's own, so they do not count.
#[async_trait]
impl NodeRecords for FaultyDatabase {
    async fn beat(&self, node: &str, at: OffsetDateTime) -> Result<(), DbError> {
        self.sound.beat(node, at).await
    }

    async fn nodes(&self) -> Result<Vec<NodeBeat>, DbError> {
        self.sound.nodes().await
    }

    async fn end_node(&self, last_seen: &NodeBeat, reason: &str) -> Result<u64, DbError> {
        self.sound.end_node(last_seen, reason).await
    }

    async fn fail_dropped(
        &self,
        node: &str,
        before: i64,
        held: &[i64],
        reason: &str,
    ) -> Result<u64, DbError> {
        self.sound.fail_dropped(node, before, held, reason).await
    }
}

/// Of other uploads than those of archives, so they do not count.
#[async_trait]
impl WaitingRecords for FaultyDatabase {
    async fn begin_waiting(&self, file: &WaitingFile, limit: u32) -> Result<bool, DbError> {
        self.sound.begin_waiting(file, limit).await
    }

    async fn waiting_file(&self, key_hash: &Sha256) -> Result<Option<WaitingFile>, DbError> {
        self.sound.waiting_file(key_hash).await
    }

    async fn waiting_since(
        &self,
        before: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<Sha256>, DbError> {
        self.sound.waiting_since(before, limit).await
    }

    async fn end_waiting(&self, key_hash: &Sha256) -> Result<(), DbError> {
        self.sound.end_waiting(key_hash).await
    }
}

#[async_trait]
impl TokenRecords for FaultyDatabase {
    async fn token_by_hash(&self, secret_hash: &str) -> Result<Option<TokenRecord>, DbError> {
        let call = self.sound.token_by_hash(secret_hash);
        self.faults.around(database_fault, call).await
    }

    async fn insert_token(&self, token: &NewToken) -> Result<i64, DbError> {
        self.sound.insert_token(token).await
    }

    async fn revoke_token(&self, id: i64, at: OffsetDateTime) -> Result<bool, DbError> {
        self.sound.revoke_token(id, at).await
    }

    async fn tokens(&self) -> Result<Vec<TokenRecord>, DbError> {
        self.sound.tokens().await
    }
}

#[async_trait]
impl MissingRecords for FaultyDatabase {
    async fn add_missing(&self, batch: BatchId, counts: &[MissingCount]) -> Result<(), DbError> {
        self.sound.add_missing(batch, counts).await
    }

    async fn missing_page(
        &self,
        filter: &MissingFilter,
        page: PageRequest,
    ) -> Result<MissingPage, DbError> {
        self.sound.missing_page(filter, page).await
    }

    async fn missing_since(
        &self,
        since: OffsetDateTime,
        after: i64,
        limit: u32,
    ) -> Result<Vec<MissingRecord>, DbError> {
        self.sound.missing_since(since, after, limit).await
    }

    async fn missing_total(&self) -> Result<u64, DbError> {
        self.sound.missing_total().await
    }

    async fn missing_by_age(
        &self,
        after: MissingPlace,
        limit: u32,
    ) -> Result<Vec<MissingDemand>, DbError> {
        self.sound.missing_by_age(after, limit).await
    }

    async fn remove_missing(&self, rows: &[MissingDemand]) -> Result<u64, DbError> {
        self.sound.remove_missing(rows).await
    }

    async fn expire_missing(&self, before: OffsetDateTime) -> Result<u64, DbError> {
        self.sound.expire_missing(before).await
    }
}
