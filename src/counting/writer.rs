//! Writes the counts of a buffer in numbered batches.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::background::survive;

use super::{BatchId, Buffer, Count, Destination, Report, WriteError};

/// The most keys in a batch.
pub(crate) const BATCH: usize = 1_000;

/// How often the writer tries to write the last counts when the server stops.
pub(crate) const LAST_ATTEMPTS: usize = 3;

/// Counts that are written together.
#[derive(Debug)]
struct Batch<D: Destination> {
    id: BatchId,
    counts: Vec<(D::Key, D::Count)>,
}

impl<D: Destination> Batch<D> {
    fn events(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count.events()).sum()
    }
}

/// Writes the counts of a buffer to a destination.
#[derive(Debug)]
pub struct BatchWriter<D: Destination> {
    buffer: Arc<Buffer<D::Key, D::Count>>,
    destination: D,
    /// The number of the last batch.
    last: BatchId,
    /// A batch that may or may not have been written.
    unsettled: Option<Batch<D>>,
}

impl<D: Destination> BatchWriter<D> {
    /// Makes the writer of a buffer. Each buffer has one writer.
    ///
    /// # Errors
    /// The operating system provides no randomness for the writer's number.
    pub fn new(
        buffer: Arc<Buffer<D::Key, D::Count>>,
        destination: D,
    ) -> Result<Self, getrandom::Error> {
        let mut writer = [0; 16];
        getrandom::fill(&mut writer)?;
        Ok(Self {
            buffer,
            destination,
            last: BatchId { writer, number: 0 },
            unsettled: None,
        })
    }

    /// Flushes at this interval until `stop`; then writes what is left and returns.
    pub async fn run(mut self, every: Duration, stop: CancellationToken) {
        // The first flush comes after an interval, when there can be something to write.
        let mut flush = tokio::time::interval_at(Instant::now() + every, every);
        flush.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = flush.tick() => self.flush_and_survive().await,
            }
        }
        for _ in 0..LAST_ATTEMPTS {
            if self.pending() == 0 {
                return;
            }
            self.flush_and_survive().await;
        }
        let keys = self.pending();
        if keys > 0 {
            self.destination.report(Report::Lost { keys });
        }
    }

    /// If the flush panics, the counts that it has taken out of the buffer are lost.
    async fn flush_and_survive(&mut self) {
        survive("writing counts", self.flush()).await;
    }

    /// How many keys wait to be written.
    pub(crate) fn pending(&self) -> usize {
        let unsettled = self.unsettled.as_ref();
        self.buffer.len() + unsettled.map_or(0, |batch| batch.counts.len())
    }

    /// Writes everything that has gathered, the unsettled batch first. Stops at the first batch that stays unsettled.
    pub(crate) async fn flush(&mut self) {
        if let Some(batch) = self.unsettled.take() {
            self.write(batch).await;
        }
        if self.unsettled.is_none() {
            self.write_gathered().await;
        }
        let keys = self.pending();
        self.destination.report(Report::Flushed { keys });
    }

    async fn write_gathered(&mut self) {
        let mut counts = self.buffer.take().into_iter();
        while self.unsettled.is_none() && counts.len() > 0 {
            self.last.number += 1;
            let batch = Batch {
                id: self.last,
                counts: counts.by_ref().take(BATCH).collect(),
            };
            self.write(batch).await;
        }
        for (key, count) in counts {
            let events = count.events();
            if self.buffer.add(key, count).is_err() {
                self.destination.report(Report::Overflowed { events });
            }
        }
    }

    /// Writes a batch. Drops it if the destination refuses it, and keeps it as the unsettled one if the write fails.
    async fn write(&mut self, batch: Batch<D>) {
        let result = self.destination.write(batch.id, &batch.counts).await;
        let (keys, events) = (batch.counts.len(), batch.events());
        let report = match result {
            Ok(()) => Report::Written { events },
            Err(WriteError::Refused(error)) => Report::Refused {
                keys,
                events,
                error,
            },
            Err(WriteError::Unsettled(error)) => {
                self.unsettled = Some(batch);
                let keys = self.pending();
                Report::Delayed { keys, error }
            }
        };
        self.destination.report(report);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;

    /// The latest of the times at which something was used: a count whose merge is not a sum.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct LastUsed(u64);

    impl Count for LastUsed {
        fn merge(&mut self, other: Self) {
            self.0 = self.0.max(other.0);
        }

        fn events(&self) -> u64 {
            1
        }
    }

    #[derive(Debug, Default)]
    struct Table {
        rows: HashMap<&'static str, u64>,
        batches: HashSet<u32>,
        written: Vec<u32>,
        reports: Vec<Report>,
        loses_answers: bool,
    }

    #[derive(Clone, Debug, Default)]
    struct Shared(Arc<Mutex<Table>>);

    #[async_trait]
    impl Destination for Shared {
        type Key = &'static str;
        type Count = LastUsed;

        async fn write(
            &self,
            batch: BatchId,
            counts: &[(&'static str, LastUsed)],
        ) -> Result<(), WriteError> {
            let mut table = self.0.lock().unwrap();
            table.written.push(batch.number);
            if table.batches.insert(batch.number) {
                for (key, LastUsed(time)) in counts {
                    *table.rows.entry(key).or_default() += time;
                }
            }
            if table.loses_answers {
                return Err(WriteError::Unsettled("lost".to_owned()));
            }
            Ok(())
        }

        fn report(&self, report: Report) {
            self.0.lock().unwrap().reports.push(report);
        }
    }

    #[tokio::test]
    async fn an_unsettled_batch_is_sent_again_under_its_number_before_any_other() {
        let table = Shared::default();
        let buffer = Arc::new(Buffer::new(10));
        let mut writer = BatchWriter::new(Arc::clone(&buffer), table.clone()).unwrap();
        table.0.lock().unwrap().loses_answers = true;
        for time in [3, 7, 5] {
            buffer.add("a", LastUsed(time)).unwrap();
        }
        writer.flush().await;
        buffer.add("b", LastUsed(9)).unwrap();
        writer.flush().await;
        table.0.lock().unwrap().loses_answers = false;
        writer.flush().await;

        let table = table.0.lock().unwrap();
        assert_eq!(table.written, [1, 1, 1, 2]);
        assert_eq!(table.rows, HashMap::from([("a", 7), ("b", 9)]));
        let error = || "lost".to_owned();
        let expected = [
            Report::Delayed {
                keys: 1,
                error: error(),
            },
            Report::Flushed { keys: 1 },
            Report::Delayed {
                keys: 2,
                error: error(),
            },
            Report::Flushed { keys: 2 },
            Report::Written { events: 1 },
            Report::Written { events: 1 },
            Report::Flushed { keys: 0 },
        ];
        assert_eq!(table.reports, expected);
    }
}
