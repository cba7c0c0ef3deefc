//! The one connection that commands share.
//!
//! The pool checks a connection by a round trip whenever it hands one out, which more than doubles the time of a
//! lookup and, with many at once, costs most of the throughput (measured: a tenth to a sixth of it is left). So the
//! pool is asked by a background task, a few times a second, and has the connection checked or made anew away from
//! any request; the commands go over clones of that connection, which share it without waiting for each other. The
//! connection's driver runs where the background task runs, so no HTTP worker can stall it or end it.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{self, AsyncConnectionConfig, ConnectionInfo, Pipeline, Value};
use deadpool_redis::{Manager, Pool};
use prometheus_client::metrics::counter::Counter;

use super::super::CacheError;
use crate::breaker::{Breaker, BreakerSettings};
use crate::clock::SharedClock;
use crate::metrics::Metrics;

/// What Redis answers when a key holds another type of value than the command is for.
const WRONG_TYPE: &str = "WRONGTYPE";

/// A breaker that opens soon, since lookups go on without Redis, and that costs a broken Redis one command in five
/// seconds.
const BREAKER: BreakerSettings = BreakerSettings {
    failures: 5,
    pause: Duration::from_secs(5),
};

/// Sends commands, each within a time, and none while Redis is known to be broken.
pub(super) struct Connection {
    pool: Pool,
    current: Mutex<Option<MultiplexedConnection>>,
    breaker: Breaker,
    faults: Counter,
    timeout: Duration,
    clock: SharedClock,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("breaker", &self.breaker)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Makes a connection that is not open yet. A command may take as long as `timeout`.
    pub(super) fn new(
        address: ConnectionInfo,
        timeout: Duration,
        metrics: &Metrics,
        clock: SharedClock,
    ) -> Result<Self, CacheError> {
        // Every call here has a timeout of its own.
        let untimed = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let manager = Manager::new_with_config(address, untimed)
            .map_err(|error| CacheError(error.to_string()))?;
        let pool = Pool::builder(manager).max_size(1).build();
        Ok(Self {
            pool: pool.map_err(|error| CacheError(error.to_string()))?,
            current: Mutex::default(),
            breaker: Breaker::new(BREAKER, metrics.shared_cache_breaker_open.clone()),
            faults: metrics.shared_cache_faults.clone(),
            timeout,
            clock,
        })
    }

    /// Checks the connection, or opens a new one.
    pub(super) async fn renew(&self, within: Duration) -> Result<(), CacheError> {
        let checked = tokio::time::timeout(within, self.pool.get()).await;
        let result = match checked {
            Ok(Ok(connection)) => Ok(MultiplexedConnection::clone(&connection)),
            Ok(Err(error)) => Err(CacheError(error.to_string())),
            Err(_) => Err(no_answer(within)),
        };
        let (connection, result) = match result {
            Ok(connection) => (Some(connection), Ok(())),
            Err(error) => (None, Err(error)),
        };
        *self.slot() = connection;
        result
    }

    /// Sends the commands of a [`pipeline`] and returns an answer for each, unless the breaker is open. An answer of
    /// the wrong type stands among them as an error; every other error is a fault of the whole.
    pub(super) async fn call(&self, commands: &Pipeline) -> Result<Vec<Value>, CacheError> {
        let connection = self.current()?;
        if !self.breaker.admits(self.clock.elapsed()) {
            return Err(CacheError("the breaker is open".to_owned()));
        }
        self.send(commands, connection).await
    }

    /// As [`Self::call`], even while the breaker is open.
    pub(super) async fn insist(&self, commands: &Pipeline) -> Result<Vec<Value>, CacheError> {
        self.send(commands, self.current()?).await
    }

    async fn send(
        &self,
        commands: &Pipeline,
        mut connection: MultiplexedConnection,
    ) -> Result<Vec<Value>, CacheError> {
        let sent = commands.query_async::<Vec<Value>>(&mut connection);
        let result = match tokio::time::timeout(self.timeout, sent).await {
            Ok(Ok(answers)) => without_fault(answers),
            Ok(Err(error)) => Err(CacheError(error.to_string())),
            Err(_) => Err(no_answer(self.timeout)),
        };
        if result.is_ok() {
            self.breaker.succeeded();
        } else {
            self.faults.inc();
            self.breaker.failed(self.clock.elapsed());
        }
        result
    }

    fn current(&self) -> Result<MultiplexedConnection, CacheError> {
        let current = self.slot().clone();
        current.ok_or_else(|| CacheError("there is no connection".to_owned()))
    }

    fn slot(&self) -> MutexGuard<'_, Option<MultiplexedConnection>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An empty list of commands for [`Connection::call`].
pub(super) fn pipeline() -> Pipeline {
    let mut commands = redis::pipe();
    commands.ignore_errors();
    commands
}

fn without_fault(answers: Vec<Value>) -> Result<Vec<Value>, CacheError> {
    let fault = answers.iter().find_map(|answer| match answer {
        Value::ServerError(error) if error.code() != WRONG_TYPE => Some(error.to_string()),
        _ => None,
    });
    match fault {
        Some(fault) => Err(CacheError(fault)),
        None => Ok(answers),
    }
}

fn no_answer(within: Duration) -> CacheError {
    CacheError(format!("no answer within {} ms", within.as_millis()))
}
