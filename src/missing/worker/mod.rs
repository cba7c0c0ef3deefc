//! Writes the counts of missing symbols to the database, and deletes old rows.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{Asked, MissingConfig, MissingLog};
use crate::clock::SharedClock;
use crate::counting::{BatchId, BatchWriter, Destination, Report, WriteError};
use crate::db::missing::{MissingCount, MissingSymbol};
use crate::db::{DbError, MissingRecords};
use crate::metrics::Metrics;

/// How often old rows are looked for.
const EXPIRE_EVERY: Duration = Duration::from_hours(1);

/// The task that writes counts and deletes old rows.
#[derive(Debug)]
pub struct MissingWorker {
    writer: BatchWriter<MissingTable>,
    database: Arc<dyn MissingRecords>,
    config: MissingConfig,
    clock: SharedClock,
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
        let table = MissingTable {
            database: Arc::clone(&database),
            metrics,
        };
        Ok(Self {
            writer: BatchWriter::new(log.counts, table)?,
            database,
            config,
            clock,
        })
    }

    /// Works until `stop`; then writes what is left and returns.
    pub async fn run(self, stop: CancellationToken) {
        let Self {
            writer,
            database,
            config,
            clock,
        } = self;
        let expire = async {
            let mut hourly = tokio::time::interval(EXPIRE_EVERY);
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = hourly.tick() => expire(&*database, &config, &clock).await,
                }
            }
        };
        tokio::join!(writer.run(config.flush_every, stop.clone()), expire);
    }
}

async fn expire(database: &dyn MissingRecords, config: &MissingConfig, clock: &SharedClock) {
    match database.expire_missing(clock.now() - config.keep).await {
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

/// The table of missing symbols as a destination of counts.
#[derive(Debug)]
struct MissingTable {
    database: Arc<dyn MissingRecords>,
    metrics: Metrics,
}

#[async_trait]
impl Destination for MissingTable {
    type Key = MissingSymbol;
    type Count = Asked;

    async fn write(
        &self,
        batch: BatchId,
        counts: &[(MissingSymbol, Asked)],
    ) -> Result<(), WriteError> {
        let counts: Vec<_> = counts
            .iter()
            .map(|(symbol, asked)| MissingCount {
                symbol: asked.spelling.as_deref().unwrap_or(symbol).clone(),
                count: asked.times,
                last_asked: asked.last,
            })
            .collect();
        match self.database.add_missing(batch, &counts).await {
            Ok(()) => Ok(()),
            Err(error @ DbError::Conflict(_)) => Err(WriteError::Refused(error.to_string())),
            Err(error) => Err(WriteError::Unsettled(error.to_string())),
        }
    }

    fn report(&self, report: Report) {
        match report {
            Report::Written { events } => {
                self.metrics.missing_written.inc_by(events);
            }
            Report::Refused {
                keys,
                events,
                error,
            } => {
                self.metrics.missing_dropped.inc_by(events);
                tracing::error!(
                    event = "missing_refused",
                    error,
                    symbols = keys,
                    "the database refuses counts of missing symbols, they are dropped"
                );
            }
            Report::Delayed { keys, error } => {
                tracing::warn!(
                    event = "missing_delayed",
                    error,
                    symbols = keys,
                    "could not write counts of missing symbols, will try again"
                );
            }
            Report::Overflowed { events } => {
                self.metrics.missing_dropped.inc_by(events);
            }
            Report::Flushed { keys } => {
                let pending = i64::try_from(keys).unwrap_or(i64::MAX);
                self.metrics.missing_pending.set(pending);
            }
            Report::Lost { keys } => tracing::error!(
                event = "missing_lost",
                symbols = keys,
                "stopping without the database: counts of missing symbols are lost"
            ),
        }
    }
}

#[cfg(test)]
mod tests;
