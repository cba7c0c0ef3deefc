//! Pairs of requests for one file under two names.
//!
//! A debugger that wants `x.pdb` asks for it and for the cabinet `x.pd_`, in parallel or one after the other, and only
//! one file is missing. So the second request of such a pair is not counted if it comes soon after the first. A repeat
//! of the first request is counted, and may be paired with another second one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::SharedClock;
use crate::db::missing::MissingSymbol;

/// How soon the second request of a pair must come.
const WINDOW: Duration = Duration::from_secs(10);

/// How many symbols are remembered within a window. Beyond that, both requests of a pair are counted.
const CAPACITY: usize = 10_000;

/// First requests that may still be paired.
#[derive(Debug)]
pub(super) struct CabPairs {
    waiting: Mutex<Waiting>,
    clock: SharedClock,
}

/// The requests of this window and of the previous one. Old ones are dropped all at once.
#[derive(Debug, Default)]
struct Waiting {
    begun: Duration,
    recent: HashMap<MissingSymbol, Unpaired>,
    earlier: HashMap<MissingSymbol, Unpaired>,
}

/// Unpaired requests for one symbol under the same name.
#[derive(Clone, Copy, Debug)]
struct Unpaired {
    is_packed: bool,
    number: u32,
    last: Duration,
}

impl CabPairs {
    pub(super) fn new(clock: SharedClock) -> Self {
        Self {
            waiting: Mutex::default(),
            clock,
        }
    }

    /// Returns whether this request is the second of a pair; if not, it is remembered as a first one.
    pub(super) fn completes(&self, symbol: &MissingSymbol, is_packed: bool) -> bool {
        let now = self.clock.elapsed();
        // A panic elsewhere cannot have left the maps in an inconsistent state.
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.turn(now);
        let known = waiting.take(symbol);
        let known = known.filter(|unpaired| now.saturating_sub(unpaired.last) < WINDOW);
        match known {
            Some(unpaired) if unpaired.is_packed != is_packed => {
                let number = unpaired.number - 1;
                waiting.put(symbol, Unpaired { number, ..unpaired });
                true
            }
            _ => {
                let number = known
                    .map_or(0, |unpaired| unpaired.number)
                    .saturating_add(1);
                let unpaired = Unpaired {
                    is_packed,
                    number,
                    last: now,
                };
                waiting.put(symbol, unpaired);
                false
            }
        }
    }
}

impl Waiting {
    fn turn(&mut self, now: Duration) {
        if now.saturating_sub(self.begun) >= WINDOW {
            self.earlier = std::mem::take(&mut self.recent);
            self.begun = now;
        }
    }

    fn take(&mut self, symbol: &MissingSymbol) -> Option<Unpaired> {
        self.recent
            .remove(symbol)
            .or_else(|| self.earlier.remove(symbol))
    }

    fn put(&mut self, symbol: &MissingSymbol, unpaired: Unpaired) {
        if unpaired.number > 0 && self.recent.len() < CAPACITY {
            self.recent.insert(symbol.clone(), unpaired);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use time::macros::datetime;

    use super::*;
    use crate::clock::ManualClock;

    fn pairs() -> (CabPairs, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(datetime!(2026-01-01 0:00 UTC)));
        (CabPairs::new(Arc::clone(&clock) as _), clock)
    }

    fn want(number: usize) -> MissingSymbol {
        MissingSymbol {
            debug_file: format!("{number}.pdb"),
            debug_id: "AB".to_owned(),
            file_name: "x.pd_".to_owned(),
            code_file: None,
            code_id: None,
        }
    }

    #[test]
    fn the_second_half_is_told_from_a_repeated_first_one() {
        let (pairs, _) = pairs();
        let ask = |is_packed| pairs.completes(&want(0), is_packed);
        assert_eq!([ask(false), ask(true)], [false, true]);
        assert_eq!([ask(true), ask(false)], [false, true]);
        assert_eq!([ask(false), ask(false)], [false, false], "asked again");
        assert_eq!([ask(true), ask(true), ask(true)], [true, true, false]);
        assert!(!pairs.completes(&want(1), true), "another want");
    }

    #[test]
    fn the_second_half_has_to_come_soon() {
        let (pairs, clock) = pairs();
        assert!(!pairs.completes(&want(0), false));
        clock.advance(Duration::from_millis(9_999));
        assert!(pairs.completes(&want(0), true));
        assert!(!pairs.completes(&want(0), false));
        clock.advance(WINDOW);
        assert!(!pairs.completes(&want(0), true));
    }

    #[test]
    fn memory_is_bounded() {
        let (pairs, clock) = pairs();
        for number in 0..CAPACITY + 10 {
            assert!(!pairs.completes(&want(number), false));
        }
        let held = || {
            let waiting = pairs.waiting.lock().unwrap();
            waiting.recent.len() + waiting.earlier.len()
        };
        assert_eq!(held(), CAPACITY);
        clock.advance(WINDOW);
        assert!(!pairs.completes(&want(0), false));
        clock.advance(WINDOW);
        assert!(!pairs.completes(&want(1), false));
        assert_eq!(held(), 2);
    }
}
