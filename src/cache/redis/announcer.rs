//! Telling all nodes what has changed.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deadpool_redis::redis::Pipeline;
use prometheus_client::metrics::gauge::Gauge;

use super::super::{CacheError, CacheKey, Token};
use super::link::{Link, pipeline};
use super::names::Names;
use super::stamp;

/// How many changes may wait to be told. What comes on top is not told, and ends with the time of what is remembered.
const MOST_UNTOLD: usize = 50_000;

/// How many changes are told at once.
const BATCH: usize = 100;

/// Ends what Redis holds of a key and tells all nodes to forget it. What cannot be told now waits here.
#[derive(Debug)]
pub(super) struct Announcer {
    link: Arc<Link>,
    names: Names,
    keep_generation: Duration,
    untold: Mutex<HashSet<CacheKey>>,
    waiting: Gauge,
}

impl Announcer {
    /// Makes an announcer that has nothing to tell. A generation is kept for a time that is longer than that of any
    /// value.
    pub(super) fn new(
        link: Arc<Link>,
        names: Names,
        keep_generation: Duration,
        waiting: Gauge,
    ) -> Self {
        Self {
            link,
            names,
            keep_generation,
            untold: Mutex::default(),
            waiting,
        }
    }

    /// Tells of one change; if that fails, it is told later.
    pub(super) async fn announce(&self, key: &CacheKey) -> Result<(), CacheError> {
        let told = match self.commands(std::slice::from_ref(key)) {
            Ok(commands) => self.link.call(&commands).await,
            Err(error) => Err(error),
        };
        if let Err(error) = told {
            self.put_off([key.clone()]);
            return Err(error);
        }
        Ok(())
    }

    /// Tells of everything that waits.
    pub(super) async fn catch_up(&self) -> Result<(), CacheError> {
        loop {
            // Taken out first: the same key may change again while it is being told of.
            let batch = self.take_batch();
            if batch.is_empty() {
                return Ok(());
            }
            let told = match self.commands(&batch) {
                Ok(commands) => self.link.insist(&commands).await,
                Err(error) => Err(error),
            };
            if let Err(error) = told {
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
        let mut untold = self.untold();
        let batch: Vec<_> = untold.iter().take(BATCH).cloned().collect();
        for key in &batch {
            untold.remove(key);
        }
        self.show(&untold);
        batch
    }

    fn put_off(&self, keys: impl IntoIterator<Item = CacheKey>) {
        let mut untold = self.untold();
        for key in keys {
            if untold.len() < MOST_UNTOLD {
                untold.insert(key);
            }
        }
        self.show(&untold);
    }

    fn show(&self, untold: &HashSet<CacheKey>) {
        self.waiting
            .set(i64::try_from(untold.len()).unwrap_or(i64::MAX));
    }

    fn untold(&self) -> MutexGuard<'_, HashSet<CacheKey>> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
