//! Ends the records of uploads that will never be finished.
//!
//! An upload is pending while some process has it in progress. A process that was killed finishes nothing. Many processes
//! may share the database, so the dead have to be told from the slow:
//!
//! - Every process raises its beat in the database with every round, and looks at the beats of the others. One that
//!   stands still for [`PATIENCE`] rounds in a row is dead; the process that notices marks its uploads as failed. Rounds are
//!   counted instead of comparing times, so clocks need not agree; and a round that could not be made, because the
//!   database was away from this process and perhaps from all, makes the counting begin anew.
//! - A process that is started again need not wait: a dead one's folder for temporary files, which has its name, is not
//!   locked any more ([`crate::scratch`]).
//! - What this process itself has dropped is ended at once.
//!
//! A process that was only slow finds its upload failed when it wants to complete it, tells its client to come back, and
//! goes on. Objects are never deleted: a repeat of the upload skips them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::in_flight::InFlight;
use crate::clock::SharedClock;
use crate::db::nodes::NodeBeat;
use crate::db::{Database, DbError};

/// How many rounds in a row a beat may stand still.
const PATIENCE: u32 = 6;

const KILLED: &str = "The server that took it was killed before it was finished. Upload it again";
const SILENT: &str = "The server that took it has not been heard of since. Upload it again";
const DROPPED: &str = "The database could not be told in time how it ended. Upload it again";
const STOPPED: &str = "The server that took it was stopped before it was finished. Upload it again";

/// The task that ends abandoned uploads.
#[derive(Debug)]
pub struct AbandonedUploads {
    in_flight: Arc<InFlight>,
    /// Processes that are known to be dead and have not been ended yet.
    killed: Vec<String>,
    /// The last beat of each other process, and for how many rounds it has stood still.
    seen: HashMap<String, (i64, u32)>,
    is_failing: bool,
    every: Duration,
    database: Arc<dyn Database>,
    clock: SharedClock,
}

impl AbandonedUploads {
    /// Makes the task of a process. `killed` are the names of processes that are known to be dead; any other is considered
    /// dead when it has not been heard of for `abandoned_after`.
    #[must_use]
    pub fn new(
        in_flight: Arc<InFlight>,
        killed: Vec<String>,
        abandoned_after: Duration,
        database: Arc<dyn Database>,
        clock: SharedClock,
    ) -> Self {
        Self {
            in_flight,
            killed,
            seen: HashMap::new(),
            is_failing: false,
            every: (abandoned_after / PATIENCE).max(Duration::from_millis(1)),
            database,
            clock,
        }
    }

    /// Runs until it is cancelled; then records that this process is gone.
    pub async fn run(mut self, stop: CancellationToken) {
        let in_flight = Arc::clone(&self.in_flight);
        let mut rounds = tokio::time::interval(self.every);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let done = tokio::select! {
                () = stop.cancelled() => break,
                _ = rounds.tick() => self.round().await,
                () = in_flight.dropped() => self.fail_dropped().await,
            };
            self.note(done);
        }
        let own = self.database.nodes().await;
        if let Ok(nodes) = own
            && let Some(own) = nodes.into_iter().find(|node| node.node == in_flight.node())
            && let Err(error) = self.end(&own, STOPPED).await
        {
            self.note(Err(error));
        }
    }

    /// Says that this process lives, and ends what the dead have left.
    async fn round(&mut self) -> Result<(), DbError> {
        let done = self.try_round().await;
        if done.is_err() {
            self.seen.clear();
        }
        done
    }

    async fn try_round(&mut self) -> Result<(), DbError> {
        let own = self.in_flight.node();
        self.database.beat(own, self.clock.now()).await?;
        self.fail_dropped().await?;
        let mut seen = HashMap::new();
        for other in self.database.nodes().await? {
            if other.node == self.in_flight.node() {
                continue;
            }
            let rounds = match self.seen.get(&other.node) {
                Some((beat, rounds)) if *beat == other.beat => rounds + 1,
                _ => 0,
            };
            if self.killed.contains(&other.node) {
                self.end(&other, KILLED).await?;
            } else if rounds >= PATIENCE {
                self.end(&other, SILENT).await?;
            } else {
                seen.insert(other.node, (other.beat, rounds));
            }
        }
        self.seen = seen;
        self.killed.clear();
        Ok(())
    }

    async fn fail_dropped(&self) -> Result<(), DbError> {
        let (before, held) = self.in_flight.held();
        let node = self.in_flight.node();
        let failed = self.database.fail_dropped(node, before, &held, DROPPED);
        tell(failed.await?, DROPPED);
        Ok(())
    }

    async fn end(&self, node: &NodeBeat, reason: &str) -> Result<(), DbError> {
        tell(self.database.end_node(node, reason).await?, reason);
        Ok(())
    }

    /// Says once that watching fails, until it does not.
    fn note(&mut self, done: Result<(), DbError>) {
        let was_failing = self.is_failing;
        self.is_failing = done.is_err();
        if let Err(error) = done
            && !was_failing
        {
            tracing::warn!(event = "uploads_unwatched", %error, "cannot look after pending uploads, will try again");
        }
    }
}

fn tell(uploads: u64, reason: &str) {
    if uploads > 0 {
        tracing::warn!(
            event = "uploads_abandoned",
            uploads,
            reason,
            "marked pending uploads as failed"
        );
    }
}

#[cfg(test)]
mod tests;
