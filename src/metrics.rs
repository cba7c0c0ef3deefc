//! Every metric, declared once with its help text.
//!
//! Each server has a registry of its own, so that several can run in one process. Labels hold route patterns, names
//! of operations and outcomes, never anything that a client sent.

use std::hash::Hash;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
pub use prometheus_client::metrics::gauge::Gauge;
pub use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// The buckets for times of requests and storage calls, in seconds.
const CALL_SECONDS: Buckets = Buckets(&[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0,
]);

/// The buckets for times of whole uploads, in seconds.
const UPLOAD_SECONDS: Buckets = Buckets(&[0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 180.0, 600.0, 1800.0]);

/// The buckets for counts of what a request for symbolication holds.
const SYMBOLICATE_COUNTS: Buckets = Buckets(&[1.0, 10.0, 100.0, 1000.0, 10_000.0, 100_000.0]);

/// A family of histograms that share their buckets.
pub type HistogramFamily<L> = Family<L, Histogram, Buckets>;

/// The upper bounds of a histogram's buckets.
#[derive(Clone, Copy, Debug)]
pub struct Buckets(&'static [f64]);

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

impl From<Buckets> for Histogram {
    fn from(buckets: Buckets) -> Self {
        buckets.new_metric()
    }
}

impl<L: Clone + Eq + Hash> From<Buckets> for HistogramFamily<L> {
    fn from(buckets: Buckets) -> Self {
        Self::new_with_constructor(buckets)
    }
}

/// Labels of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// The route's pattern.
    pub route: &'static str,
    /// The method.
    pub method: &'static str,
    /// The status code.
    pub status: u16,
}

/// The route's pattern alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RouteLabel {
    /// The route's pattern.
    pub route: &'static str,
}

/// Labels of a lookup in a cache.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CacheLabels {
    /// Which cache.
    pub cache: &'static str,
    /// `local` for this process's memory, `shared` for the tier that all nodes share.
    pub tier: &'static str,
    /// `hit` or `miss`, or `fault` for a shared tier that was of no use.
    pub result: &'static str,
}

/// Labels of a storage call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StorageLabels {
    /// `head`, `put`, `fetch`, `delete` or `check`.
    pub operation: &'static str,
    /// `ok`, `absent` or `error`.
    pub outcome: &'static str,
}

/// The operation alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OperationLabel {
    /// `head`, `put`, `fetch`, `delete` or `check`.
    pub operation: &'static str,
}

/// How something ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ResultLabel {
    /// Its name.
    pub result: &'static str,
}

/// Why something failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabel {
    /// Its name.
    pub reason: &'static str,
}

/// What something is classified as.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KindLabel {
    /// `archives` or `members`.
    pub kind: &'static str,
}

/// Labels of an answer to a request for symbolication.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SymbolicateLabels {
    /// `v4` or `v5`.
    pub version: &'static str,
    /// The status code.
    pub status: u16,
}

/// The version of an API.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct VersionLabel {
    /// `v4` or `v5`.
    pub version: &'static str,
}

/// How well its requests prove that a symbol is missed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StandingLabel {
    /// `once`, `repeated` or `lasting`.
    pub standing: &'static str,
}

/// The version that runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
    commit: &'static str,
}

/// Declares the metrics of a server, each once: from its name, its type and, for histograms, its buckets come the
/// field, its first value and its registration.
///
/// The first line of a metric's documentation is its help text. Lines after it are for readers of the code.
macro_rules! metrics {
    (
        $(#[$attribute:meta])*
        pub struct $Metrics:ident {
            $(
                #[doc = $help:literal]
                $(#[$documentation:meta])*
                $visibility:vis $name:ident: $kind:ty $([$buckets:expr])?,
            )*
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Debug)]
        pub struct $Metrics {
            $(
                #[doc = $help]
                $(#[$documentation])*
                $visibility $name: $kind,
            )*
        }

        impl Default for $Metrics {
            fn default() -> Self {
                Self {
                    $($name: metrics!(@new $($buckets)?),)*
                }
            }
        }

        impl $Metrics {
            /// Puts every metric into a registry, in the order of their declaration.
            fn register(&self, registry: &mut Registry) {
                $(
                    let help = $help.trim().trim_end_matches('.');
                    registry.register(stringify!($name), help, self.$name.clone());
                )*
            }
        }
    };
    (@new) => {
        Default::default()
    };
    (@new $buckets:expr) => {
        $buckets.into()
    };
}

metrics! {
    /// Every metric of one server. Clones share the counts.
    pub struct Metrics {
        /// The version that runs.
        build_info: Family<BuildLabels, Gauge>,
        /// Requests by route, method and status.
        pub http_requests: Family<RequestLabels, Counter>,
        /// Time until the head of the answer, by route.
        ///
        /// Begins with the request's head.
        pub http_request_seconds: HistogramFamily<RouteLabel> [CALL_SECONDS],
        /// Answers to symbol requests by kind.
        pub downloads: Family<ResultLabel, Counter>,
        /// Requests for files in cabinets.
        ///
        /// `unpacked` for those that made the server unpack, `shared` for those that got what another one had unpacked.
        pub unpacked_files: Family<ResultLabel, Counter>,
        /// Bytes of unpacked files that are kept.
        pub unpacked_bytes: Gauge,
        /// Answers to requests by build id, by kind.
        pub debuginfod: Family<ResultLabel, Counter>,
        /// Answers to requests for symbolication by version and status.
        pub symbolicate_requests: Family<SymbolicateLabels, Counter>,
        /// Requests for symbolication that got no answer, by reason.
        pub symbolicate_errors: Family<ReasonLabel, Counter>,
        /// Time of requests for symbolication, from head to answer.
        pub symbolicate_seconds: HistogramFamily<VersionLabel> [CALL_SECONDS],
        /// Jobs of a request for symbolication.
        pub symbolicate_jobs: Histogram [SYMBOLICATE_COUNTS],
        /// Stacks of a request for symbolication.
        pub symbolicate_stacks: Histogram [SYMBOLICATE_COUNTS],
        /// Frames of a request for symbolication.
        pub symbolicate_frames: Histogram [SYMBOLICATE_COUNTS],
        /// Frames of answered requests by what became of them.
        ///
        /// `named`, `unnamed` where the module's symbols have no symbol there, or `no_module`.
        pub frames: Family<ResultLabel, Counter>,
        /// Modules whose symbols were asked for, by where these came from.
        ///
        /// `open`, `disk`, `store`, `converted`, `absent`, `unusable` or `failed`.
        pub symcache_lookups: Family<ResultLabel, Counter>,
        /// Symcaches that are open.
        pub symcaches_open: Gauge,
        /// Bytes of symcaches on this machine's disk.
        pub symcache_disk_bytes: Gauge,
        /// Symcaches on this machine's disk.
        pub symcache_disk_files: Gauge,
        /// Symcaches removed from this machine's disk for want of room.
        pub symcache_evictions: Counter,
        /// Time of conversions of symbols to symcaches.
        pub symcache_convert_seconds: Histogram [UPLOAD_SECONDS],
        /// Bytes of symbols that were converted.
        pub symcache_convert_bytes: Counter,
        /// Files of symbols of which no symcache can be made, by reason.
        ///
        /// `damaged`, `too_complex` or `too_large`.
        pub symcache_convert_failures: Family<ReasonLabel, Counter>,
        /// Memory that is set aside for conversions, in bytes.
        pub symcache_memory_bytes: Gauge,
        /// Uploaded symbols that wait for their conversion.
        pub symcache_queue_length: Gauge,
        /// Uploaded symbols that are not converted before they are asked for, for want of room or time.
        pub symcache_queue_dropped: Counter,
        /// Calls of storages by operation and outcome.
        pub storage_calls: Family<StorageLabels, Counter>,
        /// Time of storage calls.
        pub storage_call_seconds: HistogramFamily<OperationLabel> [CALL_SECONDS],
        /// Objects found damaged.
        pub storage_damage_found: Counter,
        /// Damaged objects that no upload has replaced yet.
        ///
        /// As far as this process knows, and at most 1,000.
        pub storage_damaged_objects: Gauge,
        /// Lookups in the caches by tier and result.
        pub cache_lookups: Family<CacheLabels, Counter>,
        /// Operations on the shared cache that failed.
        pub shared_cache_faults: Counter,
        /// Whether the shared cache is left alone for a while.
        ///
        /// 1 while it is, because it failed too often.
        pub shared_cache_breaker_open: Gauge,
        /// Whether this node hears the others.
        ///
        /// 1 while it does.
        pub shared_cache_listening: Gauge,
        /// Changes that are still to be published to the other nodes.
        pub shared_cache_untold: Gauge,
        /// Uploads by how they ended.
        ///
        /// `completed`, or a refusal's code.
        pub uploads: Family<ResultLabel, Counter>,
        /// Members of completed uploads by what became of them.
        ///
        /// `stored`, `updated`, `skipped` or `ignored`.
        pub upload_files: Family<ResultLabel, Counter>,
        /// Members verified while their archive was arriving, and after that.
        ///
        /// `early` or `late`.
        pub upload_verified: Family<ResultLabel, Counter>,
        /// Bytes of archives received.
        pub upload_bytes: Counter,
        /// Time from the archive's arrival to the answer.
        pub upload_seconds: Histogram [UPLOAD_SECONDS],
        /// Uploads being received or stored.
        pub uploads_in_flight: Gauge,
        /// Uploads that wait for a slot.
        pub uploads_waiting: Gauge,
        /// Room for temporary files that is taken.
        ///
        /// In bytes, by what it is taken for.
        pub upload_reserved_bytes: Family<KindLabel, Gauge>,
        /// Requests for missing symbols counted.
        pub missing_noted: Counter,
        /// Counted requests that reached the database.
        pub missing_written: Counter,
        /// Requests not counted for want of room.
        pub missing_dropped: Counter,
        /// Missing symbols that wait for the database.
        ///
        /// Equal ones count as one.
        pub missing_pending: Gauge,
        /// Rows of missing symbols deleted because there were too many.
        ///
        /// By how the symbol was asked for: `once`, `repeated` within a day, or `lasting` over days.
        pub missing_trimmed: Family<StandingLabel, Counter>,
    }
}

impl Metrics {
    /// All metrics in the `OpenMetrics` text format.
    #[must_use]
    pub fn render(&self) -> String {
        let build = BuildLabels {
            version: crate::VERSION,
            commit: crate::COMMIT,
        };
        self.build_info.get_or_create(&build).set(1);
        let mut registry = Registry::with_prefix("symbold");
        self.register(&mut registry);
        let mut rendered = String::new();
        // Writing to a String does not fail.
        text::encode(&mut rendered, &registry).unwrap_or_default();
        rendered
    }
}

/// Counts on families whose one label is the result.
pub trait CountResult {
    /// Counts one result.
    fn count(&self, result: &'static str);
}

impl CountResult for Family<ResultLabel, Counter> {
    fn count(&self, result: &'static str) {
        self.get_or_create(&ResultLabel { result }).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rendering_shows_what_was_counted() {
        let metrics = Metrics::default();
        metrics.downloads.count("found");
        metrics.missing_pending.set(3);
        let text = metrics.render();
        assert!(
            text.contains("symbold_downloads_total{result=\"found\"} 1\n"),
            "{text}"
        );
        assert!(text.contains("symbold_missing_pending 3\n"), "{text}");
        assert!(text.contains("symbold_build_info{version="), "{text}");
    }
}
