//! Every metric, declared once with its help text.
//!
//! Each server has a registry of its own, so that several can run in one process. Labels hold route patterns, names
//! of operations and outcomes, never anything that a client sent.

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
pub use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Bounds of the buckets for times of requests and storage calls, in seconds.
const CALL_SECONDS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0,
];

/// Bounds of the buckets for times of whole uploads, in seconds.
const UPLOAD_SECONDS: [f64; 9] = [0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 180.0, 600.0, 1800.0];

/// A family of histograms that share their buckets.
pub type HistogramFamily<L> = Family<L, Histogram, Buckets>;

/// Makes the histograms of a family.
#[derive(Clone, Copy, Debug)]
pub struct Buckets(&'static [f64]);

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
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
    /// The ending.
    pub result: &'static str,
}

/// What something is taken for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KindLabel {
    /// `archives` or `members`.
    pub kind: &'static str,
}

/// The version that runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
    commit: &'static str,
}

/// Every metric of one server. Clones share the counts.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Requests by route, method and status.
    pub http_requests: Family<RequestLabels, Counter>,
    /// Time from a request's head to the end of its answer's head, by route.
    pub http_request_seconds: HistogramFamily<RouteLabel>,
    /// Answers to symbol requests by kind.
    pub downloads: Family<ResultLabel, Counter>,
    /// Answers to requests by build id, by kind.
    pub debuginfod: Family<ResultLabel, Counter>,
    /// Lookups in the caches.
    pub cache_lookups: Family<CacheLabels, Counter>,
    /// Operations on the shared cache that failed.
    pub shared_cache_faults: Counter,
    /// 1 while the shared cache is left alone because it failed too often.
    pub shared_cache_breaker_open: Gauge,
    /// 1 while this node hears what other nodes tell.
    pub shared_cache_listening: Gauge,
    /// Changes that the other nodes could not be told of yet.
    pub shared_cache_untold: Gauge,
    /// Calls of storages.
    pub storage_calls: Family<StorageLabels, Counter>,
    /// Time of storage calls.
    pub storage_call_seconds: HistogramFamily<OperationLabel>,
    /// Uploads by how they ended: `completed`, `failed`, or a refusal's code.
    pub uploads: Family<ResultLabel, Counter>,
    /// Members of completed uploads: `stored`, `updated`, `skipped`, `ignored`.
    pub upload_files: Family<ResultLabel, Counter>,
    /// Members read and checked: `early`, while their archive was arriving, or `late`, when it had.
    pub upload_verified: Family<ResultLabel, Counter>,
    /// Bytes of archives received.
    pub upload_bytes: Counter,
    /// Time from the archive's arrival to the answer.
    pub upload_seconds: Histogram,
    /// Uploads being received or stored.
    pub uploads_in_flight: Gauge,
    /// Bytes of temporary files that uploads have taken room for.
    pub upload_reserved: Family<KindLabel, Gauge>,
    /// Requests for missing symbols that were counted.
    pub missing_noted: Counter,
    /// Requests for missing symbols that were counted and have reached the database.
    pub missing_written: Counter,
    /// Requests for missing symbols that could not be counted, for want of room.
    pub missing_dropped: Counter,
    /// Different missing symbols that wait for the database.
    pub missing_pending: Gauge,
    build: Family<BuildLabels, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            http_requests: Family::default(),
            http_request_seconds: Family::new_with_constructor(Buckets(&CALL_SECONDS)),
            downloads: Family::default(),
            debuginfod: Family::default(),
            cache_lookups: Family::default(),
            shared_cache_faults: Counter::default(),
            shared_cache_breaker_open: Gauge::default(),
            shared_cache_listening: Gauge::default(),
            shared_cache_untold: Gauge::default(),
            storage_calls: Family::default(),
            storage_call_seconds: Family::new_with_constructor(Buckets(&CALL_SECONDS)),
            uploads: Family::default(),
            upload_files: Family::default(),
            upload_verified: Family::default(),
            upload_bytes: Counter::default(),
            upload_seconds: Buckets(&UPLOAD_SECONDS).new_metric(),
            uploads_in_flight: Gauge::default(),
            upload_reserved: Family::default(),
            missing_noted: Counter::default(),
            missing_written: Counter::default(),
            missing_dropped: Counter::default(),
            missing_pending: Gauge::default(),
            build: Family::default(),
        }
    }
}

impl Metrics {
    /// All metrics in the `OpenMetrics` text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut registry = Registry::with_prefix("symbold");
        self.register_requests(&mut registry);
        self.register_caches(&mut registry);
        self.register_uploads(&mut registry);
        self.register_missing(&mut registry);
        let mut rendered = String::new();
        // Writing to a String does not fail.
        text::encode(&mut rendered, &registry).unwrap_or_default();
        rendered
    }

    fn register_requests(&self, to: &mut Registry) {
        let build = BuildLabels {
            version: crate::VERSION,
            commit: crate::COMMIT,
        };
        self.build.get_or_create(&build).set(1);
        to.register("build_info", "The version that runs", self.build.clone());
        to.register(
            "http_requests",
            "Requests by route, method and status",
            self.http_requests.clone(),
        );
        let seconds = self.http_request_seconds.clone();
        to.register(
            "http_request_seconds",
            "Time until the head of the answer, by route",
            seconds,
        );
        to.register(
            "downloads",
            "Answers to symbol requests by kind",
            self.downloads.clone(),
        );
        to.register(
            "debuginfod",
            "Answers to requests by build id, by kind",
            self.debuginfod.clone(),
        );
        let calls = self.storage_calls.clone();
        to.register(
            "storage_calls",
            "Calls of storages by operation and outcome",
            calls,
        );
        let seconds = self.storage_call_seconds.clone();
        to.register("storage_call_seconds", "Time of storage calls", seconds);
    }

    fn register_caches(&self, to: &mut Registry) {
        to.register(
            "cache_lookups",
            "Lookups in the caches by tier and result",
            self.cache_lookups.clone(),
        );
        let faults = self.shared_cache_faults.clone();
        to.register(
            "shared_cache_faults",
            "Operations on the shared cache that failed",
            faults,
        );
        let breaker = self.shared_cache_breaker_open.clone();
        to.register(
            "shared_cache_breaker_open",
            "Whether the shared cache is left alone for a while",
            breaker,
        );
        let listening = self.shared_cache_listening.clone();
        to.register(
            "shared_cache_listening",
            "Whether this node hears the others",
            listening,
        );
        let untold = self.shared_cache_untold.clone();
        to.register(
            "shared_cache_untold",
            "Changes that the other nodes could not be told of yet",
            untold,
        );
    }

    fn register_uploads(&self, to: &mut Registry) {
        to.register("uploads", "Uploads by how they ended", self.uploads.clone());
        let files = self.upload_files.clone();
        to.register(
            "upload_files",
            "Members of completed uploads by what became of them",
            files,
        );
        let verified = self.upload_verified.clone();
        to.register(
            "upload_verified",
            "Members verified while their archive was arriving, and after that",
            verified,
        );
        to.register(
            "upload_bytes",
            "Bytes of archives received",
            self.upload_bytes.clone(),
        );
        let seconds = self.upload_seconds.clone();
        to.register(
            "upload_seconds",
            "Time from the archive's arrival to the answer",
            seconds,
        );
        let in_flight = self.uploads_in_flight.clone();
        to.register(
            "uploads_in_flight",
            "Uploads being received or stored",
            in_flight,
        );
        to.register(
            "upload_reserved_bytes",
            "Room for temporary files that is taken",
            self.upload_reserved.clone(),
        );
    }

    fn register_missing(&self, to: &mut Registry) {
        let noted = self.missing_noted.clone();
        to.register(
            "missing_noted",
            "Requests for missing symbols counted",
            noted,
        );
        let written = self.missing_written.clone();
        to.register(
            "missing_written",
            "Counted requests that reached the database",
            written,
        );
        let dropped = self.missing_dropped.clone();
        to.register(
            "missing_dropped",
            "Requests not counted for want of room",
            dropped,
        );
        let pending = self.missing_pending.clone();
        to.register(
            "missing_pending",
            "Missing symbols that wait for the database",
            pending,
        );
    }

    /// Counts one ending of something that a [`ResultLabel`] describes.
    pub fn count(&self, family: &Family<ResultLabel, Counter>, result: &'static str) {
        family.get_or_create(&ResultLabel { result }).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rendering_shows_what_was_counted() {
        let metrics = Metrics::default();
        metrics.count(&metrics.downloads, "found");
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
