//! How long the cache in memory keeps an entry: until it is believed no more, so that the many names that do not exist
//! make room for others long before the cache is full.

use std::time::{Duration, Instant};

use moka::Expiry;

use super::{CacheKey, Entry};
use crate::clock::SharedClock;

/// Tells the cache how long each entry is still believed.
#[derive(Debug)]
pub(super) struct Lifetime {
    clock: SharedClock,
}

impl Lifetime {
    /// By the clock that the entries' times are of. The cache then counts the time by a clock of its own.
    pub(super) fn by(clock: SharedClock) -> Self {
        Self { clock }
    }

    fn of<V>(&self, entry: &Entry<V>) -> Duration {
        entry.expires_at.saturating_sub(self.clock.elapsed())
    }
}

impl<V> Expiry<CacheKey, Entry<V>> for Lifetime {
    fn expire_after_create(&self, _: &CacheKey, entry: &Entry<V>, _: Instant) -> Option<Duration> {
        Some(self.of(entry))
    }

    fn expire_after_update(
        &self,
        _: &CacheKey,
        entry: &Entry<V>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(self.of(entry))
    }
}
