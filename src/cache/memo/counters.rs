//! Counting what becomes of a memo's lookups.

use prometheus_client::metrics::counter::Counter;

use crate::metrics::{CacheLabels, Metrics};

/// The counts of one memo. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct LookupCounters {
    /// The answer was in this process's memory.
    pub local_hit: Counter,
    /// It was not.
    pub local_miss: Counter,
    /// The shared tier had it.
    pub shared_hit: Counter,
    /// The shared tier was asked and did not have it.
    pub shared_miss: Counter,
    /// The shared tier could not be asked, or had something that is no answer.
    pub shared_fault: Counter,
}

impl LookupCounters {
    /// The counters of the memo of this name among the metrics.
    #[must_use]
    pub fn new(metrics: &Metrics, cache: &'static str) -> Self {
        let counter = |tier, result| {
            metrics.cache_lookups.get_or_create_owned(&CacheLabels {
                cache,
                tier,
                result,
            })
        };
        Self {
            local_hit: counter("local", "hit"),
            local_miss: counter("local", "miss"),
            shared_hit: counter("shared", "hit"),
            shared_miss: counter("shared", "miss"),
            shared_fault: counter("shared", "fault"),
        }
    }
}
