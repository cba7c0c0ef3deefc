//! Counts that wait to be written, merged by key.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Count;

/// The map is split into shards, so that requests on different threads rarely wait for each other.
const SHARDS: usize = 16;

type Shard<K, C> = Mutex<HashMap<K, C>>;

/// A bounded map of keys to counts.
#[derive(Debug)]
pub struct Buffer<K, C> {
    shards: [Shard<K, C>; SHARDS],
    /// Chooses the shard of a key.
    hasher: RandomState,
    /// The number of keys in all shards.
    length: AtomicUsize,
    limit: usize,
}

/// The buffer has no room for another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no room for another count")]
pub struct Full;

impl<K: Hash + Ord, C: Count> Buffer<K, C> {
    /// Makes an empty buffer of at most `limit` keys.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            length: AtomicUsize::new(0),
            limit,
        }
    }

    /// How many keys wait.
    pub(super) fn len(&self) -> usize {
        self.length.load(Ordering::Relaxed)
    }

    /// Adds a count.
    ///
    /// # Errors
    /// The key is new and the buffer is full. Counts of keys in the buffer are always added.
    pub fn add(&self, key: K, count: C) -> Result<(), Full> {
        let mut shard = self.shard(&key);
        match shard.entry(key) {
            Entry::Occupied(mut waiting) => waiting.get_mut().merge(count),
            Entry::Vacant(room) => {
                if self.length.fetch_add(1, Ordering::Relaxed) >= self.limit {
                    self.length.fetch_sub(1, Ordering::Relaxed);
                    return Err(Full);
                }
                room.insert(count);
            }
        }
        Ok(())
    }

    /// Takes everything out, sorted by key: writers that lock rows in one order cannot block each other.
    pub(super) fn take(&self) -> Vec<(K, C)> {
        let mut counts = Vec::new();
        for shard in &self.shards {
            let taken = std::mem::take(&mut *lock(shard));
            self.length.fetch_sub(taken.len(), Ordering::Relaxed);
            counts.extend(taken);
        }
        counts.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        counts
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, HashMap<K, C>> {
        let [byte, ..] = self.hasher.hash_one(key).to_le_bytes();
        lock(&self.shards[usize::from(byte) % SHARDS])
    }
}

/// A panic elsewhere cannot have left a map of counts in an inconsistent state.
fn lock<K, C>(shard: &Shard<K, C>) -> MutexGuard<'_, HashMap<K, C>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Sum(u64);

    impl Count for Sum {
        fn merge(&mut self, other: Self) {
            self.0 += other.0;
        }

        fn events(&self) -> u64 {
            self.0
        }
    }

    #[test]
    fn equal_keys_merge_and_come_out_sorted() {
        let buffer = Buffer::new(10);
        for name in ["b", "a", "b", "c"] {
            buffer.add(name, Sum(1)).unwrap();
        }
        assert_eq!(buffer.len(), 3);
        assert_eq!(buffer.take(), [("a", Sum(1)), ("b", Sum(2)), ("c", Sum(1))]);
        assert_eq!((buffer.len(), buffer.take().len()), (0, 0));
    }

    #[test]
    fn the_bound_holds_for_new_keys_only() {
        let buffer = Buffer::new(2);
        assert_eq!(buffer.add("a", Sum(1)).and(buffer.add("b", Sum(1))), Ok(()));
        assert_eq!(buffer.add("c", Sum(1)), Err(Full));
        assert_eq!(buffer.add("a", Sum(5)), Ok(()));
        assert_eq!(buffer.take(), [("a", Sum(6)), ("b", Sum(1))]);
        assert_eq!(buffer.add("c", Sum(1)), Ok(()));
    }

    #[test]
    fn no_count_is_lost_between_threads() {
        let buffer = Buffer::new(100);
        let take = || {
            buffer
                .take()
                .iter()
                .map(|(_, Sum(count))| count)
                .sum::<u64>()
        };
        let taken: u64 = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        for number in 0..5_000 {
                            buffer.add(number % 50, Sum(1)).unwrap();
                        }
                    })
                })
                .collect();
            let mut taken = 0;
            while writers.iter().any(|writer| !writer.is_finished()) {
                taken += take();
            }
            taken
        });
        assert_eq!(taken + take(), 20_000);
    }
}
