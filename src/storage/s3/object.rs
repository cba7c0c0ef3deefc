//! Translates between a store's headers and [`ObjectInfo`].
//!
//! Our metadata are Tecken's, `original_size` and `original_md5_hash`, and the SHA-256 beside them. Objects that
//! Tecken stored have the first two if they are gzipped, and objects that others stored have none.

use std::collections::HashMap;
use std::ops::Range;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::DateTime;
use futures_util::{StreamExt, stream};
use symbols::{Md5, Sha256};
use time::OffsetDateTime;

use super::error;
use crate::storage::error::StorageError;
use crate::storage::fetched::{Fetched, ObjectBytes};
use crate::storage::object::{ObjectInfo, ObjectMeta};

/// Size before compression in bytes; Tecken's name.
const ORIGINAL_SIZE: &str = "original_size";

/// MD5 before compression in hexadecimal; Tecken's name.
const ORIGINAL_MD5: &str = "original_md5_hash";

/// SHA-256 before compression in hexadecimal.
const ORIGINAL_SHA256: &str = "original_sha256_hash";

/// The content types that stores give to objects stored without one.
const UNKNOWN_TYPES: [&str; 2] = ["application/octet-stream", "binary/octet-stream"];

/// The headers of an answer that describe an object.
pub(super) struct Headers<'answer> {
    length: Option<i64>,
    content_type: Option<&'answer str>,
    content_encoding: Option<&'answer str>,
    modified: Option<&'answer DateTime>,
    entity_tag: Option<&'answer str>,
    metadata: Option<&'answer HashMap<String, String>>,
}

impl<'answer> From<&'answer HeadObjectOutput> for Headers<'answer> {
    fn from(answer: &'answer HeadObjectOutput) -> Self {
        Self {
            length: answer.content_length(),
            content_type: answer.content_type(),
            content_encoding: answer.content_encoding(),
            modified: answer.last_modified(),
            entity_tag: answer.e_tag(),
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
            entity_tag: answer.e_tag(),
            metadata: answer.metadata(),
        }
    }
}

/// Reads the description of an object from an answer's headers. Invalid metadata count as absent.
pub(super) fn info(bucket: &str, headers: &Headers<'_>) -> Result<ObjectInfo, StorageError> {
    let stored_size = headers
        .length
        .and_then(|length| u64::try_from(length).ok())
        .ok_or_else(|| error::failed(bucket, "an answer does not state the object's length"))?;
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
        original_md5: metadata(ORIGINAL_MD5).and_then(Md5::parse),
        original_sha256: metadata(ORIGINAL_SHA256).and_then(Sha256::parse),
    };
    Ok(ObjectInfo {
        meta,
        stored_size,
        modified_at: modified_at.unwrap_or(OffsetDateTime::UNIX_EPOCH),
        version: headers.entity_tag.and_then(version),
        inode: None,
    })
}

/// Reads from an answer to GET the description of the whole object, and which of its bytes the answer holds.
pub(super) fn part(
    bucket: &str,
    answer: &GetObjectOutput,
) -> Result<(ObjectInfo, Range<u64>), StorageError> {
    let mut info = info(bucket, &answer.into())?;
    let Some(content_range) = answer.content_range() else {
        let all = 0..info.stored_size;
        return Ok((info, all));
    };
    let (range, size) = read_content_range(content_range)
        .filter(|(range, _)| range.end - range.start == info.stored_size)
        .ok_or_else(|| {
            let reason = format!("fetch: the range of an answer is invalid: {content_range}");
            error::failed(bucket, &reason)
        })?;
    info.stored_size = size;
    Ok((info, range))
}

/// An object that has none of the requested bytes.
pub(super) fn nothing_of(info: ObjectInfo) -> Fetched {
    Fetched {
        range: info.stored_size..info.stored_size,
        info,
        bytes: ObjectBytes::Stream(stream::empty().boxed()),
    }
}

/// The header that asks for a range; there is none for a range without a byte.
pub(super) fn range_header(range: &Range<u64>) -> Option<String> {
    let last = range
        .end
        .checked_sub(1)
        .filter(|last| *last >= range.start)?;
    Some(format!("bytes={}-{last}", range.start))
}

/// Reads `bytes FIRST-LAST/SIZE` (RFC 9110, 14.4).
fn read_content_range(text: &str) -> Option<(Range<u64>, u64)> {
    let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, size) = (
        first.parse().ok()?,
        last.parse::<u64>().ok()?,
        size.parse().ok()?,
    );
    (first <= last && last < size).then(|| (first..last + 1, size))
}

/// A strong entity tag without its quotes, if it is one that can be passed on.
fn version(entity_tag: &str) -> Option<String> {
    let tag = entity_tag.strip_prefix('"')?.strip_suffix('"')?;
    let is_plain = tag
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'"');
    (is_plain && !tag.is_empty()).then(|| tag.to_owned())
}

/// The metadata to store an object with.
pub(super) fn metadata(meta: &ObjectMeta) -> HashMap<String, String> {
    let values = [
        (
            ORIGINAL_SIZE,
            meta.original_size.map(|size| size.to_string()),
        ),
        (ORIGINAL_MD5, meta.original_md5.map(|md5| md5.to_string())),
        (
            ORIGINAL_SHA256,
            meta.original_sha256.map(|sha256| sha256.to_string()),
        ),
    ];
    let known = values
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    known.collect()
}

/// Returns whether gzip is among the codings. Some stores also keep `aws-chunked`, which is not the object's own.
fn has_gzip(content_encoding: &str) -> bool {
    content_encoding
        .split(',')
        .any(|coding| coding.trim().eq_ignore_ascii_case("gzip"))
}
