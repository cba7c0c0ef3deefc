use tempfile::TempDir;
use time::OffsetDateTime;
use time::macros::datetime;

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::db::SqliteDatabase;
use crate::db::missing::{BatchId, MissingCount, MissingSymbol};

const HOUR: Duration = Duration::from_hours(1);

struct Setting {
    pruner: Pruner,
    database: Arc<SqliteDatabase>,
    clock: Arc<ManualClock>,
    metrics: Metrics,
    _folder: TempDir,
}

impl Setting {
    async fn new(max_rows: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("symbold.db");
        let database = Arc::new(SqliteDatabase::open(&path).await.unwrap());
        let clock = Arc::new(ManualClock::at(datetime!(2026-11-23 10:00 UTC)));
        let metrics = Metrics::default();
        let config = MissingConfig {
            max_rows,
            ..MissingConfig::default()
        };
        let records = Arc::clone(&database) as _;
        let pruner = Pruner::new(records, config, Arc::clone(&clock) as _, metrics.clone());
        Self {
            pruner,
            database,
            clock,
            metrics,
            _folder: folder,
        }
    }

    /// Writes one request now for each symbol of these numbers.
    async fn ask(&self, name: &str, numbers: std::ops::Range<u64>) {
        let counts: Vec<_> = numbers
            .map(|number| MissingCount {
                symbol: MissingSymbol {
                    debug_file: format!("{name}-{number}.so"),
                    debug_id: "AB".to_owned(),
                    file_name: "a.sym".to_owned(),
                    code_file: None,
                    code_id: None,
                },
                count: 1,
                last_asked: self.clock.now(),
            })
            .collect();
        let mut writer = [0; 16];
        getrandom::fill(&mut writer).unwrap();
        let batch = BatchId { writer, number: 1 };
        self.database.add_missing(batch, &counts).await.unwrap();
    }

    /// The names in the table, those last asked for longest ago first, without their numbers.
    async fn names(&self) -> Vec<(String, usize)> {
        let epoch = OffsetDateTime::UNIX_EPOCH;
        let mut rows = self
            .database
            .missing_since(epoch, 0, 100_000)
            .await
            .unwrap();
        rows.sort_by_key(|row| (row.modified_at, row.id));
        let mut names: Vec<(String, usize)> = Vec::new();
        for row in rows {
            let (name, _) = row.symbol.debug_file.split_once('-').unwrap();
            match names.last_mut() {
                Some((last, rows)) if *last == name => *rows += 1,
                _ => names.push((name.to_owned(), 1)),
            }
        }
        names
    }

    fn trimmed(&self, standing: Standing) -> u64 {
        let label = StandingLabel {
            standing: standing.label(),
        };
        self.metrics.missing_trimmed.get_or_create(&label).get()
    }
}

fn names(expected: &[(&str, usize)]) -> Vec<(String, usize)> {
    let names = expected.iter();
    names
        .map(|(name, rows)| ((*name).to_owned(), *rows))
        .collect()
}

#[tokio::test]
async fn invented_names_push_out_one_another() {
    let setting = Setting::new(3_000).await;
    setting.ask("real", 0..300).await;
    setting.clock.advance(25 * HOUR);
    setting.ask("real", 0..300).await;
    setting.ask("busy", 0..200).await;
    setting.ask("busy", 0..200).await;
    for name in ["early", "late"] {
        setting.clock.advance(HOUR);
        setting.ask(name, 0..2_600).await;
    }
    setting.pruner.trim().await;
    let expected = names(&[("real", 300), ("busy", 200), ("late", 2_500)]);
    assert_eq!(setting.names().await, expected);
    let trimmed = Standing::ALL.map(|standing| setting.trimmed(standing));
    assert_eq!(trimmed, [2_700, 0, 0]);
    setting.pruner.trim().await;
    assert_eq!(setting.trimmed(Standing::Once), 2_700, "it fits");
}

#[tokio::test]
async fn names_that_are_missed_day_after_day_go_last_and_the_stale_ones_first() {
    let setting = Setting::new(100).await;
    for name in ["stale", "fresh"] {
        setting.ask(name, 0..80).await;
        setting.clock.advance(25 * HOUR);
        setting.ask(name, 0..80).await;
    }
    setting.ask("new", 0..10).await;
    setting.pruner.trim().await;
    let expected = names(&[("stale", 10), ("fresh", 80), ("new", 10)]);
    assert_eq!(setting.names().await, expected);
    assert_eq!(setting.trimmed(Standing::Lasting), 70);
}

#[tokio::test]
async fn rows_are_counted_when_many_were_written() {
    let written = Written::new(2_000);
    written.add(99);
    assert!(futures_util::FutureExt::now_or_never(written.many()).is_none());
    written.add(1);
    written.many().await;
    written.forget();
    written.add(99);
    assert!(futures_util::FutureExt::now_or_never(written.many()).is_none());
}
