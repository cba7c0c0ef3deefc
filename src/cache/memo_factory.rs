//! The memos of one server, and how they share `cache.local_size`.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{CacheConfig, LookupCounters, Memo, MemoSettings, SharedCache};
use crate::clock::SharedClock;
use crate::metrics::Metrics;

/// Into how many shares `cache.local_size` is divided.
const SHARES: u64 = 16;

/// Declares every memo of a server with its name in the metrics and its shares. Does not compile unless the shares make
/// up the whole.
macro_rules! memos {
    ($($(#[$documentation:meta])* $kind:ident: $name:literal, $shares:literal;)*) => {
        /// The memos of a server.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum MemoKind {
            $($(#[$documentation])* $kind,)*
        }

        impl MemoKind {
            /// The value of the label `cache` in the metrics.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

            fn shares(self) -> u64 {
                match self {
                    $(Self::$kind => $shares,)*
                }
            }
        }

        const _: () = assert!(0 $(+ $shares)* == SHARES, "the shares make up cache.local_size");
    };
}

memos! {
    /// Objects by source and path.
    Catalog: "catalog", 11;
    /// Modules by code id.
    Modules: "modules", 1;
    /// Spellings of the names of Windows files.
    Spellings: "spellings", 2;
    /// Files and folders by build id.
    Builds: "builds", 2;
}

/// Makes the memos of one server: they share the configured memory, the tier of all nodes, and the clock.
#[derive(Clone, Debug)]
pub struct MemoFactory {
    config: CacheConfig,
    shared: Option<Arc<dyn SharedCache>>,
    metrics: Metrics,
    clock: SharedClock,
}

impl MemoFactory {
    /// Makes the factory of a server. Without `shared`, its memos remember in this process alone.
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

    /// Makes a memo of this kind. A server makes one of each.
    #[must_use]
    pub fn memo<V>(&self, kind: MemoKind) -> Memo<V>
    where
        V: Clone + Send + Sync + Serialize + DeserializeOwned + 'static,
    {
        let settings = MemoSettings {
            capacity: self.config.local_size.as_u64() / SHARES * kind.shares(),
            present_for: self.config.present_for,
            absent_for: self.config.absent_for,
        };
        let counters = LookupCounters::new(&self.metrics, kind.name());
        Memo::new(
            settings,
            self.shared.clone(),
            counters,
            Arc::clone(&self.clock),
        )
    }
}
