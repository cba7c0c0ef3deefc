//! PostgreSQL: the engine of many nodes that share their records.
//!
//! Every call is one statement, and so one transaction: it is carried out whole or not at all, and no connection idles
//! inside of one. Connections belong to the runtime that opened the database, and every call runs there as a task of
//! its own: the callers are HTTP workers with runtimes of their own, which may be blocked or end. A caller that gives
//! up does not stop a call.
//!
//! Every call has a deadline, also against a server that is there and says nothing. A connection that kept a call
//! waiting for that long is closed, since its answer could still arrive and be taken for that of the next call. A
//! statement that is harmless when repeated is sent again when the connection broke. A statement that the server rolled
//! back in favour of another one is sent again until the deadline.

mod build_ids;
mod connect;
mod deadlines;
mod failure;
mod files;
mod missing;
mod nodes;
mod row;
mod schema;
mod statement;
#[cfg(test)]
mod tests;
mod tokens;
mod uploads;
mod values;
mod waiting;

use std::fmt;
use std::panic::resume_unwind;
use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_postgres::Row;

use super::{DatabaseCheck, DatabaseConfig, DbError, migrations};
use connect::Connector;
use deadlines::Deadlines;
use values::{Parameter, parameters};

/// How often a call is sent at most when its connections break.
const ATTEMPTS: u32 = 3;

/// How long a call whose statement was rolled back waits before it is sent again, times how often that has happened, so
/// that the statement it gave way to can end.
const GIVE_WAY: Duration = Duration::from_millis(10);

/// All records in one PostgreSQL database, which other nodes use too.
#[derive(Clone)]
pub struct PostgresDatabase {
    pool: Pool,
    deadlines: Deadlines,
    runtime: Handle,
}

impl PostgresDatabase {
    /// Connects to the server and brings the schema up to date, if that is wanted. The connections will live on the
    /// runtime that this is called on.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when the server does not answer or refuses; [`DbError::Schema`] when the address is
    /// invalid or the schema is of another version of the program. Every message names the address, without its
    /// password.
    pub async fn open(config: &DatabaseConfig) -> Result<Self, DbError> {
        let deadlines = Deadlines::new(config.timeout);
        let connector = Connector::new(&config.url, deadlines).await?;
        schema::prepare(&connector, migrations::POSTGRES, config.migrate)
            .await
            .map_err(|error| match error {
                DbError::Unavailable(reason) => {
                    DbError::Unavailable(format!("{reason} (database.url is {})", config.url))
                }
                DbError::Schema(sentence) => {
                    DbError::Schema(format!("{sentence} (database.url is {})", config.url))
                }
                other => other,
            })?;
        Ok(Self {
            pool: pool(connector, config.connections),
            deadlines,
            runtime: Handle::current(),
        })
    }

    /// Runs a statement that does no harm when it is carried out twice.
    async fn query(
        &self,
        sql: impl Into<String>,
        parameters: Vec<Parameter>,
    ) -> Result<Vec<Row>, DbError> {
        let sql = sql.into();
        self.run(Call {
            sql,
            parameters,
            is_repeatable: true,
        })
        .await
    }

    /// Runs a statement that must not be carried out twice. When the connection breaks, it is unknown whether it was.
    async fn query_once(
        &self,
        sql: impl Into<String>,
        parameters: Vec<Parameter>,
    ) -> Result<Vec<Row>, DbError> {
        let sql = sql.into();
        self.run(Call {
            sql,
            parameters,
            is_repeatable: false,
        })
        .await
    }

    async fn run(&self, call: Call) -> Result<Vec<Row>, DbError> {
        let (pool, time_limit) = (self.pool.clone(), self.deadlines.call);
        match self
            .runtime
            .spawn(async move { call.run(&pool, time_limit).await })
            .await
        {
            Ok(result) => result,
            Err(failure) if failure.is_panic() => resume_unwind(failure.into_panic()),
            Err(_) => Err(DbError::Unavailable("the server is stopping".to_owned())),
        }
    }
}

impl fmt::Debug for PostgresDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresDatabase")
            .field("pool", &self.pool.status())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl DatabaseCheck for PostgresDatabase {
    async fn check(&self) -> Result<(), DbError> {
        self.query("SELECT max(number) FROM schema_migrations", parameters![])
            .await?;
        Ok(())
    }
}

/// One statement with its values.
struct Call {
    sql: String,
    parameters: Vec<Parameter>,
    is_repeatable: bool,
}

impl Call {
    async fn run(&self, pool: &Pool, time_limit: Duration) -> Result<Vec<Row>, DbError> {
        let deadline = Instant::now() + time_limit;
        let (mut lost, mut gave_way) = (0, 0);
        loop {
            let Ok(client) = timeout_at(deadline, pool.get()).await else {
                return Err(failure::no_answer(time_limit));
            };
            let client = client?;
            let error = match timeout_at(deadline, self.send(&client)).await {
                Ok(Ok(rows)) => return Ok(rows),
                Ok(Err(error)) => error,
                Err(_) => {
                    give_up(pool, client);
                    return Err(failure::no_answer(time_limit));
                }
            };
            if failure::gave_way(&error) {
                gave_way += 1;
                let again = Instant::now() + GIVE_WAY * gave_way;
                if again >= deadline {
                    return Err(error.into());
                }
                drop(client);
                sleep_until(again).await;
                continue;
            }
            if !failure::lost_connection(&error) {
                return Err(error.into());
            }
            give_up(pool, client);
            lost += 1;
            if lost == ATTEMPTS || !self.is_repeatable {
                return Err(error.into());
            }
        }
    }

    async fn send(&self, client: &Object) -> Result<Vec<Row>, tokio_postgres::Error> {
        let statement = client.prepare_cached(&self.sql).await?;
        let parameters: Vec<_> = self.parameters.iter().map(values::as_sql).collect();
        client.query(&statement, &parameters).await
    }
}

/// Closes a connection and the idle ones, which most likely have the same fault.
fn give_up(pool: &Pool, client: Object) {
    drop(Object::take(client));
    pool.retain(|_, _| false);
}

fn pool(connector: Connector, connections: usize) -> Pool {
    let deadlines = connector.deadlines;
    let settings = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    let manager = Manager::from_config(connector.config, connector.tls, settings);
    Pool::builder(manager)
        .max_size(connections)
        .wait_timeout(Some(deadlines.free_connection()))
        .create_timeout(Some(deadlines.connect()))
        .recycle_timeout(Some(deadlines.free_connection()))
        .runtime(Runtime::Tokio1)
        .build()
        .expect("a pool with timeouts has a runtime")
}
