//! Ends the records of uploads that will never be finished.
//!
//! An upload is pending while some process has it in progress, and a process that was killed never ends its uploads.
//! Many processes may share the database, so dead ones have to be distinguished from slow ones:
//!
//! - In every round, each process raises its beat in the database and reads the beats of the others. A process whose
//!   beat stands still for [`STILL_ROUNDS`] rounds in a row is considered dead, and the process that notices marks its
//!   uploads as failed. Rounds are counted instead of comparing times, so clocks need not agree. The count starts again
//!   after a round that failed, since the other processes may not have reached the database either.
//! - A process that is started again need not wait for rounds: a dead process no longer locks its folder for temporary
//!   files, which has its name ([`crate::scratch`]).
//! - Uploads that this process itself has dropped are ended at once.
//!
//! A process that was only slow finds its upload failed when it completes it, asks its client to try again, and goes
//! on. Objects are never deleted: a repeated upload skips them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::in_flight::InFlight;
use crate::background::survive;
use crate::clock::SharedClock;
use crate::db::nodes::NodeBeat;
use crate::db::{Database, DbError};

/// How many rounds in a row a beat may stand still.
const STILL_ROUNDS: u32 = 6;

/// What the log calls this task.
const TASK: &str = "ending abandoned uploads";

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
    /// Makes the task of a process. `killed` names processes that are known to be dead. Any other process is considered
    /// dead once it has not reported for `abandoned_after`.
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
            every: (abandoned_after / STILL_ROUNDS).max(Duration::from_millis(1)),
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
                _ = rounds.tick() => survive(TASK, self.round()).await,
                () = in_flight.dropped() => survive(TASK, self.fail_dropped()).await,
            };
            if let Some(done) = done {
                self.note(done);
            }
        }
        let own = self.database.nodes().await;
        if let Ok(nodes) = own
            && let Some(own) = nodes.into_iter().find(|node| node.node == in_flight.node())
            && let Err(error) = self.end(&own, STOPPED).await
        {
            self.note(Err(error));
        }
    }

    /// Raises the beat of this process, and ends the uploads of dead ones.
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
            } else if rounds >= STILL_ROUNDS {
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
        log_failed(failed.await?, DROPPED);
        Ok(())
    }

    async fn end(&self, node: &NodeBeat, reason: &str) -> Result<(), DbError> {
        log_failed(self.database.end_node(node, reason).await?, reason);
        Ok(())
    }

    /// Logs the first of several failures in a row.
    fn note(&mut self, done: Result<(), DbError>) {
        let was_failing = self.is_failing;
        self.is_failing = done.is_err();
        if let Err(error) = done
            && !was_failing
        {
            tracing::warn!(
                event = "uploads_unwatched",
                %error,
                "could not check for abandoned uploads, will try again"
            );
        }
    }
}

fn log_failed(uploads: u64, reason: &str) {
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
