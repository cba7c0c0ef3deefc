//! Storing an object: in one request, or in parts when it is large.

use std::io::{self, Read};
use std::ops::Range;

use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use aws_smithy_types::base64;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::runtime::Handle;

use super::bucket::Bucket;
use super::{body, client, error, object};
use crate::blocking;
use crate::storage::error::StorageError;
use crate::storage::object::ObjectMeta;
use crate::storage::payload::Payload;

/// How many parts of one object are sent at once.
const PARTS_AT_ONCE: usize = 4;

/// No object has more parts (Amazon).
const MOST_PARTS: u64 = 10_000;

/// How much is read at a time for a checksum, in bytes.
const PIECE: usize = 256 * 1024;

/// The coding of gzipped objects.
const GZIP: &str = "gzip";

impl Bucket {
    /// Stores an object with one request.
    pub(super) async fn put_whole(
        &self,
        path: &str,
        payload: &Payload,
        meta: &ObjectMeta,
    ) -> Result<(), StorageError> {
        let request = self
            .client
            .put_object()
            .bucket(&*self.name)
            .key(path)
            .content_length(content_length(payload))
            .set_content_encoding(meta.is_gzipped.then(|| GZIP.to_owned()))
            .set_content_type(meta.content_type.clone())
            .set_metadata(Some(object::metadata(meta)))
            .set_checksum_crc32(self.checksum(payload).await?)
            .body(body::of_payload(payload));
        let deadlines = client::deadlines_of_put(&self.requests, payload.len());
        let stored = request.customize().config_override(deadlines).send().await;
        stored
            .map(drop)
            .map_err(|failure| error::unavailable(&self.name, "put", &failure))
    }

    /// Stores an object with one request a part. The object appears when all parts are complete.
    pub(super) async fn put_in_parts(
        &self,
        path: &str,
        payload: &Payload,
        meta: &ObjectMeta,
    ) -> Result<(), StorageError> {
        let mut upload = self.begin_upload(path, meta).await?;
        let ranges = part_ranges(payload.len(), self.requests.part_size.as_u64());
        let parts = (1..).zip(ranges).map(|(number, range)| {
            let (upload, payload) = (&upload, payload.slice(range));
            async move { upload.put_part(number, &payload).await }
        });
        // In order, since the list of parts has to be.
        let parts: Vec<CompletedPart> = stream::iter(parts)
            .buffered(PARTS_AT_ONCE)
            .try_collect()
            .await?;
        upload.complete(parts, payload.len()).await
    }

    async fn begin_upload(
        &self,
        path: &str,
        meta: &ObjectMeta,
    ) -> Result<MultipartUpload, StorageError> {
        let checksum = self.requests.checksum.then_some(ChecksumAlgorithm::Crc32);
        let request = self
            .client
            .create_multipart_upload()
            .bucket(&*self.name)
            .key(path)
            .set_content_encoding(meta.is_gzipped.then(|| GZIP.to_owned()))
            .set_content_type(meta.content_type.clone())
            .set_metadata(Some(object::metadata(meta)))
            .set_checksum_algorithm(checksum);
        let deadlines = client::deadlines_of_put(&self.requests, 0);
        let begun = request.customize().config_override(deadlines).send().await;
        let begun =
            begun.map_err(|failure| error::unavailable(&self.name, "begin parts", &failure))?;
        let id = begun
            .upload_id
            .ok_or_else(|| error::failed(&self.name, "begin parts: no upload id"))?;
        Ok(MultipartUpload {
            bucket: self.clone(),
            path: path.to_owned(),
            id,
            is_finished: false,
            runtime: Handle::current(),
        })
    }

    /// The CRC-32 as the store wants it, if it is to be sent.
    async fn checksum(&self, payload: &Payload) -> Result<Option<String>, StorageError> {
        if !self.requests.checksum {
            return Ok(None);
        }
        let payload = payload.clone();
        let checksum = blocking::run(move || crc32(&payload)).await;
        let checksum = checksum.map_err(|error| StorageError::from_io(&self.name, &error))?;
        Ok(Some(base64::encode(checksum.to_be_bytes())))
    }
}

/// An object that is being stored in parts. Unless it is completed, its parts are discarded when it is dropped,
/// because of a failure or because the caller gave up.
struct MultipartUpload {
    bucket: Bucket,
    path: String,
    id: String,
    is_finished: bool,
    runtime: Handle,
}

impl MultipartUpload {
    async fn put_part(
        &self,
        number: i32,
        payload: &Payload,
    ) -> Result<CompletedPart, StorageError> {
        let bucket = &self.bucket;
        let checksum = bucket.checksum(payload).await?;
        let request = bucket
            .client
            .upload_part()
            .bucket(&*bucket.name)
            .key(&self.path)
            .upload_id(&self.id)
            .part_number(number)
            .content_length(content_length(payload))
            .set_checksum_crc32(checksum.clone())
            .body(body::of_payload(payload));
        let deadlines = client::deadlines_of_put(&bucket.requests, payload.len());
        let stored = request.customize().config_override(deadlines).send().await;
        let stored =
            stored.map_err(|failure| error::unavailable(&bucket.name, "put a part", &failure))?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(stored.e_tag)
            .set_checksum_crc32(checksum)
            .build())
    }

    async fn complete(
        &mut self,
        parts: Vec<CompletedPart>,
        length: u64,
    ) -> Result<(), StorageError> {
        let bucket = &self.bucket;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts));
        let request = bucket
            .client
            .complete_multipart_upload()
            .bucket(&*bucket.name)
            .key(&self.path)
            .upload_id(&self.id)
            .multipart_upload(parts.build());
        // The store may put the parts together only now.
        let deadlines = client::deadlines_of_put(&bucket.requests, length);
        let completed = request.customize().config_override(deadlines).send().await;
        let completed = completed
            .map_err(|failure| error::unavailable(&bucket.name, "complete parts", &failure))?;
        // The status is sent before the work is done, so only the body says that it was.
        if completed.e_tag.is_none() {
            let reason = "complete parts: the answer does not say that the object is stored";
            return Err(error::failed(&bucket.name, reason));
        }
        self.is_finished = true;
        Ok(())
    }
}

impl Drop for MultipartUpload {
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        let (path, id) = (self.path.clone(), self.id.clone());
        self.runtime.spawn(abort(self.bucket.clone(), path, id));
    }
}

/// Discards the parts of an object. A lifecycle rule of the bucket should do so too, for processes that died.
async fn abort(bucket: Bucket, path: String, id: String) {
    let request = bucket
        .client
        .abort_multipart_upload()
        .bucket(&*bucket.name)
        .key(&path)
        .upload_id(id);
    let deadlines = client::deadlines_of_put(&bucket.requests, 0);
    if let Err(failure) = request.customize().config_override(deadlines).send().await {
        let error = error::unavailable(&bucket.name, "abort parts", &failure);
        tracing::warn!(
            event = "parts_left",
            path,
            %error,
            "could not remove the parts of an object that was not stored"
        );
    }
}

/// The ranges of the parts of so many bytes, larger ones than wanted if they would be too many.
fn part_ranges(length: u64, wanted_size: u64) -> impl Iterator<Item = Range<u64>> {
    let size = wanted_size.max(length.div_ceil(MOST_PARTS)).max(1);
    (0..length.div_ceil(size)).map(move |number| {
        let start = number * size;
        start..length.min(start + size)
    })
}

fn content_length(payload: &Payload) -> i64 {
    i64::try_from(payload.len()).unwrap_or(i64::MAX)
}

fn crc32(payload: &Payload) -> io::Result<u32> {
    let (mut reader, mut piece) = (payload.reader(), vec![0; PIECE]);
    let mut checksum = crc32fast::Hasher::new();
    loop {
        let count = reader.read(&mut piece)?;
        if count == 0 {
            return Ok(checksum.finalize());
        }
        checksum.update(&piece[..count]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_cover_the_object_in_order_and_are_not_too_many(
            length in 1_u64..=8 << 30,
            size in 1_u64..=64 << 20,
        ) {
            let mut end = 0;
            let mut count = 0;
            for range in part_ranges(length, size) {
                prop_assert_eq!(range.start, end);
                prop_assert!(!range.is_empty());
                end = range.end;
                count += 1;
            }
            prop_assert_eq!(end, length);
            prop_assert!(count <= MOST_PARTS);
        }
    }
}
