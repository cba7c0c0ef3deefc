//! Leaving a broken service alone for a while.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;

use crate::clock::SharedClock;

/// How many failures in a row open the breaker.
const FAILURES: u32 = 5;

/// How long it stays open before one more try.
const PAUSE: Duration = Duration::from_secs(5);

/// A circuit breaker: after five failures in a row nothing is let through for five seconds, then one operation as a
/// probe, on whose outcome it depends how it goes on. A probe that never reports back is followed by another one
/// after the same time.
#[derive(Debug)]
pub(super) struct Breaker {
    state: Mutex<State>,
    is_open: Gauge,
    clock: SharedClock,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    next_probe: Duration,
}

impl Breaker {
    /// Makes a closed breaker. The gauge is 1 while it is open.
    pub(super) fn new(is_open: Gauge, clock: SharedClock) -> Self {
        Self {
            state: Mutex::default(),
            is_open,
            clock,
        }
    }

    /// Tells whether an operation may be tried now.
    pub(super) fn admits(&self) -> bool {
        let mut state = self.state();
        if state.failures < FAILURES {
            return true;
        }
        let now = self.clock.elapsed();
        let is_probe = now >= state.next_probe;
        if is_probe {
            state.next_probe = now + PAUSE;
        }
        is_probe
    }

    /// An operation succeeded.
    pub(super) fn succeeded(&self) {
        let mut state = self.state();
        state.failures = 0;
        self.is_open.set(0);
    }

    /// An operation failed.
    pub(super) fn failed(&self) {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES {
            state.next_probe = self.clock.elapsed() + PAUSE;
            self.is_open.set(1);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use time::macros::datetime;

    use super::*;
    use crate::clock::ManualClock;

    fn breaker() -> (Breaker, Gauge, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(datetime!(2026-01-01 0:00 UTC)));
        let gauge = Gauge::default();
        let shared_clock: SharedClock = Arc::<ManualClock>::clone(&clock);
        (Breaker::new(gauge.clone(), shared_clock), gauge, clock)
    }

    fn fail(breaker: &Breaker, times: u32) {
        for _ in 0..times {
            breaker.failed();
        }
    }

    #[test]
    fn five_failures_in_a_row_open_it() {
        let (breaker, gauge, _) = breaker();
        fail(&breaker, FAILURES - 1);
        breaker.succeeded();
        fail(&breaker, FAILURES - 1);
        assert!(breaker.admits());
        assert_eq!(gauge.get(), 0);
        breaker.failed();
        assert!(!breaker.admits());
        assert_eq!(gauge.get(), 1);
    }

    #[test]
    fn after_the_pause_one_probe_decides() {
        let (breaker, gauge, clock) = breaker();
        fail(&breaker, FAILURES);
        clock.advance(PAUSE / 2);
        assert!(!breaker.admits());
        clock.advance(PAUSE / 2);
        assert!(breaker.admits());
        assert!(!breaker.admits(), "one probe at a time");
        breaker.failed();
        clock.advance(PAUSE / 2);
        assert!(!breaker.admits());
        clock.advance(PAUSE / 2);
        assert!(breaker.admits());
        breaker.succeeded();
        assert!(breaker.admits() && breaker.admits());
        assert_eq!(gauge.get(), 0);
    }

    #[test]
    fn a_probe_that_never_reports_back_does_not_keep_it_open() {
        let (breaker, _, clock) = breaker();
        fail(&breaker, FAILURES);
        clock.advance(PAUSE);
        assert!(breaker.admits());
        clock.advance(PAUSE);
        assert!(breaker.admits());
    }
}
