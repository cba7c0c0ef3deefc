use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc;

use futures_util::future::join_all;
use tempfile::TempDir;
use time::macros::datetime;

use super::*;
use crate::db::contract;
use crate::db::missing::{BatchId, MissingCount, MissingRecords, MissingSymbol};
use crate::db::tokens::{NewToken, TokenRecords};

/// Enough for a test that waits in vain.
const SHORT_TIME_LIMIT: Duration = Duration::from_millis(500);

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made/for it/symbold.db");
    (folder, path)
}

fn counts(numbers: std::ops::Range<u32>) -> Vec<MissingCount> {
    numbers
        .map(|number| MissingCount {
            symbol: MissingSymbol {
                debug_file: format!("{number}.pdb"),
                debug_id: "AB".repeat(16),
                file_name: "xul.sym".repeat(10),
                code_file: None,
                code_id: None,
            },
            count: 1,
            last_asked: datetime!(2026-11-23 10:00 UTC),
        })
        .collect()
}

async fn add(database: &SqliteDatabase, counts: &[MissingCount]) -> Result<(), DbError> {
    let mut writer = [0; 16];
    getrandom::fill(&mut writer).unwrap();
    let batch = BatchId { writer, number: 1 };
    database.add_missing(batch, counts).await
}

async fn total(database: &SqliteDatabase) -> (u32, u64) {
    database
        .read(|transaction| {
            Ok(transaction.query_row(
                "SELECT count(*), coalesce(sum(count), 0) FROM missing_symbols",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?)
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn keeps_the_contract() {
    let (_folder, path) = folder();
    let database = SqliteDatabase::open(&path).await.unwrap();
    contract::check_all(&database).await;
}

#[tokio::test]
async fn unreadable_values_are_corrupt() {
    let (_folder, path) = folder();
    let database = SqliteDatabase::open(&path).await.unwrap();
    let execute = async |sql: String| {
        let change = database.write(move |transaction| Ok(transaction.execute(&sql, [])?));
        change.await.unwrap();
    };
    contract::corrupt::check_all(&database, execute).await;
}

#[tokio::test]
async fn records_survive_reopening() {
    let (_folder, path) = folder();
    let database = SqliteDatabase::open(&path).await.unwrap();
    add(&database, &counts(0..3)).await.unwrap();
    drop(database);

    let database = SqliteDatabase::open(&path).await.unwrap();
    assert_eq!(total(&database).await, (3, 3));
    let applied: usize = database
        .read(|transaction| {
            Ok(
                transaction.query_row("SELECT count(*) FROM schema_migrations", [], |row| {
                    row.get(0)
                })?,
            )
        })
        .await
        .unwrap();
    assert_eq!(applied, migrations::SQLITE.len());
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let (_folder, path) = folder();
    let database = SqliteDatabase::open(&path).await.unwrap();
    database
        .write(|transaction| {
            Ok(transaction.execute(
                "INSERT INTO schema_migrations VALUES (1000, 'from the future', '')",
                [],
            )?)
        })
        .await
        .unwrap();
    drop(database);

    match SqliteDatabase::open(&path).await {
        Err(DbError::Schema(sentence)) => assert!(
            sentence
                .starts_with("The database is newer than this program: it is at migration 1000"),
            "{sentence}"
        ),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_may_make_the_file_at_once() {
    for _ in 0..10 {
        let (_folder, path) = folder();
        let opened = (0..4).map(|_| {
            let path = path.clone();
            tokio::spawn(async move { SqliteDatabase::open(&path).await })
        });
        for database in join_all(opened).await {
            database.unwrap().unwrap().check().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_servers_on_one_file_lose_no_count() {
    let (_folder, path) = folder();
    let one = SqliteDatabase::open(&path).await.unwrap();
    let two = SqliteDatabase::open(&path).await.unwrap();
    let writers = (0..20).map(|turn| {
        let database = if turn % 2 == 0 { &one } else { &two }.clone();
        tokio::spawn(async move { add(&database, &counts(0..50)).await })
    });
    for added in join_all(writers).await {
        added.unwrap().unwrap();
    }
    assert_eq!(total(&one).await, (50, 1_000));
    assert_eq!(total(&two).await, (50, 1_000));
}

#[tokio::test]
async fn the_file_is_for_its_owner_alone() {
    let (_folder, path) = folder();
    let database = SqliteDatabase::open(&path).await.unwrap();
    add(&database, &counts(0..1)).await.unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.clone().into_os_string();
        file.push(suffix);
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn every_connection_is_set_up() {
    let (_folder, path) = folder();
    let database = SqliteDatabase::open(&path).await.unwrap();
    for pool in [&database.writer, &database.readers] {
        let settings = run(pool, TransactionBehavior::Deferred, |transaction| {
            let text =
                |name| transaction.pragma_query_value(None, name, |row| row.get::<_, String>(0));
            let number =
                |name| transaction.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
            Ok((
                text("journal_mode")?,
                number("synchronous")?,
                number("foreign_keys")?,
                number("trusted_schema")?,
                number("busy_timeout")?,
            ))
        });
        let full = 2;
        assert_eq!(
            settings.await.unwrap(),
            ("wal".to_owned(), full, 1, 0, 6_000)
        );
    }
}

#[tokio::test]
async fn a_name_that_means_more_to_sqlite_is_just_a_name() {
    let folder = tempfile::tempdir().unwrap();
    for name in [":memory:", "file:x?mode=memory", "100%25.db"] {
        let path = folder.path().join(name);
        SqliteDatabase::open(&path).await.unwrap();
        assert!(path.is_file(), "{name}");
    }
}

#[tokio::test]
async fn a_file_of_another_kind_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    fs::write(&path, "these are notes and no database\n".repeat(100)).unwrap();
    let opened = SqliteDatabase::open(&path).await;
    assert!(matches!(opened, Err(DbError::Corrupt(_))), "{opened:?}");
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let path = folder.path().join("file/symbold.db");
    let refused = SqliteDatabase::open(&path).await.unwrap_err().to_string();
    assert!(refused.contains(path.to_str().unwrap()), "{refused}");
}

#[tokio::test]
async fn a_busy_pool_is_unavailable() {
    let (_folder, path) = folder();
    let database = SqliteDatabase::open_with(&path, SHORT_TIME_LIMIT)
        .await
        .unwrap();
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let (finish, may_finish) = mpsc::channel();
    let held = tokio::spawn({
        let database = database.clone();
        async move {
            database
                .write(move |_| {
                    begun.send(()).unwrap();
                    may_finish.recv().unwrap();
                    Ok(())
                })
                .await
        }
    });
    has_begun.await.unwrap();

    let refused = add(&database, &counts(0..1)).await;
    assert!(
        matches!(&refused, Err(DbError::Unavailable(reason)) if reason == "every connection is busy"),
        "{refused:?}"
    );
    database
        .check()
        .await
        .expect("readers do not wait for a writer");

    finish.send(()).unwrap();
    held.await.unwrap().unwrap();
    add(&database, &counts(0..1)).await.unwrap();
}

#[tokio::test]
async fn a_lock_of_another_process_is_unavailable() {
    let (_folder, path) = folder();
    let database = SqliteDatabase::open_with(&path, SHORT_TIME_LIMIT)
        .await
        .unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = add(&database, &counts(0..1)).await;
    assert!(
        matches!(&refused, Err(DbError::Unavailable(reason)) if reason.contains("locked")),
        "{refused:?}"
    );
    other.execute_batch("COMMIT").unwrap();
    add(&database, &counts(0..1)).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_is_unavailable_and_writes_nothing() {
    let (_folder, path) = folder();
    let database = SqliteDatabase::open(&path).await.unwrap();
    add(&database, &counts(0..5)).await.unwrap();
    database
        .write(|transaction| {
            transaction.pragma_update(None, "max_page_count", 1)?;
            Ok(())
        })
        .await
        .unwrap();
    let refused = add(&database, &counts(0..1_000)).await;
    assert!(
        matches!(&refused, Err(DbError::Unavailable(reason)) if reason.contains("full")),
        "{refused:?}"
    );
    assert_eq!(total(&database).await, (5, 5));
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_corrupt() {
    let (_folder, path) = folder();
    let database = SqliteDatabase::open(&path).await.unwrap();
    let token = NewToken {
        secret_hash: "hash".to_owned(),
        email: "build@example.com".to_owned(),
        permissions: vec![],
        note: String::new(),
        created_at: datetime!(2026-11-23 10:00 UTC),
        expires_at: datetime!(2026-11-24 10:00 UTC),
    };
    database.insert_token(&token).await.unwrap();
    for change in [
        "UPDATE tokens SET permissions = 'upload'",
        "UPDATE tokens SET permissions = '[]', expires_at = 9223372036854775807",
    ] {
        database
            .write(move |transaction| Ok(transaction.execute(change, [])?))
            .await
            .unwrap();
        let read = database.token_by_hash("hash").await;
        assert!(matches!(read, Err(DbError::Corrupt(_))), "{read:?}");
    }
}

#[tokio::test]
async fn a_panic_costs_one_call_and_one_connection() {
    let (_folder, path) = folder();
    let database = SqliteDatabase::open(&path).await.unwrap();
    let panicking = tokio::spawn({
        let database = database.clone();
        async move {
            database
                .write(|transaction| -> Result<(), DbError> {
                    transaction.execute("DELETE FROM schema_migrations", [])?;
                    panic!("a bug")
                })
                .await
        }
    });
    assert!(panicking.await.unwrap_err().is_panic());
    add(&database, &counts(0..1)).await.unwrap();
    assert_eq!(total(&database).await, (1, 1));
    drop(database);
    SqliteDatabase::open(&path)
        .await
        .expect("nothing was deleted");
}

#[tokio::test]
async fn many_rows_expire_in_steps() {
    let (_folder, path) = folder();
    let database = SqliteDatabase::open(&path).await.unwrap();
    add(&database, &counts(0..20_001)).await.unwrap();
    let expired = database
        .expire_missing(datetime!(2027-01-01 0:00 UTC))
        .await;
    assert_eq!(expired.unwrap(), 20_001);
    assert_eq!(total(&database).await, (0, 0));
}
