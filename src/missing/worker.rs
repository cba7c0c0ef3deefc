//! Writes what has gathered to the database, and lets old rows go.
//!
//! Counts go out in numbered batches, one after the other. When a write fails it is not known whether the batch was
//! written before the answer was lost, so the worker keeps it as it is and sends it again, under its number, before any
//! other: the database adds a batch once.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{MissingConfig, MissingLog};
use crate::clock::SharedClock;
use crate::db::missing::{BatchId, MissingCount};
use crate::db::{DbError, MissingRecords};
use crate::metrics::Metrics;

/// How many rows one transaction writes at most.
const BATCH: usize = 1_000;

/// How often old rows are looked for.
const EXPIRE_EVERY: Duration = Duration::from_hours(1);

/// How often the last counts are tried when the server stops while the database is away.
const LAST_ATTEMPTS: usize = 3;

/// Counts on their way to the database.
#[derive(Debug)]
struct Batch {
    id: BatchId,
    counts: Vec<MissingCount>,
}

impl Batch {
    /// How many requests are counted in it.
    fn requests(&self) -> u64 {
        self.counts.iter().map(|count| count.count).sum()
    }
}

/// The task that writes counts.
#[derive(Debug)]
pub struct MissingWorker {
    /// The last batch made.
    last: BatchId,
    /// A batch of which it is not known whether it was written.
    unsettled: Option<Batch>,
    log: MissingLog,
    database: Arc<dyn MissingRecords>,
    config: MissingConfig,
    clock: SharedClock,
    metrics: Metrics,
}

impl MissingWorker {
    /// Makes the worker of a log.
    ///
    /// # Errors
    /// The operating system has no randomness to give.
    pub fn new(
        log: MissingLog,
        database: Arc<dyn MissingRecords>,
        config: MissingConfig,
        clock: SharedClock,
        metrics: Metrics,
    ) -> Result<Self, getrandom::Error> {
        let mut writer = [0; 16];
        getrandom::fill(&mut writer)?;
        Ok(Self {
            last: BatchId { writer, number: 0 },
            unsettled: None,
            log,
            database,
            config,
            clock,
            metrics,
        })
    }

    /// Works until it is told to stop; then writes what is left and returns.
    pub async fn run(mut self, stop: CancellationToken) {
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
            if self.pending() == 0 {
                return;
            }
            self.flush().await;
        }
        let lost = self.pending();
        if lost > 0 {
            tracing::error!(
                event = "missing_lost",
                symbols = lost,
                "stopping without the database: counts of missing symbols are lost"
            );
        }
    }

    /// How many different symbols wait to be written.
    fn pending(&self) -> usize {
        let unsettled = self.unsettled.as_ref();
        self.log.gathered.len() + unsettled.map_or(0, |batch| batch.counts.len())
    }

    /// Writes everything that has gathered. What cannot be written waits for the next time.
    async fn flush(&mut self) {
        self.write_all().await;
        let pending = i64::try_from(self.pending()).unwrap_or(i64::MAX);
        self.metrics.missing_pending.set(pending);
    }

    async fn write_all(&mut self) {
        if let Some(batch) = self.unsettled.take()
            && !self.write(batch).await
        {
            return;
        }
        let counts = self.log.gathered.take();
        let mut chunks = counts.chunks(BATCH);
        while let Some(chunk) = chunks.next() {
            self.last.number += 1;
            let batch = Batch {
                id: self.last,
                counts: chunk.to_vec(),
            };
            if !self.write(batch).await {
                chunks.flatten().for_each(|count| self.put_back(count));
                return;
            }
        }
    }

    /// Writes a batch, or drops it if the database will never take it. Tells whether that is settled; a batch that is
    /// not is kept.
    async fn write(&mut self, batch: Batch) -> bool {
        match self.database.add_missing(batch.id, &batch.counts).await {
            Ok(()) => {
                self.metrics.missing_written.inc_by(batch.requests());
                true
            }
            Err(error @ DbError::Conflict(_)) => {
                self.metrics.missing_dropped.inc_by(batch.requests());
                tracing::error!(event = "missing_refused", %error, symbols = batch.counts.len(), "the database refuses counts of missing symbols, they are dropped");
                true
            }
            Err(error) => {
                tracing::warn!(event = "missing_delayed", %error, symbols = self.pending() + batch.counts.len(), "could not write counts of missing symbols, will try again");
                self.unsettled = Some(batch);
                false
            }
        }
    }

    fn put_back(&self, count: &MissingCount) {
        if !self.log.gathered.add(count.clone()) {
            self.metrics.missing_dropped.inc_by(count.count);
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
