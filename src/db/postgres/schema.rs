//! Bringing the schema up to date.
//!
//! Nodes that start at once must not all migrate. Each takes a lock of its session first, and looks again once it has
//! it: the first one migrates, the others wait and find it done. A node that finds its schema as it should be takes no
//! lock and needs no right to change tables.

use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::Client;

use super::connect::Connector;
use super::failure;
use crate::db::DbError;
use crate::db::migrate::{self, Applied, Migration};

/// The lock under which one node migrates, of those that the database offers for such use: `symbold` in ASCII.
const LOCK: i64 = 0x0073_796d_626f_6c64;

/// How long a node waits until another one has migrated.
const LOCK_TIME_LIMIT: Duration = Duration::from_mins(1);

/// How long one step may take.
const STEP_TIME_LIMIT: Duration = Duration::from_mins(30);

/// Applies what the database lacks of the program's list; where that is not wanted, refuses a database that lacks
/// something.
pub(super) async fn prepare(
    connector: &Connector,
    known: &[Migration],
    migrate: bool,
) -> Result<(), DbError> {
    let time_limit = connector.deadlines.call;
    let mut client = connector.connect().await?;
    let missing = migrate::plan(known, &applied(&client, time_limit).await?)?;
    let Some(first) = missing.first() else {
        return Ok(());
    };
    if !migrate {
        return Err(DbError::Schema(format!(
            "The database is older than this program: it lacks migration {} ({}), and database.migrate is false. \
             Run `symbold migrate` first.",
            first.number, first.name
        )));
    }
    take_lock(&client, time_limit).await?;
    within(
        time_limit,
        client.batch_execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations (
                 number integer PRIMARY KEY,
                 name text NOT NULL,
                 checksum text NOT NULL
             )",
        ),
    )
    .await?;
    for step in migrate::plan(known, &applied(&client, time_limit).await?)? {
        within(STEP_TIME_LIMIT, apply(&mut client, step)).await?;
        tracing::info!(
            event = "migrated",
            number = step.number,
            name = step.name,
            "the database's schema was brought a step forward"
        );
    }
    Ok(())
}

/// Waits for the lock, which the server gives back when the connection ends. From here on statements may take long; a
/// lock on a table is still not waited for longer than in any other session.
async fn take_lock(client: &Client, time_limit: Duration) -> Result<(), DbError> {
    let wait = format!(
        "SET statement_timeout = 0; SET lock_timeout = {}; SELECT pg_advisory_lock({LOCK}); RESET lock_timeout;",
        LOCK_TIME_LIMIT.as_millis()
    );
    within(LOCK_TIME_LIMIT + time_limit, client.batch_execute(&wait)).await
}

async fn applied(client: &Client, time_limit: Duration) -> Result<Vec<Applied>, DbError> {
    let exists = "SELECT to_regclass('schema_migrations') IS NOT NULL";
    let exists: bool = within(time_limit, client.query_one_scalar(exists, &[])).await?;
    if !exists {
        return Ok(Vec::new());
    }
    let history = "SELECT number, name, checksum FROM schema_migrations ORDER BY number";
    let rows = within(time_limit, client.query(history, &[])).await?;
    let read = |row: &tokio_postgres::Row| {
        let number: i32 = row.try_get(0)?;
        Ok(Applied {
            number: u32::try_from(number).unwrap_or(u32::MAX),
            name: row.try_get(1)?,
            checksum: row.try_get(2)?,
        })
    };
    rows.iter().map(read).collect()
}

async fn apply(client: &mut Client, step: &Migration) -> Result<(), tokio_postgres::Error> {
    let transaction = client.transaction().await?;
    transaction.batch_execute(step.sql).await?;
    let number = i32::try_from(step.number).unwrap_or(i32::MAX);
    let remember = "INSERT INTO schema_migrations (number, name, checksum) VALUES ($1, $2, $3)";
    transaction
        .execute(remember, &[&number, &step.name, &step.checksum()])
        .await?;
    transaction.commit().await
}

async fn within<T>(
    time_limit: Duration,
    work: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, DbError> {
    match timeout(time_limit, work).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(failure::no_answer(time_limit)),
    }
}
