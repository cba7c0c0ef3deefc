//! The memos of one server.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{CacheConfig, LookupCounters, Memo, MemoSettings, SharedCache};
use crate::clock::SharedClock;
use crate::metrics::Metrics;

/// Makes the memos of one server: they share the memory that is configured, the tier that all nodes share, and the
/// clock.
#[derive(Clone, Debug)]
pub struct Memos {
    config: CacheConfig,
    shared: Option<Arc<dyn SharedCache>>,
    metrics: Metrics,
    clock: SharedClock,
}

impl Memos {
    /// Keeps what memos are made of.
    #[must_use]
    pub fn new(
        config: &CacheConfig,
        shared: Option<Arc<dyn SharedCache>>,
        metrics: &Metrics,
        clock: &SharedClock,
    ) -> Self {
        Self {
            config: config.clone(),
            shared,
            metrics: metrics.clone(),
            clock: Arc::clone(clock),
        }
    }

    /// Makes a memo that may take some eighths of the memory, and is called so in the metrics.
    #[must_use]
    pub fn memo<V>(&self, name: &'static str, eighths: u64) -> Memo<V>
    where
        V: Clone + Send + Sync + Serialize + DeserializeOwned + 'static,
    {
        let settings = MemoSettings {
            capacity: self.config.local_size.as_u64() / 8 * eighths,
            present_for: self.config.present_for,
            absent_for: self.config.absent_for,
        };
        let counters = LookupCounters::new(&self.metrics, name);
        Memo::new(
            settings,
            self.shared.clone(),
            counters,
            Arc::clone(&self.clock),
        )
    }
}
