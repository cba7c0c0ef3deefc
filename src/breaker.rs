//! A circuit breaker: leaves a service alone while it fails.
//!
//! | state | which calls are admitted | the next state |
//! |---|---|---|
//! | closed | all | open, after [`BreakerSettings::failures`] failures in a row |
//! | open | one probe in each [`BreakerSettings::pause`] | closed, after any success |
//!
//! A probe is an ordinary call, and the breaker waits for no report of it: a probe that hangs or is dropped does not
//! keep the breaker open, since the next one follows after the pause. For the same reason failures of calls that began
//! before the breaker opened do not put off the next probe. So once the service has recovered, the breaker closes
//! within one pause and the time of one call, as long as there are calls.
//!
//! Callers pass the time, as `clock::Clock::elapsed` gives it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;

/// When a breaker opens, and how often it lets a probe through then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerSettings {
    /// How many failures in a row open it.
    pub failures: u32,
    /// The time from its opening to the first probe, and from one probe to the next.
    pub pause: Duration,
}

/// A circuit breaker of one service, shared by everything that calls it.
#[derive(Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    state: Mutex<State>,
    is_open: Gauge,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Failures since the last success.
    Closed { failures: u32 },
    /// The earliest time of the next probe.
    Open { next_probe: Duration },
}

impl Breaker {
    /// Makes a closed breaker. It sets the gauge to 1 when it opens and to 0 when it closes.
    #[must_use]
    pub fn new(settings: BreakerSettings, is_open: Gauge) -> Self {
        Self {
            settings,
            state: Mutex::new(State::Closed { failures: 0 }),
            is_open,
        }
    }

    /// Returns whether a call may be made now. Callers report how an admitted call ended with [`Self::succeeded`] or
    /// [`Self::failed`]; calls that were not admitted may be made and reported too.
    #[must_use]
    pub fn admits(&self, now: Duration) -> bool {
        let mut state = self.state();
        match *state {
            State::Closed { .. } => true,
            State::Open { next_probe } if now < next_probe => false,
            State::Open { .. } => {
                *state = self.open_until(now);
                true
            }
        }
    }

    /// Reports a success, which closes the breaker.
    pub fn succeeded(&self) {
        let mut state = self.state();
        *state = State::Closed { failures: 0 };
        self.is_open.set(0);
    }

    /// Reports a failure, which opens the breaker if it is one too many.
    pub fn failed(&self, now: Duration) {
        let mut state = self.state();
        let State::Closed { failures } = *state else {
            return;
        };
        let failures = failures.saturating_add(1);
        if failures < self.settings.failures {
            *state = State::Closed { failures };
        } else {
            *state = self.open_until(now);
            self.is_open.set(1);
        }
    }

    fn open_until(&self, now: Duration) -> State {
        State::Open {
            next_probe: now + self.settings.pause,
        }
    }

    /// A panic elsewhere cannot have left the state inconsistent.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILURES: u32 = 5;

    const PAUSE: Duration = Duration::from_secs(5);

    const SETTINGS: BreakerSettings = BreakerSettings {
        failures: FAILURES,
        pause: PAUSE,
    };

    const START: Duration = Duration::from_hours(1);

    fn breaker() -> (Breaker, Gauge) {
        let gauge = Gauge::default();
        (Breaker::new(SETTINGS, gauge.clone()), gauge)
    }

    fn fail(breaker: &Breaker, times: u32) {
        for _ in 0..times {
            breaker.failed(START);
        }
    }

    #[test]
    fn five_failures_in_a_row_open_it() {
        let (breaker, gauge) = breaker();
        fail(&breaker, FAILURES - 1);
        breaker.succeeded();
        fail(&breaker, FAILURES - 1);
        assert!(breaker.admits(START));
        assert_eq!(gauge.get(), 0);
        breaker.failed(START);
        assert!(!breaker.admits(START));
        assert_eq!(gauge.get(), 1);
    }

    #[test]
    fn after_the_pause_one_probe_decides() {
        let (breaker, gauge) = breaker();
        fail(&breaker, FAILURES);
        let mut now = START + PAUSE / 2;
        assert!(!breaker.admits(now));
        now += PAUSE / 2;
        assert!(breaker.admits(now));
        assert!(!breaker.admits(now), "one probe at a time");
        breaker.failed(now);
        now += PAUSE / 2;
        assert!(!breaker.admits(now));
        now += PAUSE / 2;
        assert!(breaker.admits(now));
        breaker.succeeded();
        assert!(breaker.admits(now) && breaker.admits(now));
        assert_eq!(gauge.get(), 0);
    }

    #[test]
    fn a_probe_that_never_reports_back_does_not_keep_it_open() {
        let (breaker, _) = breaker();
        fail(&breaker, FAILURES);
        assert!(breaker.admits(START + PAUSE));
        assert!(breaker.admits(START + 2 * PAUSE));
    }

    #[test]
    fn late_failures_of_earlier_calls_do_not_put_off_the_probe() {
        let (breaker, _) = breaker();
        fail(&breaker, FAILURES);
        breaker.failed(START + PAUSE / 2);
        assert!(breaker.admits(START + PAUSE));
    }

    #[test]
    fn it_closes_within_a_second_of_recovery_if_the_pause_is_short() {
        let pause = Duration::from_millis(500);
        let breaker = Breaker::new(BreakerSettings { pause, ..SETTINGS }, Gauge::default());
        fail(&breaker, FAILURES);
        let recovered_at = START + Duration::from_mins(1);
        let mut now = START;
        loop {
            now += Duration::from_millis(10);
            if !breaker.admits(now) {
                continue;
            }
            if now >= recovered_at {
                breaker.succeeded();
                break;
            }
            breaker.failed(now);
        }
        assert!(now < recovered_at + Duration::from_secs(1));
        assert!(breaker.admits(now) && breaker.admits(now));
    }
}
