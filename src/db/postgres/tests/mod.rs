mod contention;
mod faults;
mod lost_answers;
mod opening;
mod server;

use futures_util::future::join_all;
use time::macros::datetime;

use super::*;
use crate::db::contract;
use crate::db::missing::{BatchId, MissingCount, MissingRecords, MissingSymbol};
use crate::db::tokens::{NewToken, TokenRecords};
use server::{database, execute};

fn counts(numbers: std::ops::Range<u32>) -> Vec<MissingCount> {
    numbers
        .map(|number| MissingCount {
            symbol: MissingSymbol {
                debug_file: format!("{number}.pdb"),
                debug_id: "AB".repeat(16),
                file_name: "xul.sym".to_owned(),
                code_file: None,
                code_id: None,
            },
            count: 1,
            last_asked: datetime!(2026-11-23 10:00 UTC),
        })
        .collect()
}

fn first_batch() -> BatchId {
    let mut writer = [0; 16];
    getrandom::fill(&mut writer).unwrap();
    BatchId { writer, number: 1 }
}

async fn add(database: &PostgresDatabase, counts: &[MissingCount]) -> Result<(), DbError> {
    database.add_missing(first_batch(), counts).await
}

/// Asks until something holds; fails if it never does.
async fn eventually(holds: impl AsyncFn() -> bool) {
    let asking = async { while !holds().await {} };
    let asked = tokio::time::timeout(Duration::from_mins(2), asking).await;
    assert!(asked.is_ok(), "asked in vain");
}

/// How many rows there are, and the sum of their counts.
async fn total(database: &PostgresDatabase) -> (i64, i64) {
    let sum = "SELECT count(*), coalesce(sum(count), 0)::bigint FROM missing_symbols";
    let rows = database.query(sum, parameters![]).await.unwrap();
    (rows[0].get(0), rows[0].get(1))
}

fn token() -> NewToken {
    NewToken {
        secret_hash: "hash".to_owned(),
        email: "build@example.com".to_owned(),
        permissions: vec!["upload_symbols".to_owned()],
        note: String::new(),
        created_at: datetime!(2026-11-23 10:00 UTC),
        expires_at: datetime!(2026-11-24 10:00 UTC),
    }
}

#[tokio::test]
async fn keeps_the_contract() {
    let Some(config) = database().await else {
        return;
    };
    let database = PostgresDatabase::open(&config).await.unwrap();
    contract::check_all(&database).await;
}

#[tokio::test]
async fn unreadable_values_are_corrupt() {
    let Some(config) = database().await else {
        return;
    };
    let database = PostgresDatabase::open(&config).await.unwrap();
    let run = async |sql: String| execute(&config, &sql).await;
    contract::corrupt::check_all(&database, run).await;
}

#[tokio::test]
async fn every_session_is_set_up() {
    let Some(mut config) = database().await else {
        return;
    };
    config.timeout = Duration::from_secs(6);
    let database = PostgresDatabase::open(&config).await.unwrap();
    for (setting, expected) in [
        ("statement_timeout", "5s"),
        ("lock_timeout", "2s"),
        ("idle_in_transaction_session_timeout", "10s"),
        ("application_name", "symbold"),
    ] {
        let rows = database
            .query(format!("SHOW {setting}"), parameters![])
            .await
            .unwrap();
        assert_eq!(rows[0].get::<_, &str>(0), expected, "{setting}");
    }
}

#[tokio::test]
async fn a_value_that_no_column_takes_is_a_conflict() {
    let Some(config) = database().await else {
        return;
    };
    let database = PostgresDatabase::open(&config).await.unwrap();
    let mut batch = counts(0..2);
    batch[1].symbol.code_file = Some("a\0b".to_owned());
    let refused = add(&database, &batch).await;
    assert!(matches!(refused, Err(DbError::Conflict(_))), "{refused:?}");
    batch[1].symbol.code_file = None;
    batch[1].count = u64::MAX / 2;
    add(&database, &batch).await.unwrap();
    let refused = add(&database, &batch).await;
    assert!(matches!(refused, Err(DbError::Conflict(_))), "{refused:?}");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_corrupt() {
    let Some(config) = database().await else {
        return;
    };
    let database = PostgresDatabase::open(&config).await.unwrap();
    database.insert_token(&token()).await.unwrap();
    execute(&config, "UPDATE tokens SET expires_at = 'infinity'").await;
    let read = database.token_by_hash("hash").await;
    assert!(matches!(read, Err(DbError::Corrupt(_))), "{read:?}");

    add(&database, &counts(0..1)).await.unwrap();
    execute(&config, "UPDATE missing_symbols SET count = -1").await;
    let read = database
        .missing_since(datetime!(2000-01-01 0:00 UTC), 0, 10)
        .await;
    assert!(matches!(read, Err(DbError::Corrupt(_))), "{read:?}");
}

#[tokio::test]
async fn many_rows_expire_in_steps() {
    let Some(config) = database().await else {
        return;
    };
    let database = PostgresDatabase::open(&config).await.unwrap();
    add(&database, &counts(0..20_001)).await.unwrap();
    let expired = database
        .expire_missing(datetime!(2027-01-01 0:00 UTC))
        .await;
    assert_eq!(expired.unwrap(), 20_001);
    assert_eq!(total(&database).await, (0, 0));
}

/// As the workers of the HTTP server: each has a runtime of its own, and one may end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_outlive_the_runtime_of_a_caller() {
    let Some(mut config) = database().await else {
        return;
    };
    config.connections = 1;
    let database = PostgresDatabase::open(&config).await.unwrap();
    let session = async |database: &PostgresDatabase| -> i32 {
        let rows = database
            .query_once("SELECT pg_backend_pid()", parameters![])
            .await;
        rows.unwrap()[0].get(0)
    };
    let mut sessions = Vec::new();
    for _ in 0..3 {
        let database = database.clone();
        let worker = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(session(&database))
        });
        sessions.push(tokio::task::block_in_place(|| worker.join().unwrap()));
    }
    sessions.push(session(&database).await);
    sessions.dedup();
    assert_eq!(sessions.len(), 1, "all calls took the same connection");
}

/// A caller that leaves, as a client that hangs up makes one do.
#[tokio::test]
async fn a_call_that_nobody_waits_for_still_ends_well() {
    let Some(mut config) = database().await else {
        return;
    };
    config.connections = 1;
    let database = PostgresDatabase::open(&config).await.unwrap();
    for _ in 0..20 {
        let batch = counts(0..1);
        let adding = add(&database, &batch);
        tokio::select! {
            biased;
            () = tokio::task::yield_now() => {}
            added = adding => added.unwrap(),
        }
    }
    // The only connection is given to one call after the other.
    let before = total(&database).await;
    add(&database, &counts(0..1)).await.unwrap();
    let after = total(&database).await;
    assert!(after.1 > before.1 && after.1 <= 21, "{before:?} {after:?}");
}

#[tokio::test]
async fn a_node_of_the_old_version_does_not_notice_a_new_column() {
    let Some(mut config) = database().await else {
        return;
    };
    config.connections = 1;
    let database = PostgresDatabase::open(&config).await.unwrap();
    contract::check_all(&database).await;
    for table in [
        "tokens",
        "uploads",
        "upload_files",
        "upload_claims",
        "nodes",
        "build_ids",
        "missing_symbols",
        "missing_writers",
        "waiting_files",
    ] {
        execute(
            &config,
            &format!("ALTER TABLE {table} ADD COLUMN later text DEFAULT 'x'"),
        )
        .await;
    }
    execute(
        &config,
        "TRUNCATE tokens, uploads, upload_files, upload_claims, build_ids, nodes, missing_symbols, waiting_files",
    )
    .await;
    contract::check_all(&database).await;
}
