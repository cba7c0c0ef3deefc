//! Counts that wait for the database, merged by symbol.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use time::OffsetDateTime;

use crate::db::missing::{MissingCount, MissingSymbol};

/// The map is split, so that requests on different threads seldom wait for each other.
const SHARDS: u8 = 16;

type Shard = HashMap<MissingSymbol, Tally>;

#[derive(Clone, Copy, Debug)]
struct Tally {
    count: u64,
    last_asked: OffsetDateTime,
}

/// A bounded number of counts.
#[derive(Debug)]
pub(super) struct Gathered {
    shards: [Mutex<Shard>; SHARDS as usize],
    /// How many different symbols wait, in all shards.
    length: AtomicUsize,
    limit: usize,
}

impl Gathered {
    /// Makes an empty collection of at most `limit` different symbols.
    pub(super) fn new(limit: usize) -> Self {
        let shards = std::array::from_fn(|_| Mutex::new(Shard::new()));
        Self {
            shards,
            length: AtomicUsize::new(0),
            limit,
        }
    }

    /// How many different symbols wait.
    pub(super) fn len(&self) -> usize {
        self.length.load(Ordering::Relaxed)
    }

    /// Adds a count. Tells whether it was kept: a symbol that already waits always is, a new one only if there is
    /// room.
    pub(super) fn add(&self, count: MissingCount) -> bool {
        let mut shard = self.shard(&count.symbol);
        if let Some(tally) = shard.get_mut(&count.symbol) {
            tally.count += count.count;
            tally.last_asked = tally.last_asked.max(count.last_asked);
            return true;
        }
        if self.length.fetch_add(1, Ordering::Relaxed) >= self.limit {
            self.length.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        shard.insert(
            count.symbol,
            Tally {
                count: count.count,
                last_asked: count.last_asked,
            },
        );
        true
    }

    /// Takes everything out, sorted by symbol: writers that take rows in one order cannot block each other.
    pub(super) fn take(&self) -> Vec<MissingCount> {
        let mut counts = Vec::new();
        for shard in &self.shards {
            let taken = std::mem::take(&mut *lock(shard));
            self.length.fetch_sub(taken.len(), Ordering::Relaxed);
            counts.extend(taken.into_iter().map(|(symbol, tally)| MissingCount {
                symbol,
                count: tally.count,
                last_asked: tally.last_asked,
            }));
        }
        counts.sort_unstable_by(|one, other| one.symbol.cmp(&other.symbol));
        counts
    }

    fn shard(&self, symbol: &MissingSymbol) -> MutexGuard<'_, Shard> {
        // Whoever finds ids that are all in one shard makes its users wait for each other, as they would without any.
        let sum = symbol.debug_id.bytes().fold(0, u8::wrapping_add);
        lock(&self.shards[usize::from(sum % SHARDS)])
    }
}

/// A panic elsewhere cannot have left a map of counts half changed.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn count_of(name: &str, count: u64) -> MissingCount {
        let symbol = MissingSymbol {
            debug_file: name.to_owned(),
            debug_id: "AB".to_owned(),
            file_name: "a.sym".to_owned(),
            code_file: None,
            code_id: None,
        };
        MissingCount {
            symbol,
            count,
            last_asked: datetime!(2026-01-01 0:00 UTC),
        }
    }

    #[test]
    fn equal_symbols_merge_and_come_out_sorted() {
        let gathered = Gathered::new(10);
        for name in ["b", "a", "b", "c"] {
            assert!(gathered.add(count_of(name, 1)));
        }
        assert_eq!(gathered.len(), 3);
        assert_eq!(
            gathered.take(),
            [count_of("a", 1), count_of("b", 2), count_of("c", 1)]
        );
        assert_eq!((gathered.len(), gathered.take().len()), (0, 0));
    }

    #[test]
    fn the_bound_holds_for_new_symbols_only() {
        let gathered = Gathered::new(2);
        assert!(gathered.add(count_of("a", 1)) && gathered.add(count_of("b", 1)));
        assert!(!gathered.add(count_of("c", 1)));
        assert!(gathered.add(count_of("a", 5)));
        assert_eq!(gathered.take(), [count_of("a", 6), count_of("b", 1)]);
        assert!(gathered.add(count_of("c", 1)));
    }

    #[test]
    fn no_count_is_lost_between_threads() {
        let gathered = Gathered::new(100);
        let taken: u64 = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        for number in 0..5_000 {
                            assert!(gathered.add(count_of(&(number % 50).to_string(), 1)));
                        }
                    })
                })
                .collect();
            let mut taken = 0;
            while writers.iter().any(|writer| !writer.is_finished()) {
                taken += gathered.take().iter().map(|count| count.count).sum::<u64>();
            }
            taken
        });
        let left: u64 = gathered.take().iter().map(|count| count.count).sum();
        assert_eq!(taken + left, 20_000);
    }
}
