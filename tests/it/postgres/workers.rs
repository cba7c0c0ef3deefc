//! The workers of many nodes, which write the same missing symbols at once, with the deadlines that servers have.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use symbold::clock::SystemClock;
use symbold::db::{Database, DatabaseConfig, MissingRecords};
use symbold::metrics::Metrics;
use symbold::missing::{CodeInfo, MissingConfig, MissingLog, MissingWorker};
use symbols::SymbolKey;
use time::macros::datetime;
use tokio_util::sync::CancellationToken;

use super::{connect, database, path};
use crate::support::eventually;

/// How often every worker notes the same symbols.
const ROUNDS: u64 = 20;

/// Notes the same hundred symbols again and again, and has a worker write them as a server's does.
async fn note_and_write(database: Arc<dyn Database>) {
    let (metrics, clock) = (Metrics::default(), Arc::new(SystemClock::new()));
    let config = MissingConfig {
        flush_every: Duration::from_millis(1),
        ..MissingConfig::default()
    };
    let log = MissingLog::new(&config, Arc::<SystemClock>::clone(&clock), metrics.clone());
    let records: Arc<dyn MissingRecords> = database;
    let worker = MissingWorker::new(log.clone(), records, config, clock, metrics.clone()).unwrap();
    let stop = CancellationToken::new();
    let working = tokio::spawn(worker.run(stop.clone()));
    for round in 1..=ROUNDS {
        for number in 0..100 {
            let key = path(&format!("gone{number}"));
            let key = SymbolKey::parse(key.trim_start_matches('/')).unwrap();
            log.note(&key, &CodeInfo::default());
        }
        eventually("the round is written", async || {
            metrics.missing_written.get() == round * 100
        })
        .await;
    }
    stop.cancel();
    working.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_workers_on_two_nodes_lose_and_double_no_count() {
    let Some(url) = database().await else { return };
    let config = DatabaseConfig {
        url: url.as_str().into(),
        ..DatabaseConfig::default()
    };
    let node = async || {
        let database = symbold::db::open(&config, Path::new("")).await.unwrap();
        let writing = join_all((0..8).map(|_| note_and_write(Arc::clone(&database))));
        let expiring = async {
            for _ in 0..ROUNDS {
                // It may have to give way to a writer, and fail then.
                let expired = database
                    .expire_missing(datetime!(2026-01-01 0:00 UTC))
                    .await;
                assert_eq!(expired.unwrap_or_default(), 0);
            }
        };
        tokio::join!(writing, expiring);
    };
    tokio::join!(node(), node());
    let sum = "SELECT count(*), sum(count)::bigint FROM missing_symbols";
    let row = connect(&url).await.query_one(sum, &[]).await.unwrap();
    let expected = 2 * 8 * ROUNDS * 100;
    assert_eq!(
        (row.get(0), row.get(1)),
        (100_i64, i64::try_from(expected).unwrap())
    );
}
