//! A bounded rate of reading, so that the requests of a running server find the disk or the store free.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Limits the bytes that all readers together read in a second.
#[derive(Debug)]
pub(super) struct Pace {
    rate: u64,
    /// When the next byte may be read.
    next: Mutex<Instant>,
}

impl Pace {
    /// Begins now. A rate of zero counts as one byte a second.
    pub(super) fn new(rate: u64) -> Self {
        Self {
            rate: rate.max(1),
            next: Mutex::new(Instant::now()),
        }
    }

    /// Waits until the bytes that were taken before have had their time, and takes these.
    pub(super) async fn take(&self, bytes: u64) {
        let until = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let until = (*next).max(Instant::now());
            *next = until + self.time_of(bytes);
            until
        };
        sleep_until(until).await;
    }

    fn time_of(&self, bytes: u64) -> Duration {
        let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(self.rate);
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn readers_share_the_rate_and_idle_time_is_not_made_up_for() {
        let pace = Pace::new(1000);
        let start = Instant::now();
        join_all((0..4).map(|_| pace.take(500))).await;
        assert_eq!(start.elapsed(), Duration::from_millis(1500));
        tokio::time::sleep(Duration::from_mins(1)).await;
        let start = Instant::now();
        join_all((0..3).map(|_| pace.take(1000))).await;
        assert_eq!(start.elapsed(), Duration::from_secs(2));
    }
}
