//! Lets each key pass at most once per window, so that repeated requests are not counted.

use std::time::Duration;

use moka::sync::Cache;

use crate::cache::CacheKey;
use crate::clock::SharedClock;

/// Remembers the keys of the last window. When it is full, rarely repeated keys are evicted and may pass again early.
#[derive(Debug)]
pub(super) struct Guard {
    window: Duration,
    done: Cache<CacheKey, Duration>,
    clock: SharedClock,
}

impl Guard {
    /// Makes a guard that remembers at most `capacity` keys.
    pub(super) fn new(window: Duration, capacity: u64, clock: SharedClock) -> Self {
        let done = Cache::builder()
            .max_capacity(capacity)
            .time_to_live(window)
            .build();
        Self {
            window,
            done,
            clock,
        }
    }

    /// Returns whether this is the first call with this key within a window. A first call starts the key's window.
    pub(super) fn is_first(&self, key: CacheKey) -> bool {
        let now = self.clock.elapsed();
        let is_over = |done: &Duration| now.saturating_sub(*done) >= self.window;
        self.done
            .entry(key)
            .or_insert_with_if(|| now, is_over)
            .is_fresh()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use time::macros::datetime;

    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn once_per_window_and_key() {
        let clock = Arc::new(ManualClock::at(datetime!(2026-01-01 0:00 UTC)));
        let guard = Guard::new(
            Duration::from_mins(1),
            100,
            Arc::clone(&clock) as SharedClock,
        );
        let key = CacheKey::new("missing", &["a"]);
        assert!(guard.is_first(key.clone()));
        assert!(!guard.is_first(key.clone()));
        assert!(guard.is_first(CacheKey::new("missing", &["b"])));
        clock.advance(Duration::from_secs(59));
        assert!(!guard.is_first(key.clone()));
        clock.advance(Duration::from_secs(1));
        assert!(guard.is_first(key.clone()));
        assert!(!guard.is_first(key));
    }
}
