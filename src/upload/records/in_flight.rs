//! The uploads that this process has in progress.
//!
//! An upload takes a ticket before it is recorded and settles it once its record has ended. A ticket that is dropped
//! unsettled belongs to an upload whose end could not be recorded, or whose record may not even exist. It wakes
//! [`super::AbandonedUploads`], which marks the record as failed if it is still pending.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::db::uploads::Hold;
use symbols::SymbolKey;

/// The tickets of this process.
#[derive(Debug)]
pub struct InFlight {
    node: String,
    tickets: Mutex<Tickets>,
    dropped: Notify,
}

#[derive(Clone, Debug, Default)]
struct Tickets {
    /// The last one that was taken.
    last: i64,
    held: BTreeSet<i64>,
}

/// Marks an upload as in progress until it is dropped.
#[derive(Debug)]
pub(in crate::upload) struct Ticket {
    number: i64,
    is_settled: bool,
    in_flight: Arc<InFlight>,
}

impl InFlight {
    /// Starts with no upload. `node` names this process, and no other process has ever had that name.
    #[must_use]
    pub fn new(node: &str) -> Arc<Self> {
        Arc::new(Self {
            node: node.to_owned(),
            tickets: Mutex::default(),
            dropped: Notify::new(),
        })
    }

    /// The name of this process among those that share the records.
    pub(super) fn node(&self) -> &str {
        &self.node
    }

    /// Takes a ticket for an upload that is about to be recorded.
    pub(super) fn take(self: &Arc<Self>) -> Ticket {
        let mut tickets = self.tickets();
        tickets.last += 1;
        let number = tickets.last;
        tickets.held.insert(number);
        Ticket {
            number,
            is_settled: false,
            in_flight: Arc::clone(self),
        }
    }

    /// The number of the next ticket, and the tickets that are held.
    pub(super) fn held(&self) -> (i64, Vec<i64>) {
        let tickets = self.tickets();
        (tickets.last + 1, tickets.held.iter().copied().collect())
    }

    /// Waits until a ticket is dropped unsettled. Returns at once if that has happened since the last call.
    pub(super) async fn dropped(&self) {
        self.dropped.notified().await;
    }

    fn tickets(&self) -> MutexGuard<'_, Tickets> {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// The hold to record with the upload.
    pub(super) fn hold(&self, claims: Vec<SymbolKey>) -> Hold {
        Hold {
            node: self.in_flight.node.clone(),
            ticket: self.number,
            claims,
        }
    }

    /// Gives the ticket back, because the upload's record has ended.
    pub(in crate::upload) fn settle(mut self) {
        self.is_settled = true;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.in_flight.tickets().held.remove(&self.number);
        if !self.is_settled {
            self.in_flight.dropped.notify_one();
        }
    }
}
