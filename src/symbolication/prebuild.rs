//! Makes symcaches of uploaded symbols before anybody asks.
//!
//! An upload adds its `.sym` files to a queue and does not wait. One task takes them off, the newest first, since the
//! first crashes of a build come soon after its symbols. What finds no room, or is left when the server stops, is made
//! when it is first asked for.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use symbols::SymbolKey;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::symcaches::{Symcaches, sym_name};
use crate::metrics::Metrics;

/// How many files may wait.
const LONGEST: usize = 1000;

/// The smallest file that is converted in advance, in bytes; others take no time when they are asked for.
const SMALLEST: u64 = 64 * 1024;

/// The files that wait. Clones share the queue.
#[derive(Clone, Debug)]
pub struct PrebuildQueue {
    waiting: Arc<Mutex<VecDeque<SymbolKey>>>,
    arrived: Arc<Notify>,
    metrics: Metrics,
}

impl PrebuildQueue {
    /// Makes an empty queue.
    #[must_use]
    pub fn new(metrics: Metrics) -> Self {
        Self {
            waiting: Arc::default(),
            arrived: Arc::default(),
            metrics,
        }
    }

    /// Adds a file that was stored, of this size in bytes, if it is a `.sym` file that takes a while to convert. If
    /// there is no room, the file that has waited longest is dropped.
    pub fn add(&self, key: &SymbolKey, size: u64) {
        if size < SMALLEST || key.file_name() != sym_name(key.debug_file()) {
            return;
        }
        let mut waiting = self.waiting();
        waiting.push_front(key.clone());
        if waiting.len() > LONGEST {
            waiting.pop_back();
            self.metrics.symcache_queue_dropped.inc();
        }
        self.show(&waiting);
        drop(waiting);
        self.arrived.notify_one();
    }

    /// Converts what arrives until `stop` is cancelled. What waits then is dropped.
    pub async fn run(self, symcaches: Symcaches, stop: CancellationToken) {
        let converting = async {
            loop {
                while let Some(key) = self.next() {
                    // A failure is told where it happens, and the module is converted when it is asked for.
                    drop(symcaches.open(key.debug_file(), key.id().as_str()).await);
                }
                self.arrived.notified().await;
            }
        };
        stop.run_until_cancelled(converting).await;
        let mut waiting = self.waiting();
        self.metrics
            .symcache_queue_dropped
            .inc_by(waiting.len() as u64);
        waiting.clear();
        self.show(&waiting);
    }

    fn next(&self) -> Option<SymbolKey> {
        let mut waiting = self.waiting();
        let next = waiting.pop_front();
        self.show(&waiting);
        next
    }

    fn show(&self, waiting: &VecDeque<SymbolKey>) {
        let length = i64::try_from(waiting.len()).unwrap_or(i64::MAX);
        self.metrics.symcache_queue_length.set(length);
    }

    /// A list of keys is good whatever panicked while it was held.
    fn waiting(&self) -> MutexGuard<'_, VecDeque<SymbolKey>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize, file: &str) -> SymbolKey {
        SymbolKey::new("a.pdb", &format!("{number:X}"), file).unwrap()
    }

    #[test]
    fn the_newest_comes_first_and_the_oldest_is_dropped() {
        let metrics = Metrics::default();
        let queue = PrebuildQueue::new(metrics.clone());
        for number in 1..=LONGEST + 2 {
            queue.add(&key(number, "a.sym"), SMALLEST);
        }
        assert_eq!(queue.next(), Some(key(LONGEST + 2, "a.sym")));
        let rest = std::iter::from_fn(|| queue.next());
        assert_eq!(rest.last(), Some(key(3, "a.sym")));
        let text = metrics.render();
        assert!(
            text.contains("symbold_symcache_queue_dropped_total 2\n"),
            "{text}"
        );
        assert!(text.contains("symbold_symcache_queue_length 0\n"), "{text}");
    }

    #[test]
    fn small_files_and_other_files_do_not_wait() {
        let queue = PrebuildQueue::new(Metrics::default());
        queue.add(&key(1, "a.sym"), SMALLEST - 1);
        queue.add(&key(1, "a.pdb"), SMALLEST);
        queue.add(&key(1, "b.sym"), SMALLEST);
        assert_eq!(queue.next(), None);
    }
}
