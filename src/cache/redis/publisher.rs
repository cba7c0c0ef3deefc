//! Publishes changes to all nodes.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deadpool_redis::redis::Pipeline;
use prometheus_client::metrics::gauge::Gauge;

use super::super::{CacheError, CacheKey, Token};
use super::connection::{Connection, pipeline};
use super::names::Names;
use super::stamp;

/// How many changes may wait to be published. Changes beyond it are not published: other nodes find out when their
/// entries expire.
const MOST_UNPUBLISHED: usize = 50_000;

/// How many changes one round trip publishes.
const BATCH: usize = 100;

/// Drops the value of a key from Redis and tells all nodes to forget it. Keeps changes that could not be published, to
/// send them later.
#[derive(Debug)]
pub(super) struct Publisher {
    connection: Arc<Connection>,
    names: Names,
    keep_generation: Duration,
    unpublished: Mutex<HashSet<CacheKey>>,
    waiting: Gauge,
}

impl Publisher {
    /// Makes a publisher with nothing to publish. `keep_generation` is longer than the time to live of any value.
    pub(super) fn new(
        connection: Arc<Connection>,
        names: Names,
        keep_generation: Duration,
        waiting: Gauge,
    ) -> Self {
        Self {
            connection,
            names,
            keep_generation,
            unpublished: Mutex::default(),
            waiting,
        }
    }

    /// Publishes one change. If that fails, it is kept for [`Self::catch_up`].
    pub(super) async fn publish(&self, key: &CacheKey) -> Result<(), CacheError> {
        let published = match self.commands(std::slice::from_ref(key)) {
            Ok(commands) => self.connection.call(&commands).await,
            Err(error) => Err(error),
        };
        if let Err(error) = published {
            self.put_off([key.clone()]);
            return Err(error);
        }
        Ok(())
    }

    /// Publishes every change that waits.
    pub(super) async fn catch_up(&self) -> Result<(), CacheError> {
        loop {
            // Taken out first: the same key may change again while the batch is on its way.
            let batch = self.take_batch();
            if batch.is_empty() {
                return Ok(());
            }
            let published = match self.commands(&batch) {
                Ok(commands) => self.connection.insist(&commands).await,
                Err(error) => Err(error),
            };
            if let Err(error) = published {
                self.put_off(batch);
                return Err(error);
            }
        }
    }

    fn commands(&self, keys: &[CacheKey]) -> Result<Pipeline, CacheError> {
        let seconds = self.keep_generation.as_secs();
        let mut commands = pipeline();
        for key in keys {
            let generation = getrandom::u64()
                .map_err(|error| CacheError(format!("no randomness: {error}")))?
                .max(1);
            commands
                .cmd("SET")
                .arg(self.names.generation(key))
                .arg(stamp::write(Token(generation)))
                .arg("EX")
                .arg(seconds);
            commands.cmd("UNLINK").arg(self.names.value(key));
            commands
                .cmd("PUBLISH")
                .arg(self.names.channel())
                .arg(key.as_str());
        }
        Ok(commands)
    }

    fn take_batch(&self) -> Vec<CacheKey> {
        let mut unpublished = self.unpublished();
        let batch: Vec<_> = unpublished.iter().take(BATCH).cloned().collect();
        for key in &batch {
            unpublished.remove(key);
        }
        self.show(&unpublished);
        batch
    }

    fn put_off(&self, keys: impl IntoIterator<Item = CacheKey>) {
        let mut unpublished = self.unpublished();
        for key in keys {
            if unpublished.len() < MOST_UNPUBLISHED {
                unpublished.insert(key);
            }
        }
        self.show(&unpublished);
    }

    fn show(&self, unpublished: &HashSet<CacheKey>) {
        self.waiting
            .set(i64::try_from(unpublished.len()).unwrap_or(i64::MAX));
    }

    fn unpublished(&self) -> MutexGuard<'_, HashSet<CacheKey>> {
        self.unpublished
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
