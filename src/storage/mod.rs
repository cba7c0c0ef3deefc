//! Where the files of symbols lie: objects with metadata, by path.
//!
//! A storage knows paths and bytes and nothing of the product. The seam has two sides: an [`ObjectSource`] is read, and
//! a [`Storage`] is an object source that is also written to. Each kind has a folder of its own; [`open`] and
//! [`open_source`] pick by configuration. `contract` holds the suite that every source passes, and on top of it the one
//! for storages. An object is visible whole or not at all, and a `put` that has returned is durable.

mod config;
mod disk;
mod error;
mod fetched;
mod file_part;
mod metered;
mod payload;
mod s3;

#[cfg(test)]
mod contract;

use std::fmt::Debug;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub use config::{SourceConfig, StorageConfig, StorageKind};
pub use disk::{DiskConfig, DiskSource, DiskStorage};
pub use error::StorageError;
pub use fetched::{Fetched, ObjectBytes, ObjectStream};
pub use file_part::FilePart;
pub use metered::Metered;
pub use payload::{Part, Payload};
pub use s3::{Access, RequestConfig, S3Config, S3Storage};

/// What is known of an object beside its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectMeta {
    /// Whether the bytes are gzipped (`Content-Encoding: gzip`).
    pub is_gzipped: bool,
    /// `Content-Type`, where it is not the storage's default for unknown bytes.
    pub content_type: Option<String>,
    /// Size before compression in bytes; Tecken's `original_size`.
    pub original_size: Option<u64>,
    /// MD5 before compression in lower-case hexadecimal; Tecken's `original_md5_hash`.
    pub original_md5: Option<String>,
    /// SHA-256 before compression in lower-case hexadecimal.
    pub original_sha256: Option<String>,
}

/// An object as the storage holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectInfo {
    /// What it was stored with.
    pub meta: ObjectMeta,
    /// Size as stored, in bytes.
    pub stored_size: u64,
    /// When it was stored.
    #[serde(with = "time::serde::timestamp::microseconds")]
    pub modified_at: OffsetDateTime,
    /// What the storage itself calls exactly these bytes: S3's entity tag, without its quotes. Only visible ASCII.
    #[serde(default)]
    pub version: Option<String>,
}

/// Where clients can fetch an object themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The URL, percent-encoded.
    pub url: String,
    /// How long it is good for; `None` means for as long as the object is there.
    pub good_for: Option<Duration>,
}

/// A place whose objects can be read.
#[async_trait]
pub trait ObjectSource: Debug + Send + Sync {
    /// The name shown to people: a bucket's name, or `disk`.
    fn name(&self) -> &str;

    /// Identifies the place among all others, the same on every node: a bucket's address, or a directory.
    fn location(&self) -> &str;

    /// Returns the metadata of the object at a path.
    async fn head(&self, path: &str) -> Result<Option<ObjectInfo>, StorageError>;

    /// Opens the object at a path for reading: all of it, or the part of a range that the object has. No other bytes
    /// are read.
    async fn fetch(
        &self,
        path: &str,
        range: Option<Range<u64>>,
    ) -> Result<Option<Fetched>, StorageError>;

    /// The address to send clients to for the object at a path, without checking that it exists. `None` when this
    /// server has to send the bytes.
    async fn address(&self, path: &str) -> Result<Option<Address>, StorageError>;

    /// Checks that the place can be reached.
    async fn check(&self) -> Result<(), StorageError>;
}

/// A place whose objects can be read and written.
#[async_trait]
pub trait Storage: ObjectSource {
    /// Stores an object, replacing the one at this path. When it returns, the object is durable.
    async fn put(&self, path: &str, payload: Payload, meta: ObjectMeta)
    -> Result<(), StorageError>;

    /// Removes the object at a path, if there is one. When it returns, no call finds it; readers that have it open
    /// keep it.
    async fn delete(&self, path: &str) -> Result<(), StorageError>;
}

/// Opens the storage of the configuration. Relative directories lie under `data_dir`.
///
/// # Errors
/// The storage cannot be reached or written to; the message names the setting to look at.
pub async fn open(kind: &StorageKind, data_dir: &Path) -> Result<Arc<dyn Storage>, StorageError> {
    Ok(match kind {
        StorageKind::Disk(disk) => Arc::new(DiskStorage::open(&data_dir.join(&disk.directory))?),
        StorageKind::S3(s3) => Arc::new(S3Storage::open(s3).await?),
    })
}

/// Opens a further place of the configuration, for reading only.
///
/// # Errors
/// The place does not exist or cannot be reached; the message names the setting to look at.
pub async fn open_source(
    kind: &StorageKind,
    data_dir: &Path,
) -> Result<Arc<dyn ObjectSource>, StorageError> {
    Ok(match kind {
        StorageKind::Disk(disk) => Arc::new(DiskSource::open(&data_dir.join(&disk.directory))?),
        StorageKind::S3(s3) => Arc::new(S3Storage::open(s3).await?),
    })
}
