use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use tempfile::TempDir;
use time::OffsetDateTime;
use time::macros::datetime;

use super::*;
use crate::clock::ManualClock;
use crate::counting::{BATCH, LAST_ATTEMPTS};
use crate::db::SqliteDatabase;
use crate::db::missing::{
    MissingDemand, MissingFilter, MissingPage, MissingPlace, MissingRecord, MissingRecords,
    PageRequest,
};
use crate::missing::CodeInfo;
use symbols::SymbolKey;

/// A database that can be told to lose its answers, or to refuse batches.
#[derive(Debug)]
struct Troubled {
    sound: SqliteDatabase,
    loses_answers: AtomicBool,
    refuses: AtomicBool,
    batches: AtomicUsize,
}

#[async_trait]
impl MissingRecords for Troubled {
    async fn add_missing(&self, batch: BatchId, counts: &[MissingCount]) -> Result<(), DbError> {
        self.batches.fetch_add(1, Ordering::Relaxed);
        if self.refuses.load(Ordering::Relaxed) {
            return Err(DbError::Conflict("refused".to_owned()));
        }
        self.sound.add_missing(batch, counts).await?;
        if self.loses_answers.load(Ordering::Relaxed) {
            return Err(DbError::Unavailable("the answer is lost".to_owned()));
        }
        Ok(())
    }

    async fn missing_page(
        &self,
        _: &MissingFilter,
        _: PageRequest,
    ) -> Result<MissingPage, DbError> {
        unreachable!("the worker only writes")
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

    async fn expire_missing(&self, _: OffsetDateTime) -> Result<u64, DbError> {
        Ok(0)
    }
}

struct Setting {
    log: MissingLog,
    worker: MissingWorker,
    database: Arc<Troubled>,
    metrics: Metrics,
    _folder: TempDir,
}

impl Setting {
    async fn new(pending_limit: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Arc::new(Troubled {
            sound: SqliteDatabase::open(&folder.path().join("symbold.db"))
                .await
                .unwrap(),
            loses_answers: AtomicBool::new(false),
            refuses: AtomicBool::new(false),
            batches: AtomicUsize::new(0),
        });
        let clock = Arc::new(ManualClock::at(datetime!(2026-11-23 10:00 UTC)));
        let metrics = Metrics::default();
        let config = MissingConfig {
            pending_limit,
            ..MissingConfig::default()
        };
        let log = MissingLog::new(&config, Arc::clone(&clock) as _, metrics.clone());
        let worker = MissingWorker::new(
            log.clone(),
            Arc::clone(&database) as _,
            config,
            clock,
            metrics.clone(),
        )
        .unwrap();
        Self {
            log,
            worker,
            database,
            metrics,
            _folder: folder,
        }
    }

    /// Notes symbols of these numbers.
    fn note(&self, numbers: std::ops::Range<usize>) {
        for number in numbers {
            let key = SymbolKey::parse(&format!("{number}.pdb/AB/a.sym")).unwrap();
            self.log.note(&key, &CodeInfo::default());
        }
    }

    /// How many rows the table has, and the sum of their counts.
    async fn table(&self) -> (usize, u64) {
        let since = datetime!(2000-01-01 0:00 UTC);
        let rows = self
            .database
            .missing_since(since, 0, 1_000_000)
            .await
            .unwrap();
        (rows.len(), rows.iter().map(|row| row.count).sum())
    }

    fn batches(&self) -> usize {
        self.database.batches.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn a_batch_whose_answer_is_lost_counts_once() {
    let mut setting = Setting::new(10_000).await;
    setting
        .database
        .loses_answers
        .store(true, Ordering::Relaxed);
    setting.note(0..2_500);
    for _ in 0..3 {
        setting.worker.writer.flush().await;
        setting.note(0..2_500);
    }
    assert_eq!(
        setting.table().await,
        (1_000, 1_000),
        "one batch went out, three times"
    );
    assert_eq!(setting.metrics.missing_pending.get(), 1_000 + 2_500);
    assert_eq!(setting.metrics.missing_written.get(), 0);

    setting
        .database
        .loses_answers
        .store(false, Ordering::Relaxed);
    setting.worker.writer.flush().await;
    assert_eq!(setting.table().await, (2_500, 10_000));
    assert_eq!(setting.metrics.missing_written.get(), 10_000);
    assert_eq!(setting.metrics.missing_pending.get(), 0);
}

#[tokio::test]
async fn the_last_counts_are_tried_again_when_the_server_stops() {
    let setting = Setting::new(10_000).await;
    setting
        .database
        .loses_answers
        .store(true, Ordering::Relaxed);
    setting.note(0..10);
    let stop = CancellationToken::new();
    stop.cancel();
    let Setting {
        worker, database, ..
    } = setting;
    worker.run(stop).await;
    assert!(database.batches.load(Ordering::Relaxed) >= LAST_ATTEMPTS);
}

#[tokio::test]
async fn what_the_database_will_never_take_does_not_block_the_rest() {
    let mut setting = Setting::new(10_000).await;
    setting.database.refuses.store(true, Ordering::Relaxed);
    setting.note(0..5);
    setting.worker.writer.flush().await;
    assert_eq!(
        (setting.batches(), setting.metrics.missing_dropped.get()),
        (1, 5)
    );

    setting.database.refuses.store(false, Ordering::Relaxed);
    setting.note(5..10);
    setting.worker.writer.flush().await;
    assert_eq!(setting.table().await, (5, 5));
    assert_eq!(setting.metrics.missing_written.get(), 5);
}

#[tokio::test]
async fn memory_is_bounded_while_the_database_is_away() {
    let mut setting = Setting::new(1_500).await;
    setting
        .database
        .loses_answers
        .store(true, Ordering::Relaxed);
    for _ in 0..3 {
        setting.note(0..5_000);
        setting.worker.writer.flush().await;
    }
    assert!(setting.worker.writer.pending() <= 1_500 + BATCH);
    let dropped = setting.metrics.missing_dropped.get();
    setting
        .database
        .loses_answers
        .store(false, Ordering::Relaxed);
    setting.worker.writer.flush().await;
    let (_, written) = setting.table().await;
    assert_eq!(
        written + dropped,
        15_000,
        "each is written once or counted as dropped"
    );
}
