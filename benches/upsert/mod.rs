//! How is a count written that may or may not have a row?
//!
//! Either one looks for the row and then updates it or makes one, or the database does both at once (UPSERT). Tecken
//! compared the two in 2017 for one writer and one count at a time; here four writers write at once, and most of their
//! counts are of the same rows. Of every five counts four are of symbols that the table knows, one of a symbol that is
//! new, and that all writers come upon at about the same time. Each way is tried with a transaction for each count and
//! with one for a whole batch; the batched UPSERT is the server's own.
//!
//! The ways that look first are made right, so that they can be compared at all: on SQLite by the write lock, on
//! PostgreSQL by beginning again when another writer has made the row meanwhile. Every way has to show, before it is
//! measured, that it loses no count.

mod postgres;
mod sqlite;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use futures_util::future::join_all;
use symbold::clock::{Clock as _, SystemClock};
use symbold::db::MissingRecords;
use symbold::db::missing::{BatchId, MissingCount, MissingSymbol};

use crate::support::{self, Bench, Function};

const WRITERS: usize = 4;

/// How a writer writes its batch.
#[derive(Clone, Copy, Debug)]
enum Way {
    SelectThenWrite,
    SelectThenWriteBatched,
    Upsert,
    UpsertBatched,
}

const WAYS: [(&str, Way); 4] = [
    ("select_then_write", Way::SelectThenWrite),
    ("upsert", Way::Upsert),
    ("select_then_write_batched", Way::SelectThenWriteBatched),
    ("upsert_batched", Way::UpsertBatched),
];

/// The table in one engine: the server's own writer, and statements that are written for this study.
#[async_trait]
trait Table {
    fn records(&self) -> &dyn MissingRecords;

    /// Looks for each row, then updates it or makes one: all in one transaction.
    async fn select_then_write(&self, writer: usize, counts: &[MissingCount]);

    /// Adds each count by an UPSERT: all in one transaction.
    async fn upsert(&self, writer: usize, counts: &[MissingCount]);

    /// The count of every row, by debug file.
    async fn counts(&self) -> BTreeMap<String, u64>;

    async fn clear(&self);
}

/// A table with whom to write it.
struct Prepared {
    table: Box<dyn Table>,
    batch: usize,
    /// The rounds that were written, so that each can have symbols of its own.
    rounds: AtomicU32,
}

pub(crate) fn study(bench: &mut Bench) {
    let batch = bench.length().choose(10, 50, 250);
    compare(bench, "upsert_sqlite", batch, || {
        Box::pin(async { Box::new(sqlite::SqliteTable::open().await) as Box<dyn Table> })
    });
    if let Some(url) = support::service("TEST_POSTGRES_URL", "upsert_postgres") {
        compare(bench, "upsert_postgres", batch, move || {
            let url = url.clone();
            Box::pin(async move {
                Box::new(postgres::PostgresTable::open(&url).await) as Box<dyn Table>
            })
        });
    }
}

type Opening = std::pin::Pin<Box<dyn Future<Output = Box<dyn Table>>>>;

fn compare(bench: &mut Bench, study: &str, batch: usize, open: impl Fn() -> Opening + 'static) {
    let open = Rc::new(open);
    let functions = WAYS.map(|(name, way)| -> Function<'_> {
        let open = Rc::clone(&open);
        let mut prepared = None;
        let measure = Box::new(move |bencher: &mut criterion::Bencher<'_>| {
            let prepared = prepared.get_or_insert_with(|| Prepared::new(&*open, name, way, batch));
            bencher.iter(|| prepared.round(way));
        });
        (name, measure)
    });
    bench.compare(study, functions.into());
}

impl Prepared {
    /// Opens a table of this way's own, and proves that the way loses no count.
    fn new(open: &dyn Fn() -> Opening, name: &str, way: Way, batch: usize) -> Self {
        let prepared = Self {
            table: support::block_on(open()),
            batch,
            rounds: AtomicU32::new(0),
        };
        let mut expected = BTreeMap::new();
        for round in 1..=5 {
            for writer in 0..WRITERS {
                for count in counts(round, writer, batch) {
                    *expected.entry(count.symbol.debug_file).or_insert(0) += count.count;
                }
            }
            prepared.round(way);
        }
        let written = support::block_on(prepared.table.counts());
        assert_eq!(written, expected, "{name} lost counts");
        support::block_on(prepared.table.clear());
        prepared
    }

    /// All writers write a batch at the same time.
    fn round(&self, way: Way) {
        let round = self.rounds.fetch_add(1, Ordering::Relaxed) + 1;
        let writing = (0..WRITERS).map(|writer| self.write(way, writer, round));
        support::block_on(join_all(writing));
    }

    async fn write(&self, way: Way, writer: usize, round: u32) {
        let counts = counts(round, writer, self.batch);
        match way {
            Way::SelectThenWrite => {
                for count in counts.chunks(1) {
                    self.table.select_then_write(writer, count).await;
                }
            }
            Way::Upsert => {
                for count in counts.chunks(1) {
                    self.table.upsert(writer, count).await;
                }
            }
            Way::SelectThenWriteBatched => self.table.select_then_write(writer, &counts).await,
            Way::UpsertBatched => {
                let writer = u8::try_from(writer).expect("there are few writers");
                let batch = BatchId {
                    writer: [writer; 16],
                    number: round,
                };
                let added = self.table.records().add_missing(batch, &counts).await;
                added.expect("the batch is added");
            }
        }
    }
}

/// The counts of a writer in a round. Each writer begins at another place of the same list.
fn counts(round: u32, writer: usize, length: usize) -> Vec<MissingCount> {
    let last_asked = SystemClock::new().now();
    let numbers = 0..length;
    let mut counts: Vec<MissingCount> = numbers
        .map(|number| MissingCount {
            symbol: MissingSymbol {
                debug_file: if number % 5 == 4 {
                    format!("new{round}-{number}.pdb")
                } else {
                    format!("known{number}.pdb")
                },
                debug_id: "44E4EC8C2F41492B9369D6B9A059577C2".to_owned(),
                file_name: "xul.sym".to_owned(),
                code_file: None,
                code_id: None,
            },
            count: 1,
            last_asked,
        })
        .collect();
    counts.rotate_left(writer * length / WRITERS);
    counts
}
