//! Servers that stop, stand still or refuse.

use super::server::{OwnPostgres, connect, database_on};
use super::*;

/// The timeout of calls whose deadline is tested: that of the default configuration.
const TIMEOUT: Duration = Duration::from_secs(6);

/// By when a call has ended on a machine that is busy with other things, too. Without its deadline none of these would
/// ever end, and a call that must not wait at all has one of a minute.
const MARGIN: Duration = Duration::from_secs(30);

async fn unavailable<T: fmt::Debug>(
    within: Duration,
    call: impl Future<Output = Result<T, DbError>>,
) -> String {
    let started = Instant::now();
    let result = call.await;
    assert!(started.elapsed() < within, "after {:?}", started.elapsed());
    match result {
        Err(DbError::Unavailable(reason)) => reason,
        other => panic!("expected that the database is unavailable, got {other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_stops_and_comes_back() {
    let Some(mut server) = OwnPostgres::launch() else {
        return;
    };
    let config = database_on(&server.url()).await;
    let database = PostgresDatabase::open(&config).await.unwrap();
    join_all((0..10).map(|_| database.check())).await;

    server.stop();
    let batch = counts(0..1);
    unavailable(MARGIN, database.check()).await;
    unavailable(MARGIN, database.tokens()).await;
    unavailable(MARGIN, database.insert_token(&token())).await;
    unavailable(MARGIN, add(&database, &batch)).await;

    server.start();
    database.check().await.unwrap();
    database.insert_token(&token()).await.unwrap();
    let (_, before) = total(&database).await;
    add(&database, &batch).await.unwrap();
    assert_eq!(total(&database).await, (1, before + 1));
}

#[tokio::test]
async fn a_server_that_stands_still() {
    let Some(server) = OwnPostgres::launch() else {
        return;
    };
    let mut config = database_on(&server.url()).await;
    config.connections = 2;
    config.timeout = TIMEOUT;
    let database = PostgresDatabase::open(&config).await.unwrap();
    let backend = async || -> i32 {
        let rows = database
            .query("SELECT pg_backend_pid()", parameters![])
            .await
            .unwrap();
        rows[0].get(0)
    };
    let old = backend().await;

    server.freeze();
    let (id, batch) = (first_batch(), counts(0..10));
    // One takes the connection that there is, one opens another, and there is none for the third.
    let (one, other, third) = tokio::join!(
        unavailable(MARGIN, database.add_missing(id, &batch)),
        unavailable(MARGIN, database.tokens()),
        unavailable(MARGIN, database.check()),
    );
    assert_eq!(one, "no answer within 6 seconds");
    assert_eq!(other, "no connection in time");
    assert_eq!(third, "every connection is busy");

    server.thaw();
    // What was sent before may be carried out now. It counts once in any case.
    database.add_missing(id, &batch).await.unwrap();
    assert_eq!(total(&database).await, (10, 10));
    assert_ne!(
        backend().await,
        old,
        "the connection whose answer is late was given up"
    );
}

#[tokio::test]
async fn a_server_that_only_reads() {
    let Some(server) = OwnPostgres::launch() else {
        return;
    };
    let config = database_on(&server.url()).await;
    let database = PostgresDatabase::open(&config).await.unwrap();
    add(&database, &counts(0..1)).await.unwrap();
    let set = async |value: &str| {
        execute(
            &config,
            &format!("ALTER SYSTEM SET default_transaction_read_only = {value}"),
        )
        .await;
        execute(&config, "SELECT pg_reload_conf()").await;
        let shown = format!("SHOW default_transaction_read_only /* {value} */");
        // The sessions hear of it one after the other, each before its next statement.
        eventually(async || {
            let rows = database.query(shown.as_str(), parameters![]).await.unwrap();
            rows[0].get::<_, &str>(0) == value
        })
        .await;
    };

    set("on").await;
    let reason = unavailable(MARGIN, add(&database, &counts(0..1))).await;
    assert!(reason.contains("read-only"), "{reason}");
    unavailable(MARGIN, database.insert_token(&token())).await;
    assert_eq!(total(&database).await, (1, 1));
    database.check().await.unwrap();
    PostgresDatabase::open(&config)
        .await
        .expect("there is nothing to migrate");

    set("off").await;
    add(&database, &counts(0..1)).await.unwrap();
}

#[tokio::test]
async fn connections_that_are_ended_from_outside() {
    let Some(config) = database().await else {
        return;
    };
    let database = PostgresDatabase::open(&config).await.unwrap();
    for round in 1..=20 {
        join_all((0..10).map(|_| database.check())).await;
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()";
        execute(&config, end).await;
        add(&database, &counts(0..1)).await.unwrap();
        assert_eq!(total(&database).await, (1, round));
    }
}

#[tokio::test]
async fn tables_that_are_locked() {
    let Some(mut config) = database().await else {
        return;
    };
    config.connections = 1;
    config.timeout = TIMEOUT;
    let database = PostgresDatabase::open(&config).await.unwrap();
    let other = connect(&config).await;
    other
        .batch_execute("BEGIN; LOCK TABLE missing_symbols IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let batch = counts(0..1);
    let (locked, busy) = tokio::join!(
        unavailable(MARGIN, add(&database, &batch)),
        unavailable(MARGIN, database.check()),
    );
    assert!(locked.contains("lock timeout"), "{locked}");
    assert_eq!(busy, "every connection is busy");
    other.batch_execute("ROLLBACK").await.unwrap();
    add(&database, &batch).await.unwrap();
}

#[tokio::test]
async fn statements_that_take_too_long() {
    let Some(mut config) = database().await else {
        return;
    };
    config.timeout = TIMEOUT;
    let database = PostgresDatabase::open(&config).await.unwrap();
    let reason = unavailable(
        MARGIN,
        database.query("SELECT pg_sleep(600)", parameters![]),
    )
    .await;
    assert!(reason.contains("statement timeout"), "{reason}");
    database.check().await.unwrap();
}

#[tokio::test]
async fn a_server_without_a_free_connection() {
    let Some(server) = OwnPostgres::launch() else {
        return;
    };
    let administrator = database_on(&server.url()).await;
    let role = "CREATE ROLE node LOGIN; GRANT ALL ON SCHEMA public TO node";
    execute(&administrator, role).await;
    let url = administrator.url.reveal().replace("postgres@", "node@");
    let database = PostgresDatabase::open(&server::config(&url)).await.unwrap();
    execute(&administrator, "ALTER ROLE node CONNECTION LIMIT 0").await;
    let reason = unavailable(MARGIN, database.check()).await;
    assert!(reason.contains("too many connections"), "{reason}");
    execute(&administrator, "ALTER ROLE node CONNECTION LIMIT -1").await;
    database.check().await.unwrap();
}
