//! Many writers on the same rows.

use super::*;

const ROUNDS: u32 = 20;
const TASKS: u32 = 8;

/// One node's tasks, which add the same symbols in opposite order.
async fn write(database: PostgresDatabase) {
    let tasks = (0..TASKS).map(|task| {
        let database = database.clone();
        tokio::spawn(async move {
            let mut batch = counts(0..200);
            if task % 2 == 1 {
                batch.reverse();
            }
            let BatchId { writer, .. } = first_batch();
            for number in 1..=ROUNDS {
                let id = BatchId { writer, number };
                database.add_missing(id, &batch).await.unwrap();
            }
        })
    });
    for ended in join_all(tasks).await {
        ended.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_lose_and_double_no_count() {
    let Some(config) = database().await else {
        return;
    };
    let one = PostgresDatabase::open(&config).await.unwrap();
    let other = PostgresDatabase::open(&config).await.unwrap();
    let expiring = async {
        for _ in 0..ROUNDS {
            one.expire_missing(datetime!(2026-01-01 0:00 UTC))
                .await
                .unwrap();
        }
    };
    tokio::join!(write(one.clone()), write(other.clone()), expiring);
    let expected = i64::from(2 * TASKS * ROUNDS) * 200;
    assert_eq!(total(&one).await, (200, expected));
    assert_eq!(total(&other).await, (200, expected));
}

/// The rows are taken in one order by every node of ours; somebody else's statement need not do so.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deadlock_with_a_stranger_costs_a_repetition() {
    let Some(config) = database().await else {
        return;
    };
    let database = PostgresDatabase::open(&config).await.unwrap();
    add(&database, &counts(0..2)).await.unwrap();
    let connector = Connector::new(&config.url).await.unwrap();
    let stranger = connector.connect().await.unwrap();
    let update = |last: &str| {
        format!(
            "UPDATE missing_symbols SET code_id = 'x' WHERE identity = (SELECT {last}(identity::text)::bytea FROM missing_symbols)"
        )
    };
    // The stranger never gives way within the time of this test, so we must.
    let begin = "SET deadlock_timeout = '1min'; SET lock_timeout = '1min'; BEGIN;";
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
