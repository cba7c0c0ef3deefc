//! Keeps the table of missing symbols within its bounds: of time, [`MissingConfig::keep`], and of rows,
//! [`MissingConfig::max_rows`].
//!
//! Old rows are looked for once an hour. Rows are counted then, too, and whenever this node has written so many counts
//! that there could be too many. What is too much is read and deleted in bites, so that other writers never wait long.

mod standing;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::MissingConfig;
use crate::background::survive;
use crate::clock::SharedClock;
use crate::db::missing::{MissingDemand, MissingPlace};
use crate::db::{DbError, MissingRecords};
use crate::metrics::{Metrics, StandingLabel};
use standing::{Standing, Tally};

/// How often old rows are looked for.
const EXPIRE_EVERY: Duration = Duration::from_hours(1);

/// A node counts the rows whenever it has written this part of the bound. So the table has at most this much more than
/// the bound, for each node.
const COUNTED_PARTS: u64 = 20;

/// How many rows are read at a time.
const READ: u32 = 10_000;

/// How many rows are deleted at a time: some 20 ms of work for SQLite, during which all other writers wait.
const BITE: usize = 500;

/// The counts that this node has written since rows were counted last.
#[derive(Debug)]
pub(super) struct Written {
    since: AtomicU64,
    /// So many are reason to count again.
    many: u64,
    is_due: Notify,
}

impl Written {
    fn new(max_rows: u64) -> Self {
        Self {
            since: AtomicU64::new(0),
            many: (max_rows / COUNTED_PARTS).max(1),
            is_due: Notify::new(),
        }
    }

    /// Adds the counts of a batch.
    pub(super) fn add(&self, counts: usize) {
        let before = self.since.fetch_add(counts as u64, Ordering::Relaxed);
        if before + counts as u64 >= self.many {
            self.is_due.notify_one();
        }
    }

    async fn many(&self) {
        self.is_due.notified().await;
    }

    fn forget(&self) {
        self.since.store(0, Ordering::Relaxed);
    }
}

/// The task that deletes old rows and rows beyond the bound.
#[derive(Debug)]
pub(super) struct Pruner {
    database: Arc<dyn MissingRecords>,
    config: MissingConfig,
    clock: SharedClock,
    metrics: Metrics,
    written: Arc<Written>,
}

impl Pruner {
    /// Makes the pruner of a table.
    pub(super) fn new(
        database: Arc<dyn MissingRecords>,
        config: MissingConfig,
        clock: SharedClock,
        metrics: Metrics,
    ) -> Self {
        // A counter that shows itself only once it has moved cannot be watched.
        for standing in Standing::ALL {
            let standing = standing.label();
            let counter = metrics
                .missing_trimmed
                .get_or_create(&StandingLabel { standing });
            counter.inc_by(0);
        }
        Self {
            database,
            written: Arc::new(Written::new(config.max_rows)),
            config,
            clock,
            metrics,
        }
    }

    /// What this node has written, for its writer to add to.
    pub(super) fn written(&self) -> Arc<Written> {
        Arc::clone(&self.written)
    }

    /// Works until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        let prune = async {
            let mut hourly = tokio::time::interval(EXPIRE_EVERY);
            loop {
                tokio::select! {
                    _ = hourly.tick() => drop(survive("pruning", self.expire()).await),
                    () = self.written.many() => {}
                }
                survive("pruning", self.trim()).await;
            }
        };
        stop.run_until_cancelled(prune).await;
    }

    async fn expire(&self) {
        let before = self.clock.now() - self.config.keep;
        match self.database.expire_missing(before).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(
                event = "missing_expired",
                rows,
                "deleted missing symbols that were not asked for lately"
            ),
            Err(error) => {
                tracing::warn!(event = "missing_not_expired", %error, "could not delete old missing symbols");
            }
        }
    }

    async fn trim(&self) {
        self.written.forget();
        let trimmed = match self.trim_to_bound().await {
            Ok(trimmed) => trimmed,
            Err(error) => {
                tracing::warn!(
                    event = "missing_not_trimmed",
                    %error,
                    "could not delete the missing symbols beyond missing.max_rows"
                );
                return;
            }
        };
        if trimmed.total() > 0 {
            tracing::warn!(
                event = "missing_trimmed",
                once = trimmed.of(Standing::Once),
                repeated = trimmed.of(Standing::Repeated),
                lasting = trimmed.of(Standing::Lasting),
                max_rows = self.config.max_rows,
                "deleted missing symbols, since there were more than missing.max_rows"
            );
        }
    }

    /// Deletes rows until the bound holds, and returns how many.
    async fn trim_to_bound(&self) -> Result<Tally, DbError> {
        let mut trimmed = Tally::default();
        if self.database.missing_total().await? <= self.config.max_rows {
            return Ok(trimmed);
        }
        let surplus = self.tally().await?.surplus(self.config.max_rows);
        for standing in Standing::ALL {
            let rows = self.trim_standing(standing, surplus.of(standing)).await?;
            trimmed.add(standing, rows);
        }
        Ok(trimmed)
    }

    /// Counts the rows of each standing.
    async fn tally(&self) -> Result<Tally, DbError> {
        let mut tally = Tally::default();
        let mut place = MissingPlace::START;
        loop {
            let rows = self.database.missing_by_age(place, READ).await?;
            let Some(last) = rows.last() else {
                return Ok(tally);
            };
            place = last.place();
            for row in &rows {
                tally.add(Standing::of(row), 1);
            }
        }
    }

    /// Deletes rows of a standing, those last asked for longest ago first, and returns how many.
    async fn trim_standing(&self, standing: Standing, surplus: u64) -> Result<u64, DbError> {
        let (mut left, mut trimmed) = (surplus, 0);
        let mut place = MissingPlace::START;
        while left > 0 {
            let mut rows = self.database.missing_by_age(place, READ).await?;
            let Some(last) = rows.last() else { break };
            place = last.place();
            rows.retain(|row| Standing::of(row) == standing);
            rows.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            left -= rows.len() as u64;
            for bite in rows.chunks(BITE) {
                trimmed += self.remove(standing, bite).await?;
            }
        }
        Ok(trimmed)
    }

    async fn remove(&self, standing: Standing, rows: &[MissingDemand]) -> Result<u64, DbError> {
        let removed = self.database.remove_missing(rows).await?;
        let label = StandingLabel {
            standing: standing.label(),
        };
        self.metrics
            .missing_trimmed
            .get_or_create(&label)
            .inc_by(removed);
        Ok(removed)
    }
}
