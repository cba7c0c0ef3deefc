//! The embedded engine: one SQLite file, without a service to run.
//!
//! SQLite has one writer at a time and any number of readers beside it (write-ahead log), and so has this engine: a
//! pool of one connection for what writes, where waiting is fair, and a pool of a few for what only reads. Every call
//! is one transaction on a thread for blocking work; a caller that gives up does not stop it: it is still carried out
//! whole or not at all. A writing transaction takes the write lock when it begins, since one that starts by reading and
//! is then overtaken fails at once, without any waiting. Other processes may use the same file.

mod build_ids;
mod file;
mod files;
mod missing;
mod nodes;
mod row;
#[cfg(test)]
mod tests;
mod tokens;
mod uploads;
mod values;
mod waiting;

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use deadpool_sqlite::{
    Config, Hook, HookError, InteractError, Manager, Pool, PoolError, Runtime, TimeoutType,
};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::migrate::{self, Applied};
use super::{DatabaseCheck, DbError, migrations};
use crate::blocking;

/// How long a call waits where no configuration says so.
const TIME_LIMIT: Duration = Duration::from_secs(6);

const READERS: usize = 4;

/// All records in one SQLite file.
///
/// Connections are closed by tasks of the Tokio runtime, so it is used and dropped inside one.
#[derive(Clone, Debug)]
pub struct SqliteDatabase {
    writer: Pool,
    readers: Pool,
}

impl SqliteDatabase {
    /// Opens the file, making it (mode 0600) and the folders above it if need be, and brings its schema up to date.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when the file cannot be made or opened or is locked for long, [`DbError::Corrupt`] when
    /// it is no SQLite database, [`DbError::Schema`] when it belongs to another version of the program.
    pub async fn open(path: &Path) -> Result<Self, DbError> {
        Self::open_with(path, TIME_LIMIT).await
    }

    /// As [`Self::open`], with how long a call waits for a connection, and again for another process's lock.
    pub(super) async fn open_with(path: &Path, time_limit: Duration) -> Result<Self, DbError> {
        let cannot_make =
            |error| DbError::Unavailable(format!("cannot make {}: {error}", path.display()));
        // A relative path could mean more to SQLite than a path: `:memory:`, `file:…`.
        let path = std::path::absolute(path).map_err(cannot_make)?;
        let prepared = path.clone();
        blocking::run(move || file::prepare(&prepared))
            .await
            .map_err(cannot_make)?;
        let database = Self {
            writer: pool(path.clone(), 1, time_limit),
            readers: pool(path, READERS, time_limit),
        };
        database.write(apply_migrations).await?;
        Ok(database)
    }

    /// Runs a transaction that only reads: all its statements see the same moment.
    async fn read<T, F>(&self, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, DbError> + Send + 'static,
    {
        run(&self.readers, TransactionBehavior::Deferred, work).await
    }

    /// Runs a transaction that writes. Nothing is written unless `work` succeeds.
    async fn write<T, F>(&self, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, DbError> + Send + 'static,
    {
        run(&self.writer, TransactionBehavior::Immediate, work).await
    }
}

#[async_trait]
impl DatabaseCheck for SqliteDatabase {
    async fn check(&self) -> Result<(), DbError> {
        self.read(|transaction| {
            transaction
                .query_row("SELECT max(number) FROM schema_migrations", [], |_| Ok(()))
                .map_err(DbError::from)
        })
        .await
    }
}

async fn run<T, F>(pool: &Pool, behavior: TransactionBehavior, work: F) -> Result<T, DbError>
where
    T: Send + 'static,
    F: FnOnce(&Transaction<'_>) -> Result<T, DbError> + Send + 'static,
{
    let connection = pool.get().await.map_err(explain)?;
    let result = connection
        .interact(move |connection| {
            let transaction = connection.transaction_with_behavior(behavior)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })
        .await;
    match result {
        Ok(result) => result,
        Err(InteractError::Panic(panic)) => resume_unwind(panic),
        Err(InteractError::Cancelled) => {
            Err(DbError::Unavailable("the server is stopping".to_owned()))
        }
    }
}

fn explain(error: PoolError) -> DbError {
    match error {
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
            error.into()
        }
        PoolError::Timeout(TimeoutType::Wait) => {
            DbError::Unavailable("every connection is busy".to_owned())
        }
        other => DbError::Unavailable(other.to_string()),
    }
}

fn pool(path: PathBuf, size: usize, time_limit: Duration) -> Pool {
    let manager = Manager::from_config(&Config::new(path), Runtime::Tokio1);
    let set_up = Hook::async_fn(move |connection, _| {
        Box::pin(async move {
            connection
                .interact(move |connection| set_up(connection, time_limit))
                .await
                .map_err(|error| HookError::message(error.to_string()))?
                .map_err(HookError::Backend)
        })
    });
    Pool::builder(manager)
        .max_size(size)
        .wait_timeout(Some(time_limit))
        .recycle_timeout(Some(time_limit))
        .runtime(Runtime::Tokio1)
        .post_create(set_up)
        .build()
        .expect("a pool with timeouts has a runtime")
}

/// The timeout comes first: the very next statement may meet a lock. `FULL` makes a commit survive a
/// power cut, `trusted_schema` off keeps a doctored file from calling functions.
fn set_up(connection: &mut Connection, time_limit: Duration) -> rusqlite::Result<()> {
    connection.busy_timeout(time_limit)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA trusted_schema = OFF;",
    )
}

fn apply_migrations(transaction: &Transaction<'_>) -> Result<(), DbError> {
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_migrations (
             number INTEGER PRIMARY KEY,
             name TEXT NOT NULL,
             checksum TEXT NOT NULL
         ) STRICT;",
    )?;
    let applied = transaction
        .prepare("SELECT number, name, checksum FROM schema_migrations ORDER BY number")?
        .query_map([], |row| {
            Ok(Applied {
                number: row.get("number")?,
                name: row.get("name")?,
                checksum: row.get("checksum")?,
            })
        })?
        .collect::<Result<Vec<_>, _>>()?;
    for migration in migrate::plan(migrations::SQLITE, &applied)? {
        transaction.execute_batch(migration.sql)?;
        transaction.execute(
            "INSERT INTO schema_migrations (number, name, checksum) VALUES (?1, ?2, ?3)",
            (migration.number, migration.name, migration.checksum()),
        )?;
    }
    Ok(())
}
