//! Listing a bucket's objects, and moving damaged ones out of the way.

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::DateTime;
use futures_util::{StreamExt, stream};
use time::OffsetDateTime;

use super::address::escaped;
use super::bucket::Bucket;
use super::{client, error};
use crate::storage::error::StorageError;
use crate::storage::inventory::{Listed, Listing, SetAside, aside};

/// Where a listing goes on.
enum Next {
    Start,
    At(String),
    End,
}

impl Bucket {
    /// Lists what lies below a folder, a page of the store's size at a time.
    pub(super) fn list(&self, folder: &str) -> Listing {
        let begin = (self.clone(), format!("{folder}/"), Next::Start);
        let pages = stream::try_unfold(begin, async |(bucket, prefix, next)| {
            let token = match next {
                Next::Start => None,
                Next::At(token) => Some(token),
                Next::End => return Ok(None),
            };
            let page = bucket.page(&prefix, token).await?;
            let listed = page
                .contents()
                .iter()
                .filter_map(listed)
                .collect::<Vec<_>>();
            let next = match page.next_continuation_token {
                Some(token) if page.is_truncated == Some(true) => Next::At(token),
                _ => Next::End,
            };
            Ok(Some((listed, (bucket, prefix, next))))
        });
        let entries = pages.flat_map(|page| match page {
            Ok(listed) => stream::iter(listed).map(Ok).left_stream(),
            Err(error) => stream::iter([Err(error)]).right_stream(),
        });
        entries.boxed()
    }

    async fn page(
        &self,
        prefix: &str,
        token: Option<String>,
    ) -> Result<ListObjectsV2Output, StorageError> {
        let request = self.client.list_objects_v2().bucket(&*self.name);
        let request = request.prefix(prefix).set_continuation_token(token);
        let deadlines = client::deadlines_of_put(&self.requests, 0);
        let page = request.customize().config_override(deadlines).send().await;
        page.map_err(|failure| error::unavailable(&self.name, "list", &failure))
    }

    /// Copies an object and removes the original. Between the last look and the removal lies one request: no condition
    /// for removals is understood by every store.
    pub(super) async fn set_aside(&self, listed: &Listed) -> Result<SetAside, StorageError> {
        let to = aside(&listed.path);
        if self.copy_at(&listed.path).await?.as_ref() != Some(&listed.copy) {
            return Ok(SetAside::Replaced);
        }
        let request = self
            .client
            .copy_object()
            .bucket(&*self.name)
            .key(&to)
            .copy_source(format!("{}/{}", self.name, escaped(&listed.path)));
        let deadlines = client::deadlines_of_put(&self.requests, listed.size);
        let copied = request.customize().config_override(deadlines).send().await;
        let copied = copied.map_err(|failure| error::unavailable(&self.name, "copy", &failure))?;
        // The status is sent before the work is done, so only the body says that it was.
        if copied
            .copy_object_result
            .and_then(|copy| copy.e_tag)
            .is_none()
        {
            let reason = "copy: the answer does not say that the object is stored";
            return Err(error::failed(&self.name, reason));
        }
        if self.copy_at(&listed.path).await?.as_ref() != Some(&listed.copy) {
            return Ok(SetAside::Replaced);
        }
        self.delete(&listed.path).await?;
        Ok(SetAside::At(to))
    }

    /// Which copy lies at a path.
    async fn copy_at(&self, path: &str) -> Result<Option<String>, StorageError> {
        let request = self.client.head_object().bucket(&*self.name).key(path);
        match request.send().await {
            Ok(head) => Ok(Some(copy(
                head.e_tag(),
                head.content_length(),
                head.last_modified(),
            ))),
            Err(failure) if error::is_absent(&failure) => Ok(None),
            Err(failure) => Err(error::unavailable(&self.name, "head", &failure)),
        }
    }
}

/// An entry of a page; one without a key would be no object.
fn listed(object: &aws_sdk_s3::types::Object) -> Option<Listed> {
    let modified = object.last_modified();
    let modified_at = modified.and_then(|at| OffsetDateTime::from_unix_timestamp(at.secs()).ok());
    Some(Listed {
        path: object.key()?.to_owned(),
        size: object
            .size()
            .and_then(|size| u64::try_from(size).ok())
            .unwrap_or(0),
        modified_at: modified_at.unwrap_or(OffsetDateTime::UNIX_EPOCH),
        copy: copy(object.e_tag(), object.size(), modified),
    })
}

/// Names a copy. The entity tag is often a digest of the bytes that were stored, so that a damaged copy and its
/// replacement have the same; and answers to HEAD have whole seconds only.
fn copy(entity_tag: Option<&str>, size: Option<i64>, modified: Option<&DateTime>) -> String {
    let entity_tag = entity_tag.unwrap_or_default().trim_matches('"');
    let seconds = modified.map_or(0, DateTime::secs);
    format!("{entity_tag}-{}-{seconds}", size.unwrap_or(0))
}
