//! Writes what has gathered to the database, and lets old rows go.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{MissingConfig, MissingLog};
use crate::clock::SharedClock;
use crate::db::{Database, DbError};
use crate::metrics::Metrics;

/// How many rows one transaction writes at most.
const BATCH: usize = 1_000;

/// How often old rows are looked for.
const EXPIRE_EVERY: Duration = Duration::from_hours(1);

/// How often the last counts are tried when the server stops while the database is away.
const LAST_ATTEMPTS: usize = 3;

/// The task that writes counts.
#[derive(Debug)]
pub struct MissingWorker {
    log: MissingLog,
    database: Arc<dyn Database>,
    config: MissingConfig,
    clock: SharedClock,
    metrics: Metrics,
}

impl MissingWorker {
    /// Makes the worker of a log.
    #[must_use]
    pub fn new(
        log: MissingLog,
        database: Arc<dyn Database>,
        config: MissingConfig,
        clock: SharedClock,
        metrics: Metrics,
    ) -> Self {
        Self {
            log,
            database,
            config,
            clock,
            metrics,
        }
    }

    /// Works until it is told to stop; then writes what is left and returns.
    pub async fn run(self, stop: CancellationToken) {
        // The first write comes after an interval, when there can be something to write.
        let every = self.config.flush_every;
        let mut flush = tokio::time::interval_at(Instant::now() + every, every);
        flush.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut expire = tokio::time::interval(EXPIRE_EVERY);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = flush.tick() => self.flush().await,
                _ = expire.tick() => self.expire().await,
            }
        }
        for _ in 0..LAST_ATTEMPTS {
            if self.log.gathered.len() == 0 {
                return;
            }
            self.flush().await;
        }
        let lost = self.log.gathered.len();
        if lost > 0 {
            tracing::error!(
                event = "missing_lost",
                symbols = lost,
                "stopping without the database: counts of missing symbols are lost"
            );
        }
    }

    /// Writes everything that has gathered. What cannot be written waits for the next time.
    async fn flush(&self) {
        let counts = self.log.gathered.take();
        let mut batches = counts.chunks(BATCH);
        for batch in batches.by_ref() {
            if let Err(error) = self.database.add_missing(batch).await {
                tracing::warn!(event = "missing_delayed", %error, symbols = counts.len(), "could not write counts of missing symbols, will try again");
                batch
                    .iter()
                    .chain(batches.flatten())
                    .for_each(|count| self.put_back(count.clone()));
                break;
            }
            self.metrics
                .missing_written
                .inc_by(batch.iter().map(|count| count.count).sum());
        }
        self.metrics
            .missing_pending
            .set(i64::try_from(self.log.gathered.len()).unwrap_or(i64::MAX));
    }

    fn put_back(&self, count: crate::db::missing::MissingCount) {
        let number = count.count;
        if !self.log.gathered.add(count) {
            self.metrics.missing_dropped.inc_by(number);
        }
    }

    async fn expire(&self) {
        let before = self.clock.now() - self.config.keep;
        let expired: Result<u64, DbError> = self.database.expire_missing(before).await;
        match expired {
            Ok(0) => {}
            Ok(rows) => tracing::info!(
                event = "missing_expired",
                rows,
                "deleted missing symbols nobody asks for any more"
            ),
            Err(error) => {
                tracing::warn!(event = "missing_not_expired", %error, "could not delete old missing symbols");
            }
        }
    }
}
