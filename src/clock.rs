//! Time as a dependency, so that tests need not wait.
//!
//! Everything that asks for the time holds a [`SharedClock`]. The server has a [`SystemClock`]; a test has a
//! [`ManualClock`] and moves it.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use time::OffsetDateTime;

/// A clock shared by the parts of one server.
pub type SharedClock = Arc<dyn Clock>;

/// Tells the time of day and the time passed.
pub trait Clock: Debug + Send + Sync {
    /// The time of day in UTC. May jump.
    fn now(&self) -> OffsetDateTime;

    /// The time since the clock was made. Never goes back.
    fn elapsed(&self) -> Duration;
}

/// Measures one stretch of time.
#[derive(Debug)]
pub struct Stopwatch<'clock> {
    clock: &'clock dyn Clock,
    start: Duration,
}

impl<'clock> Stopwatch<'clock> {
    /// Starts to measure.
    #[must_use]
    pub fn start(clock: &'clock dyn Clock) -> Self {
        Self {
            clock,
            start: clock.elapsed(),
        }
    }

    /// The time since the start.
    #[must_use]
    pub fn time(&self) -> Duration {
        self.clock.elapsed().saturating_sub(self.start)
    }

    /// The seconds since the start.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.time().as_secs_f64()
    }
}

/// The clock of the machine.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// Starts the clock.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that asks the machine"
    )]
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that asks the machine"
    )]
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock {
    start: OffsetDateTime,
    elapsed: Mutex<Duration>,
}

impl ManualClock {
    /// Makes a clock that stands at the given time of day.
    #[must_use]
    pub fn at(start: OffsetDateTime) -> Self {
        Self {
            start,
            elapsed: Mutex::new(Duration::ZERO),
        }
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        *self.elapsed.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> OffsetDateTime {
        self.start + self.elapsed()
    }

    fn elapsed(&self) -> Duration {
        *self.elapsed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
