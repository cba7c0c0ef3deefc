//! One want that is asked for under two names.
//!
//! A debugger that wants `x.pdb` asks for it and for the cabinet `x.pd_`, side by side or one after the other, and all
//! it means is that one file is missing. So the second half of such a pair, coming soon after the first, is not
//! counted. A half that comes again is a new question: it is counted, and waits for another other half.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::SharedClock;
use crate::db::missing::MissingSymbol;

/// How soon the second half has to come.
const WINDOW: Duration = Duration::from_secs(10);

/// How many wants are remembered within a window; the halves of more count as two.
const CAPACITY: usize = 10_000;

/// First halves that wait for their second ones.
#[derive(Debug)]
pub(super) struct CabPairs {
    waiting: Mutex<Waiting>,
    clock: SharedClock,
}

/// The halves of this window and of the one before: old ones are dropped all at once.
#[derive(Debug, Default)]
struct Waiting {
    begun: Duration,
    recent: HashMap<MissingSymbol, Halves>,
    earlier: HashMap<MissingSymbol, Halves>,
}

/// Halves of the same name.
#[derive(Clone, Copy, Debug)]
struct Halves {
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

    /// Tells whether this question is the second half of a pair; if not, it waits as a first one.
    pub(super) fn completes(&self, want: &MissingSymbol, is_packed: bool) -> bool {
        let now = self.clock.elapsed();
        // A panic elsewhere cannot have left a map of halves half changed.
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.turn(now);
        let known = waiting.take(want);
        let known = known.filter(|halves| now.saturating_sub(halves.last) < WINDOW);
        match known {
            Some(halves) if halves.is_packed != is_packed => {
                let number = halves.number - 1;
                waiting.put(want, Halves { number, ..halves });
                true
            }
            _ => {
                let number = known.map_or(0, |halves| halves.number).saturating_add(1);
                let halves = Halves {
                    is_packed,
                    number,
                    last: now,
                };
                waiting.put(want, halves);
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

    fn take(&mut self, want: &MissingSymbol) -> Option<Halves> {
        self.recent
            .remove(want)
            .or_else(|| self.earlier.remove(want))
    }

    fn put(&mut self, want: &MissingSymbol, halves: Halves) {
        if halves.number > 0 && self.recent.len() < CAPACITY {
            self.recent.insert(want.clone(), halves);
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
