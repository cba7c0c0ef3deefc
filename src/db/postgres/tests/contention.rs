//! Many writers on the same rows. Whole nodes that write at once are tested where their workers are, over the wire.

use super::server::connect;
use super::*;

/// The rows are taken in one order by every node of ours; a foreign client's statement need not do so.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deadlock_with_a_stranger_costs_repetitions() {
    let Some(config) = database().await else {
        return;
    };
    let database = PostgresDatabase::open(&config).await.unwrap();
    add(&database, &counts(0..2)).await.unwrap();
    let stranger = connect(&config).await;
    let update = |last: &str| {
        format!(
            "UPDATE missing_symbols SET code_id = 'x'
             WHERE identity = (SELECT {last}(identity::text)::bytea FROM missing_symbols)"
        )
    };
    // The stranger never gives way within the time of this test, so we must, as often as it takes.
    let begin = "SET deadlock_timeout = '10min'; SET lock_timeout = '10min'; SET statement_timeout = 0; BEGIN;";
    stranger
        .batch_execute(&format!("{begin}{}", update("max")))
        .await
        .unwrap();
    let adding = tokio::spawn({
        let database = database.clone();
        async move { add(&database, &counts(0..2)).await }
    });
    let waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually(async || {
        // Inside of a transaction the activity stays as it was first seen.
        let look_anew = "SELECT pg_stat_clear_snapshot()";
        stranger.batch_execute(look_anew).await.unwrap();
        !stranger.query(waiting, &[]).await.unwrap().is_empty()
    })
    .await;
    stranger.batch_execute(&update("min")).await.unwrap();
    stranger.batch_execute("COMMIT").await.unwrap();
    adding.await.unwrap().unwrap();
    assert_eq!(total(&database).await, (2, 4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_batch_that_is_sent_while_its_first_sending_is_under_way_counts_once() {
    let Some(config) = database().await else {
        return;
    };
    let database = PostgresDatabase::open(&config).await.unwrap();
    for number in 1..=50 {
        let id = BatchId {
            number,
            ..first_batch()
        };
        let sendings = (0..4).map(|_| {
            let database = database.clone();
            tokio::spawn(async move { database.add_missing(id, &counts(0..10)).await })
        });
        for sent in join_all(sendings).await {
            sent.unwrap().unwrap();
        }
    }
    assert_eq!(total(&database).await, (10, 500));
}
