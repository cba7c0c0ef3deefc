//! Writes the counts of missing symbols to the database, and prunes rows that are too old or too many.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::pruner::{Pruner, Written};
use super::{Asked, MissingConfig, MissingLog};
use crate::clock::SharedClock;
use crate::counting::{BatchId, BatchWriter, Destination, Report, WriteError};
use crate::db::missing::{MissingCount, MissingSymbol};
use crate::db::{DbError, MissingRecords};
use crate::metrics::Metrics;

/// The task that writes counts and deletes rows.
#[derive(Debug)]
pub struct MissingWorker {
    writer: BatchWriter<MissingTable>,
    pruner: Pruner,
    flush_every: Duration,
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
        let flush_every = config.flush_every;
        let pruner = Pruner::new(Arc::clone(&database), config, clock, metrics.clone());
        let table = MissingTable {
            database,
            metrics,
            written: pruner.written(),
        };
        Ok(Self {
            writer: BatchWriter::new(log.counts, table)?,
            pruner,
            flush_every,
        })
    }

    /// Works until `stop`; then writes what is left and returns.
    pub async fn run(self, stop: CancellationToken) {
        let write = self.writer.run(self.flush_every, stop.clone());
        tokio::join!(write, self.pruner.run(stop));
    }
}

/// The table of missing symbols as a destination of counts.
#[derive(Debug)]
struct MissingTable {
    database: Arc<dyn MissingRecords>,
    metrics: Metrics,
    written: Arc<Written>,
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
            Ok(()) => {
                self.written.add(counts.len());
                Ok(())
            }
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
