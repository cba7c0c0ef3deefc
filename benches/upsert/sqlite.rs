//! The table in SQLite. As in the server, one connection does all writing, and writers wait for it in line.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use symbold::blocking;
use symbold::db::missing::MissingCount;
use symbold::db::{MissingRecords, SqliteDatabase};
use tempfile::TempDir;

use super::Table;

const INSERT: &str = "INSERT INTO missing_symbols
    (debug_file, debug_id, file_name, code_file, code_id, count, created_at, modified_at)
    VALUES (?1, ?2, ?3, '', '', ?4, ?5, ?5)";

const UPSERT: &str =
    "ON CONFLICT (debug_file, debug_id, file_name, code_file, code_id) DO UPDATE SET
    count = count + excluded.count, modified_at = max(modified_at, excluded.modified_at)";

const SELECT: &str = "SELECT id FROM missing_symbols
    WHERE debug_file = ?1 AND debug_id = ?2 AND file_name = ?3 AND code_file = '' AND code_id = ''";

const UPDATE: &str = "UPDATE missing_symbols
    SET count = count + ?2, modified_at = max(modified_at, ?3) WHERE id = ?1";

/// As the server sets its connections up.
const SET_UP: &str =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;";

pub(super) struct SqliteTable {
    database: SqliteDatabase,
    connection: Arc<Mutex<Connection>>,
    _folder: TempDir,
}

impl SqliteTable {
    pub(super) async fn open() -> Self {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        let path = folder.path().join("symbold.sqlite");
        let database = SqliteDatabase::open(&path)
            .await
            .expect("the database opens");
        let connection = Connection::open(&path).expect("the database opens");
        connection
            .execute_batch(SET_UP)
            .expect("the settings are known");
        Self {
            database,
            connection: Arc::new(Mutex::new(connection)),
            _folder: folder,
        }
    }

    /// Runs a transaction on a thread for blocking work.
    async fn write<T, F>(&self, work: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let connection = Arc::clone(&self.connection);
        let written = blocking::run(move || {
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let written = in_transaction(&mut connection, work);
            Ok(written.expect("the statements are good ones"))
        });
        written.await.expect("the work does not fail")
    }
}

fn in_transaction<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let value = work(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

#[async_trait]
impl Table for SqliteTable {
    fn records(&self) -> &dyn MissingRecords {
        &self.database
    }

    async fn select_then_write(&self, _: usize, counts: &[MissingCount]) {
        let counts = counts.to_vec();
        let work = move |transaction: &Transaction<'_>| {
            let mut select = transaction.prepare_cached(SELECT)?;
            let mut update = transaction.prepare_cached(UPDATE)?;
            let mut insert = transaction.prepare_cached(INSERT)?;
            for MissingCount {
                symbol,
                count,
                last_asked,
            } in counts
            {
                let asked = micros(last_asked);
                let (file, id, name) = (&symbol.debug_file, &symbol.debug_id, &symbol.file_name);
                let found = select.query_row(params![file, id, name], |row| row.get::<_, i64>(0));
                match found.optional()? {
                    Some(row) => update.execute(params![row, count, asked])?,
                    None => insert.execute(params![file, id, name, count, asked])?,
                };
            }
            Ok(())
        };
        self.write(work).await;
    }

    async fn upsert(&self, _: usize, counts: &[MissingCount]) {
        let counts = counts.to_vec();
        let work = move |transaction: &Transaction<'_>| {
            let mut upsert = transaction.prepare_cached(&format!("{INSERT} {UPSERT}"))?;
            for MissingCount {
                symbol,
                count,
                last_asked,
            } in counts
            {
                let (file, id, name) = (symbol.debug_file, symbol.debug_id, symbol.file_name);
                upsert.execute(params![file, id, name, count, micros(last_asked)])?;
            }
            Ok(())
        };
        self.write(work).await;
    }

    async fn counts(&self) -> BTreeMap<String, u64> {
        let work = |transaction: &Transaction<'_>| {
            let mut select = transaction
                .prepare("SELECT debug_file, sum(count) FROM missing_symbols GROUP BY 1")?;
            let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        };
        self.write(work).await
    }

    async fn clear(&self) {
        self.write(|transaction| transaction.execute("DELETE FROM missing_symbols", []))
            .await;
    }
}

fn micros(time: time::OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1000).expect("the time is of this age")
}
