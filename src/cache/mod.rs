//! Remembering the answers of expensive questions.
//!
//! [`Memo`] is the one way to cache a lookup: this process's memory, then the tier that all nodes share, then the
//! question itself, asked once however many wait for it. [`Guard`] remembers only that something was done, so that it
//! is done at most once per window. Keys are made in one place, [`CacheKey`].

mod guard;
mod key;
mod memo;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

pub use guard::Guard;
pub use key::CacheKey;
pub use memo::{Hooks, Memo, MemoSettings};

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
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            local_size: ByteSize::mib(64),
            present_for: Duration::from_hours(1),
            absent_for: Duration::from_mins(1),
        }
    }
}

/// The shared tier failed. For its users that is the same as not knowing.
#[derive(Debug, thiserror::Error)]
#[error("the shared cache is unavailable: {0}")]
pub struct CacheError(pub String);

/// A store of bytes that all nodes share, each value for a limited time.
#[async_trait]
pub trait SharedCache: Debug + Send + Sync {
    /// The value of a key.
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>, CacheError>;

    /// Keeps a value for the given time.
    async fn set(&self, key: &CacheKey, value: Bytes, keep: Duration) -> Result<(), CacheError>;

    /// Drops the value of a key.
    async fn delete(&self, key: &CacheKey) -> Result<(), CacheError>;

    /// Asks the store for a sign of life.
    async fn check(&self) -> Result<(), CacheError>;
}
