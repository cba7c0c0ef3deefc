//! Caches the answers of expensive lookups.
//!
//! [`Memo`] is the one way to cache a lookup: this process's memory, then the tier that all nodes share, then the
//! lookup itself, made once for all callers that wait for it. [`Coherence`] decides which of the cached answers are
//! still valid. [`MemoFactory`] makes the memos of a server, and [`MemoKind`] lists them with their shares of the
//! memory. Keys are made in one place, [`CacheKey`].
//!
//! [`SharedCache`] is the seam to the shared tier; [`RedisCache`] is the one kind there is, and `contract` the suite
//! that every kind passes.

mod coherence;
mod key;
mod memo;
mod memo_factory;
mod redis;

#[cfg(test)]
mod contract;
#[cfg(test)]
mod testing;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use crate::clock::SharedClock;
use crate::metrics::Metrics;
use crate::section::{Section, Violation, violations};
use crate::service_url::ServiceUrl;

pub use coherence::Coherence;
pub use key::CacheKey;
pub use memo::{LookupCounters, Memo, MemoSettings, Remembered};
pub use memo_factory::{MemoFactory, MemoKind};
pub use redis::RedisCache;

/// The least that `uncoordinated_for` may be: four pings of Redis have to be answered within it.
const SHORTEST_PATIENCE: Duration = Duration::from_millis(100);

/// How lookups are remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheConfig {
    /// How much memory the lookup cache of this process may take.
    pub local_size: ByteSize,
    /// How long a file that was found is taken to be there still.
    #[serde(with = "humantime_serde")]
    pub present_for: Duration,
    /// How long a file that was not found is taken to be absent still. Uploads through this server end it at once.
    #[serde(with = "humantime_serde")]
    pub absent_for: Duration,
    /// The Redis that all nodes share: `redis://`, `rediss://` or `redis+unix:///path`; empty for a node without
    /// others.
    pub redis_url: ServiceUrl,
    /// Keeps installations apart that share one Redis; all nodes of one have the same.
    pub namespace: String,
    /// How long Redis may take to answer before a lookup goes on without it.
    #[serde(with = "humantime_serde")]
    pub redis_timeout: Duration,
    /// How long an answer is remembered while this node cannot hear of the uploads to the others.
    #[serde(with = "humantime_serde")]
    pub uncoordinated_for: Duration,
}

impl Section for CacheConfig {
    fn violations(&self) -> Vec<Violation> {
        violations(
            "cache",
            &[
                (
                    "redis_url",
                    self.redis_url.is_empty() || redis::address(&self.redis_url).is_ok(),
                    "is not an address such as redis://host:6379, rediss://user:password@host or redis+unix:///path",
                ),
                (
                    "namespace",
                    is_plain(&self.namespace),
                    "must be 1 to 64 letters, digits, '-', '_' and '.'",
                ),
                (
                    "redis_timeout",
                    !self.redis_timeout.is_zero(),
                    "must be longer than zero",
                ),
                (
                    "uncoordinated_for",
                    self.uncoordinated_for >= SHORTEST_PATIENCE,
                    "must be at least 100ms",
                ),
            ],
        )
    }
}

fn is_plain(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(is_plain)
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            local_size: ByteSize::mib(64),
            present_for: Duration::from_hours(1),
            absent_for: Duration::from_mins(1),
            redis_url: ServiceUrl::default(),
            namespace: "default".to_owned(),
            redis_timeout: Duration::from_millis(50),
            uncoordinated_for: Duration::from_secs(1),
        }
    }
}

/// The shared tier could not be used, or what it held could not. For its users that is the same as not knowing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the shared cache is of no use: {0}")]
pub struct CacheError(pub String);

/// Stands for the time at which a key was read, in the eyes of the tier that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token(pub u64);

/// The shared tier's answer about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The value, if there is one.
    pub value: Option<Bytes>,
    /// To be presented with the answer of the question that is asked next.
    pub token: Token,
}

/// A store of bytes that all nodes share, each value for a limited time, and the channel on which nodes publish what
/// has changed.
///
/// A value that was set with a token from before an `invalidate` of its key is never read after it, in whatever order
/// the two arrive: the answer of a slow lookup cannot outlive an upload.
#[async_trait]
pub trait SharedCache: Debug + Send + Sync {
    /// The value of a key, with the token for a later `set`.
    async fn get(&self, key: &CacheKey) -> Result<Reading, CacheError>;

    /// Keeps a value for the given time. Values that are too long are not kept.
    async fn set(
        &self,
        key: &CacheKey,
        value: Bytes,
        keep: Duration,
        token: Token,
    ) -> Result<(), CacheError>;

    /// Ends the value of a key, and notifies all nodes to forget what they remember of it. A notification that cannot
    /// be sent now is sent as soon as the tier is back.
    async fn invalidate(&self, key: &CacheKey) -> Result<(), CacheError>;

    /// Asks the store for a sign of life.
    async fn check(&self) -> Result<(), CacheError>;

    /// What this node may believe, kept up to date with the changes that other nodes publish.
    fn coherence(&self) -> &Arc<Coherence>;
}

/// Opens the shared tier of the configuration, if it names one. Nothing is waited for: until it can be reached, and
/// whenever it cannot, lookups go on without it. Call it on the runtime that is to carry its connections.
///
/// # Errors
/// The address is not one.
pub fn open(
    config: &CacheConfig,
    metrics: &Metrics,
    clock: &SharedClock,
) -> Result<Option<Arc<dyn SharedCache>>, CacheError> {
    if config.redis_url.is_empty() {
        return Ok(None);
    }
    Ok(Some(Arc::new(RedisCache::open(config, metrics, clock)?)))
}
