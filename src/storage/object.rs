//! The types by which a storage describes objects and hands out their bytes.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};
use symbols::{Md5, Sha256};
use time::OffsetDateTime;

use super::error::StorageError;

/// The bytes of an object, a piece at a time. An error in the middle means that the rest cannot be had.
pub type ObjectStream = BoxStream<'static, Result<Bytes, StorageError>>;

/// The metadata of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectMeta {
    /// Whether the bytes are gzipped (`Content-Encoding: gzip`).
    pub is_gzipped: bool,
    /// `Content-Type`, where it is not the storage's default for unknown bytes.
    pub content_type: Option<String>,
    /// Size before compression in bytes; Tecken's `original_size`.
    pub original_size: Option<u64>,
    /// MD5 before compression; Tecken's `original_md5_hash`.
    pub original_md5: Option<Md5>,
    /// SHA-256 before compression.
    pub original_sha256: Option<Sha256>,
}

/// An object as the storage holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectInfo {
    /// The metadata that it was stored with.
    pub meta: ObjectMeta,
    /// Size as stored, in bytes.
    pub stored_size: u64,
    /// When it was stored.
    #[serde(with = "time::serde::timestamp::microseconds")]
    pub modified_at: OffsetDateTime,
    /// The storage's own name for exactly these bytes: S3's entity tag without its quotes, in visible ASCII.
    #[serde(default)]
    pub version: Option<String>,
    /// The number of the file on disk. It tells copies apart on one machine only, so caches do not keep it.
    #[serde(skip)]
    pub inode: Option<u64>,
}

/// A URL from which clients can fetch an object themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The URL, percent-encoded.
    pub url: String,
    /// How long it is valid; `None` means for as long as the object exists.
    pub good_for: Option<Duration>,
}
