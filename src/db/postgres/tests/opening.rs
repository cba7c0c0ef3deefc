//! What can happen when a database is opened.

use super::server::{Networked, OwnPostgres, PASSWORD, config, connect, connector, database_on};
use super::*;
use crate::db::migrate::Migration;

async fn refusal(config: &DatabaseConfig) -> String {
    let refused = PostgresDatabase::open(config)
        .await
        .map(|_| ())
        .unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("database.url"), "{text}");
    assert!(
        !text.contains(PASSWORD) && !format!("{config:?}").contains(PASSWORD),
        "{text}"
    );
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_start_at_once_migrate_once() {
    let Some(config) = database().await else {
        return;
    };
    let opened = (0..6).map(|_| {
        let config = config.clone();
        tokio::spawn(async move { PostgresDatabase::open(&config).await })
    });
    for database in join_all(opened).await {
        let database = database.unwrap().unwrap();
        database.check().await.unwrap();
        add(&database, &counts(0..1)).await.unwrap();
    }
}

#[tokio::test]
async fn a_node_waits_until_another_has_migrated() {
    let Some(config) = database().await else {
        return;
    };
    let other = connect(&config).await;
    other
        .batch_execute("SELECT pg_advisory_lock(x'73796d626f6c64'::bigint)")
        .await
        .unwrap();
    let opening = tokio::spawn({
        let config = config.clone();
        async move { PostgresDatabase::open(&config).await }
    });
    let waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    eventually(async || !other.query(waiting, &[]).await.unwrap().is_empty()).await;
    let made = migrations::POSTGRES[0].sql;
    other.batch_execute(made).await.unwrap();
    let remembered = format!(
        "CREATE TABLE schema_migrations (number integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL);
         INSERT INTO schema_migrations VALUES (1, 'records', '{}')",
        migrations::POSTGRES[0].checksum()
    );
    other.batch_execute(&remembered).await.unwrap();
    drop(other);
    opening.await.unwrap().unwrap().check().await.unwrap();
}

#[tokio::test]
async fn a_step_that_fails_leaves_nothing_and_those_before_it_stay() {
    let Some(config) = database().await else {
        return;
    };
    let connector = connector(&config).await;
    let step = |number, name, sql| Migration { number, name, sql };
    let number = u32::try_from(migrations::POSTGRES.len()).unwrap() + 1;
    let with = |last| [migrations::POSTGRES, &[last]].concat();
    let broken = with(step(
        number,
        "broken",
        "CREATE TABLE half (id bigint); SELECT 1 / 0;",
    ));
    let failed = schema::prepare(&connector, &broken, true).await;
    assert!(matches!(failed, Err(DbError::Conflict(_))), "{failed:?}");
    let mended = with(step(number, "mended", "CREATE TABLE half (id bigint)"));
    schema::prepare(&connector, &mended, true).await.unwrap();

    let text = refusal(&config).await;
    assert!(
        text.starts_with(&format!(
            "The database is newer than this program: it is at migration {number} (mended)"
        )),
        "{text}"
    );
}

#[tokio::test]
async fn an_old_schema_is_refused_where_a_start_does_not_migrate() {
    let Some(mut config) = database().await else {
        return;
    };
    config.migrate = false;
    let text = refusal(&config).await;
    assert!(text.contains("it lacks migration 1 (records)"), "{text}");
    assert!(text.contains("Run `symbold migrate` first"), "{text}");
    config.migrate = true;
    PostgresDatabase::open(&config).await.unwrap();
    config.migrate = false;
    PostgresDatabase::open(&config).await.unwrap();
}

#[tokio::test]
async fn a_node_needs_no_right_to_change_tables_once_they_are_there() {
    let Some(server) = OwnPostgres::launch() else {
        return;
    };
    let config = database_on(&server.url()).await;
    PostgresDatabase::open(&config).await.unwrap();
    let grants = "CREATE ROLE node LOGIN;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO node";
    execute(&config, grants).await;
    let url = config.url.reveal().replace("postgres@", "node@");
    let database = PostgresDatabase::open(&server::config(&url)).await.unwrap();
    contract::check_all(&database).await;
}

#[tokio::test]
async fn what_is_wrong_with_the_address_is_told_without_the_password() {
    let Some(server) = Networked::launch().await else {
        return;
    };
    let password = PASSWORD.replace('@', "%40");
    for (url, told) in [
        (
            server.url("localhost", "wrong", ""),
            "password authentication failed for user \"postgres\"",
        ),
        (
            server
                .url("localhost", &password, "")
                .replace("/postgres?", "/nowhere?"),
            "database \"nowhere\" does not exist",
        ),
        (
            format!("postgres://u:{password}@127.0.0.1:1/db"),
            "Connection refused",
        ),
        (
            format!("postgres://u:{password}@nowhere.invalid/db"),
            "cannot connect",
        ),
        (format!("postgres://u:{password}@/db"), "host"),
        (format!("postgres://u:{password}@h:port/db"), "port"),
        (
            format!("postgres://u:{password}@h/db?sslmode=allow"),
            "sslmode is none of",
        ),
        (
            format!("postgres://u:{password}@h/db?sslrootcert=/nowhere.pem"),
            "/nowhere.pem",
        ),
        (format!("postgres://u:{password}@h/db?color=red"), "color"),
    ] {
        let text = refusal(&config(&url)).await;
        assert!(text.contains(told), "{url}: {text}");
        assert!(!text.contains(&password), "{text}");
    }
}

#[tokio::test]
async fn certificates_are_verified_whatever_the_mode() {
    let Some(server) = Networked::launch().await else {
        return;
    };
    let password = PASSWORD.replace('@', "%40");
    let url = |host: &str, parameters: &str| server.url(host, &password, parameters);
    for mode in [
        "",
        "sslmode=prefer",
        "sslmode=require",
        "sslmode=verify-ca",
        "sslmode=verify-full",
    ] {
        let database = PostgresDatabase::open(&config(&url("localhost", mode)))
            .await
            .unwrap();
        let secured = "SELECT 1 FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl";
        let secured = database.query(secured, parameters![]).await.unwrap();
        assert_eq!(secured.len(), 1, "{mode}");

        let text = refusal(&config(&url("127.0.0.1", mode))).await;
        assert!(text.contains("invalid peer certificate"), "{mode}: {text}");
        let by_the_machine = format!("{mode}&sslrootcert=system");
        let text = refusal(&config(&url("localhost", &by_the_machine))).await;
        assert!(text.contains("invalid peer certificate"), "{mode}: {text}");
        assert!(text.contains("sslrootcert=FILE"), "{text}");
    }
    let in_clear = config(&url("127.0.0.1", "sslmode=disable"));
    PostgresDatabase::open(&in_clear).await.unwrap();
}
