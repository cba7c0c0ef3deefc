//! Holding a client that sends a body to its promises.
//!
//! The HTTP server itself waits for ever for the next bytes of a body. A [`Pace`] bounds each wait, the average rate
//! and the whole.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{UploadConfig, UploadError};

/// How a body is arriving.
#[derive(Debug)]
pub struct Pace {
    idle: Duration,
    /// Bytes per second.
    rate: u64,
    start: Instant,
    deadline: Instant,
    received: u64,
}

impl Pace {
    /// Starts with no byte received.
    #[must_use]
    pub fn new(config: &UploadConfig) -> Self {
        let start = Instant::now();
        Self {
            idle: config.idle,
            rate: config.rate.as_u64(),
            start,
            deadline: start + config.receive,
            received: 0,
        }
    }

    /// Waits for the next piece, but not longer than the client may be idle.
    ///
    /// # Errors
    /// The client sends nothing, too little, or takes too long in all.
    pub async fn wait<T>(&self, next: impl Future<Output = T>) -> Result<T, UploadError> {
        let now = Instant::now();
        if now >= self.deadline {
            return Err(UploadError::Stalled("it took too long"));
        }
        if self.is_too_slow(now - self.start) {
            return Err(UploadError::Stalled("it came too slowly"));
        }
        let until = (now + self.idle).min(self.deadline);
        timeout_at(until, next)
            .await
            .map_err(|_| UploadError::Stalled("nothing came for too long"))
    }

    /// Takes note of bytes that came.
    pub fn received(&mut self, bytes: usize) {
        self.received += bytes as u64;
    }

    /// The rate counts once the client has had time to start.
    fn is_too_slow(&self, elapsed: Duration) -> bool {
        elapsed > self.idle
            && u128::from(self.received) * 1000 < u128::from(self.rate) * elapsed.as_millis()
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    fn is_stalled(result: &Result<(), UploadError>) -> bool {
        matches!(result, Err(UploadError::Stalled(_)))
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_after_the_idle_time() {
        let pace = Pace::new(&UploadConfig::default());
        let start = Instant::now();
        assert!(is_stalled(&pace.wait(pending()).await));
        assert_eq!(start.elapsed(), Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn dribbling_ends_although_no_wait_is_long() {
        let mut pace = Pace::new(&UploadConfig::default());
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
        let mut pace = Pace::new(&UploadConfig::default());
        pace.received(1 << 30);
        tokio::time::advance(Duration::from_hours(1) - Duration::from_secs(1)).await;
        assert!(!is_stalled(&pace.wait(ready(())).await));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(is_stalled(&pace.wait(ready(())).await));
    }
}
