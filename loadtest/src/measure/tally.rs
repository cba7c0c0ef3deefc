//! Counts answers by status, in memory that does not grow with them.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest latency that is recorded as such, in microseconds: an hour.
const MAX_LATENCY: u64 = 3_600_000_000;

/// The most seconds of a run, of which each has its own counts.
pub(crate) const MAX_SECONDS: usize = 24 * 3600;

/// Latencies in microseconds, to three significant digits.
#[derive(Debug, Clone)]
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    /// Latencies of nothing.
    pub(crate) fn new() -> Self {
        Self(Histogram::new_with_max(MAX_LATENCY, 3).expect("the bounds are constants"))
    }

    /// Counts one.
    pub(crate) fn record(&mut self, latency: Duration) {
        let microseconds = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(microseconds);
    }

    /// Counts those of `other` too.
    pub(crate) fn add(&mut self, other: &Self) {
        self.0 += &other.0;
    }

    /// How many were counted.
    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// The latency that this share of them does not exceed; zero if there is none.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        Duration::from_micros(self.0.value_at_quantile(share))
    }

    /// Their mean; zero if there is none.
    pub(crate) fn mean(&self) -> Duration {
        Duration::from_secs_f64(self.0.mean() / 1e6)
    }

    /// The longest one; zero if there is none.
    pub(crate) fn longest(&self) -> Duration {
        Duration::from_micros(self.0.max())
    }
}

/// The status of an answer; `None` where there was no answer.
pub(crate) type Status = Option<u16>;

/// The answers with one status.
#[derive(Debug)]
pub(crate) struct StatusTally {
    /// From the moment that the request was due to the answer's last byte.
    pub(crate) latencies: Latencies,
    /// Answers that the trace led to expect.
    pub(crate) expected: u64,
    /// Answers with a `Debug-Time`, and the sum of these.
    pub(crate) debug_times: (u64, Duration),
}

/// The answers of a run.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// By status.
    pub(crate) statuses: BTreeMap<Status, StatusTally>,
    /// Answers in each second of the run, by status.
    pub(crate) seconds: Vec<BTreeMap<Status, u64>>,
    /// Bytes of bodies.
    pub(crate) bytes: u64,
    /// Time from the first request to the last answer.
    pub(crate) elapsed: Duration,
    /// Sentences about requests without an answer, with how often each was said.
    pub(crate) failures: BTreeMap<String, u64>,
}

/// The most different sentences that are kept.
const MAX_FAILURES: usize = 10;

impl Tally {
    /// Counts one answer, or its absence, in the given time since the start of the run.
    pub(crate) fn record(
        &mut self,
        status: Status,
        latency: Duration,
        is_expected: bool,
        since_start: Duration,
    ) {
        let tally = self.statuses.entry(status).or_insert_with(|| StatusTally {
            latencies: Latencies::new(),
            expected: 0,
            debug_times: (0, Duration::ZERO),
        });
        tally.latencies.record(latency);
        tally.expected += u64::from(is_expected);
        let second = usize::try_from(since_start.as_secs())
            .unwrap_or(MAX_SECONDS)
            .min(MAX_SECONDS - 1);
        if self.seconds.len() <= second {
            self.seconds.resize_with(second + 1, BTreeMap::new);
        }
        *self.seconds[second].entry(status).or_default() += 1;
        self.elapsed = self.elapsed.max(since_start);
    }

    /// Counts the time that the server says an answer of this status took it; the answer was recorded before.
    pub(crate) fn record_debug_time(&mut self, status: Status, time: Duration) {
        if let Some(tally) = self.statuses.get_mut(&status) {
            tally.debug_times.0 += 1;
            tally.debug_times.1 += time;
        }
    }

    /// Keeps why a request had no answer.
    pub(crate) fn note_failure(&mut self, sentence: String) {
        if self.failures.len() < MAX_FAILURES || self.failures.contains_key(&sentence) {
            *self.failures.entry(sentence).or_default() += 1;
        }
    }

    /// Latencies of all statuses together, requests without an answer included.
    pub(crate) fn latencies(&self) -> Latencies {
        let mut all = Latencies::new();
        for tally in self.statuses.values() {
            all.add(&tally.latencies);
        }
        all
    }

    /// Requests, with or without an answer.
    pub(crate) fn requests(&self) -> u64 {
        self.statuses
            .values()
            .map(|tally| tally.latencies.count())
            .sum()
    }

    /// Answers that the trace led to expect.
    pub(crate) fn expected(&self) -> u64 {
        self.statuses.values().map(|tally| tally.expected).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_status_and_by_second() {
        let mut tally = Tally::default();
        let millisecond = Duration::from_millis(1);
        tally.record(Some(200), millisecond, true, Duration::from_millis(900));
        tally.record(
            Some(404),
            3 * millisecond,
            true,
            Duration::from_millis(2100),
        );
        tally.record(None, 9 * millisecond, false, Duration::from_millis(2900));
        tally.record_debug_time(Some(404), millisecond);
        tally.record_debug_time(Some(302), millisecond);
        assert_eq!((tally.requests(), tally.expected()), (3, 2));
        assert_eq!(tally.elapsed, Duration::from_millis(2900));
        assert_eq!(tally.statuses[&Some(404)].debug_times, (1, millisecond));
        assert!(!tally.statuses.contains_key(&Some(302)));
        let counts: Vec<u64> = tally
            .seconds
            .iter()
            .map(|second| second.values().sum())
            .collect();
        assert_eq!(counts, [1, 0, 2]);
        assert!(tally.latencies().quantile(0.5) >= 3 * millisecond);
    }

    #[test]
    fn the_reasons_of_failures_are_bounded() {
        let mut tally = Tally::default();
        for number in 0..100 {
            tally.note_failure(format!("reason {number}"));
            tally.note_failure("reason 0".to_owned());
        }
        assert_eq!(tally.failures.len(), MAX_FAILURES);
        assert_eq!(tally.failures["reason 0"], 101);
    }
}
