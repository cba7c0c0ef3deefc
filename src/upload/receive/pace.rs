//! Deadlines for bodies that arrive.
//!
//! The HTTP library waits for the next bytes of a body without a timeout. A [`Pace`] limits each wait, the average rate
//! and the total time.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::error::ReceiveError;

/// How fast a body must arrive.
#[derive(Clone, Copy, Debug)]
pub(in crate::upload) struct PaceLimits {
    /// How long a client may pause.
    pub(in crate::upload) idle: Duration,
    /// How long the whole body may take.
    pub(in crate::upload) receive: Duration,
    /// Bytes per second on average, once the idle time has passed.
    pub(in crate::upload) rate: u64,
}

/// The progress of one body.
#[derive(Debug)]
pub struct Pace {
    limits: PaceLimits,
    start: Instant,
    deadline: Instant,
    received: u64,
}

impl Pace {
    /// Starts with no byte received.
    #[must_use]
    pub(super) fn new(limits: PaceLimits) -> Self {
        let start = Instant::now();
        Self {
            limits,
            start,
            deadline: start + limits.receive,
            received: 0,
        }
    }

    /// Waits for the next piece, at most for the idle time.
    ///
    /// # Errors
    /// The client pauses too long, sends too slowly, or takes too long in total.
    pub async fn wait<T>(&self, next: impl Future<Output = T>) -> Result<T, ReceiveError> {
        let now = Instant::now();
        if now >= self.deadline {
            return Err(ReceiveError::Stalled("it took too long"));
        }
        if self.is_too_slow(now - self.start) {
            return Err(ReceiveError::Stalled("it came too slowly"));
        }
        let until = (now + self.limits.idle).min(self.deadline);
        timeout_at(until, next)
            .await
            .map_err(|_| ReceiveError::Stalled("nothing came for too long"))
    }

    /// Counts bytes that have arrived.
    pub fn received(&mut self, bytes: usize) {
        self.received += bytes as u64;
    }

    /// The rate counts once the client has had time to start.
    fn is_too_slow(&self, elapsed: Duration) -> bool {
        elapsed > self.limits.idle
            && u128::from(self.received) * 1000 < u128::from(self.limits.rate) * elapsed.as_millis()
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    fn pace() -> Pace {
        Pace::new(PaceLimits {
            idle: Duration::from_secs(30),
            receive: Duration::from_hours(1),
            rate: 1024,
        })
    }

    fn is_stalled(result: &Result<(), ReceiveError>) -> bool {
        matches!(result, Err(ReceiveError::Stalled(_)))
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_after_the_idle_time() {
        let pace = pace();
        let start = Instant::now();
        assert!(is_stalled(&pace.wait(pending()).await));
        assert_eq!(start.elapsed(), Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn dribbling_ends_although_no_wait_is_long() {
        let mut pace = pace();
        for _ in 0..3 {
            tokio::time::advance(Duration::from_secs(10)).await;
            assert!(!is_stalled(&pace.wait(ready(())).await));
            pace.received(1);
        }
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(is_stalled(&pace.wait(ready(())).await));
    }

    #[tokio::test(start_paused = true)]
    async fn a_fast_client_still_has_a_deadline() {
        let mut pace = pace();
        pace.received(1 << 30);
        tokio::time::advance(Duration::from_hours(1) - Duration::from_secs(1)).await;
        assert!(!is_stalled(&pace.wait(ready(())).await));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(is_stalled(&pace.wait(ready(())).await));
    }
}
