//! Counts that gather in memory and are written to a database in batches, each exactly once.
//!
//! A request adds a count to a [`Buffer`] without waiting. Counts of the same key [merge](Count::merge), and the number
//! of keys is limited. A [`BatchWriter`] takes everything out at short intervals and writes it to a [`Destination`] in
//! numbered batches, one after the other. If a write fails, the batch may have been written before the answer was lost.
//! So the writer keeps the batch unchanged and sends it again under its number before any other, and the destination
//! ignores numbers that it has seen.
//!
//! The module does not know what is counted. Missing symbols are its first user.

mod buffer;
mod writer;

use std::fmt::Debug;
use std::hash::Hash;

use async_trait::async_trait;

pub use buffer::{Buffer, Full};
pub use writer::BatchWriter;
#[cfg(test)]
pub(crate) use writer::{BATCH, LAST_ATTEMPTS};

/// The count of one key.
pub trait Count: Clone + Debug + Send + Sync {
    /// Adds another count of the same key.
    fn merge(&mut self, other: Self);

    /// How many events it stands for.
    fn events(&self) -> u64;
}

/// Identifies a batch of counts, so that a batch that is sent twice is added once.
///
/// Whether a batch was written is not always known: a connection may break while the answer is on its way. A writer
/// sends its batches with increasing numbers, each only after the previous one was written or given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchId {
    /// The writer's random number.
    pub writer: [u8; 16],
    /// The batch's number among those of its writer, starting at 1.
    pub number: u32,
}

/// Where batches are written.
#[async_trait]
pub trait Destination: Debug + Send + Sync {
    /// The key of a count.
    type Key: Clone + Debug + Hash + Ord + Send + Sync;
    /// The count that is kept for each key.
    type Count: Count;

    /// Adds the counts to the rows of their keys in one transaction: all of them or none. Each key occurs once, and the
    /// keys are sorted. A batch of this number or a higher one of the same writer has been added before and is ignored.
    ///
    /// # Errors
    /// The batch is not written, or it is not known whether it is.
    async fn write(
        &self,
        batch: BatchId,
        counts: &[(Self::Key, Self::Count)],
    ) -> Result<(), WriteError>;

    /// Receives the writer's reports, for logs and metrics.
    fn report(&self, report: Report);
}

/// Why a batch was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The destination will never accept the batch. The writer drops it.
    #[error("{0}")]
    Refused(String),
    /// The destination could not be reached, or its answer was lost. The writer sends the batch again.
    #[error("{0}")]
    Unsettled(String),
}

/// What a writer reports. `keys` counts different keys, `events` what was counted for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// A batch was written.
    Written {
        /// The events in the batch.
        events: u64,
    },
    /// A batch was refused and dropped.
    Refused {
        /// The keys in the batch.
        keys: usize,
        /// The events in the batch.
        events: u64,
        /// Why.
        error: String,
    },
    /// A batch could not be written now and will be sent again.
    Delayed {
        /// The keys in the batch and in the buffer.
        keys: usize,
        /// Why.
        error: String,
    },
    /// Counts behind a delayed batch were dropped, because the buffer had filled up meanwhile.
    Overflowed {
        /// The events that were dropped.
        events: u64,
    },
    /// A flush has ended.
    Flushed {
        /// The keys that still wait to be written.
        keys: usize,
    },
    /// The writer has stopped without being able to write everything.
    Lost {
        /// The keys that were not written.
        keys: usize,
    },
}
