//! What a store tells of an object.
//!
//! Our metadata are Tecken's, `original_size` and `original_md5_hash`, and the SHA-256 beside them. Objects that
//! Tecken stored have the first two if they are gzipped, and objects that others stored have none.

use std::collections::HashMap;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::DateTime;
use time::OffsetDateTime;

use super::error;
use crate::storage::{ObjectInfo, ObjectMeta, StorageError};

/// Size before compression in bytes; Tecken's name.
const ORIGINAL_SIZE: &str = "original_size";

/// MD5 before compression in hexadecimal; Tecken's name.
const ORIGINAL_MD5: &str = "original_md5_hash";

/// SHA-256 before compression in hexadecimal.
const ORIGINAL_SHA256: &str = "original_sha256_hash";

/// What stores call the type of bytes that were stored without one.
const UNKNOWN_TYPES: [&str; 2] = ["application/octet-stream", "binary/octet-stream"];

/// The headers of an answer that describe an object.
pub(super) struct Headers<'answer> {
    length: Option<i64>,
    content_type: Option<&'answer str>,
    content_encoding: Option<&'answer str>,
    modified: Option<&'answer DateTime>,
    metadata: Option<&'answer HashMap<String, String>>,
}

impl<'answer> From<&'answer HeadObjectOutput> for Headers<'answer> {
    fn from(answer: &'answer HeadObjectOutput) -> Self {
        Self {
            length: answer.content_length(),
            content_type: answer.content_type(),
            content_encoding: answer.content_encoding(),
            modified: answer.last_modified(),
            metadata: answer.metadata(),
        }
    }
}

impl<'answer> From<&'answer GetObjectOutput> for Headers<'answer> {
    fn from(answer: &'answer GetObjectOutput) -> Self {
        Self {
            length: answer.content_length(),
            content_type: answer.content_type(),
            content_encoding: answer.content_encoding(),
            modified: answer.last_modified(),
            metadata: answer.metadata(),
        }
    }
}

/// What is known of an object. Metadata that make no sense are as good as none.
pub(super) fn info(bucket: &str, headers: &Headers<'_>) -> Result<ObjectInfo, StorageError> {
    let stored_size = headers
        .length
        .and_then(|length| u64::try_from(length).ok())
        .ok_or_else(|| error::nonsense(bucket, "an answer does not tell the object's length"))?;
    let modified_at = headers
        .modified
        .and_then(|at| OffsetDateTime::from_unix_timestamp(at.secs()).ok());
    let metadata = |name: &str| headers.metadata?.get(name).map(String::as_str);
    let meta = ObjectMeta {
        is_gzipped: headers.content_encoding.is_some_and(has_gzip),
        content_type: headers
            .content_type
            .filter(|name| !UNKNOWN_TYPES.contains(name))
            .map(str::to_owned),
        original_size: metadata(ORIGINAL_SIZE).and_then(|size| size.parse().ok()),
        original_md5: metadata(ORIGINAL_MD5).and_then(|digest| hexadecimal(digest, 32)),
        original_sha256: metadata(ORIGINAL_SHA256).and_then(|digest| hexadecimal(digest, 64)),
    };
    Ok(ObjectInfo {
        meta,
        stored_size,
        modified_at: modified_at.unwrap_or(OffsetDateTime::UNIX_EPOCH),
    })
}

/// The metadata to store an object with.
pub(super) fn metadata(meta: &ObjectMeta) -> HashMap<String, String> {
    let values = [
        (
            ORIGINAL_SIZE,
            meta.original_size.map(|size| size.to_string()),
        ),
        (ORIGINAL_MD5, meta.original_md5.clone()),
        (ORIGINAL_SHA256, meta.original_sha256.clone()),
    ];
    let known = values
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    known.collect()
}

/// Tells whether gzip is among the codings. Some stores keep `aws-chunked`, which is none of the object's, beside it.
fn has_gzip(content_encoding: &str) -> bool {
    content_encoding
        .split(',')
        .any(|coding| coding.trim().eq_ignore_ascii_case("gzip"))
}

fn hexadecimal(digest: &str, length: usize) -> Option<String> {
    let is_digest = digest.len() == length && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest.then(|| digest.to_ascii_lowercase())
}
