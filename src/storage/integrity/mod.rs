//! Tells damaged objects from good ones, and from those that cannot be reached.
//!
//! [`Checked`] compares the bytes of an object with the recorded digest the first time that it is read as a whole, and
//! again when its file number, size, time or entity tag has changed. A reader never gets the last piece of an object
//! that does not match, and gets nothing of a small one. After that, bytes that were found intact pass through
//! untouched, so that the kernel can send them. Ranges are not checked.
//!
//! Every lookup of an object that was found damaged is an error ([`StorageError::Damaged`]) until another copy lies in
//! its place: an upload stores the file anew instead of trusting the recorded digest.

mod digest;
mod record;

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::error::StorageError;
use super::fetched::{Fetched, ObjectBytes};
use super::object::{Address, ObjectInfo, ObjectMeta, ObjectStream};
use super::payload::Payload;
use super::traits::{ObjectSource, Storage};
use digest::Comparison;
use record::{Place, Version};

pub use record::Integrity;

/// Objects up to this size in bytes are checked before their first byte is handed on, so that a client gets a status
/// instead of a connection that ends.
const SMALL: u64 = 64 * 1024;

/// A `dyn Storage` or a `dyn ObjectSource` whose objects are checked.
#[derive(Debug)]
pub struct Checked<S: ?Sized> {
    inner: Arc<S>,
    integrity: Arc<Integrity>,
}

impl<S: ObjectSource + ?Sized> Checked<S> {
    /// Wraps a storage or a source.
    #[must_use]
    pub fn new(inner: Arc<S>, integrity: Arc<Integrity>) -> Self {
        Self { inner, integrity }
    }

    fn place<'a>(&'a self, path: &'a str) -> Place<'a> {
        let location = self.inner.location();
        Place { location, path }
    }

    /// Replaces an answer about an object that was found damaged, and notes the damage that the storage itself found.
    fn judge<T>(
        &self,
        path: &str,
        answer: Result<Option<T>, StorageError>,
        info: impl FnOnce(&T) -> &ObjectInfo,
    ) -> Result<Option<T>, StorageError> {
        let (place, integrity) = (self.place(path), &self.integrity);
        match &answer {
            Err(StorageError::Damaged { reason, .. }) => {
                integrity.found_damaged(place, None, reason);
            }
            Ok(None) => integrity.mended(place),
            Ok(Some(found)) if integrity.damaged_objects() > 0 => {
                let version = integrity.version(place, info(found));
                if let Some(reason) = integrity.damage_of(place, version) {
                    return Err(damaged(self.inner.name(), path, reason));
                }
            }
            Ok(Some(_)) | Err(_) => {}
        }
        answer
    }

    /// Checks the bytes of a whole object while they are read, unless they were checked before.
    async fn check_bytes(&self, path: &str, fetched: Fetched) -> Result<Fetched, StorageError> {
        let version = self.integrity.version(self.place(path), &fetched.info);
        let is_whole = fetched.range == (0..fetched.info.stored_size);
        if !is_whole || self.integrity.is_intact(version) {
            return Ok(fetched);
        }
        let Some(comparison) = Comparison::new(&fetched.info.meta) else {
            return Ok(fetched);
        };
        let length = fetched.info.stored_size;
        let checking = Checking {
            stream: fetched.bytes.into_stream(),
            left: length,
            comparison: Some(comparison),
            version,
            storage: self.inner.name().to_owned(),
            location: self.inner.location().to_owned(),
            path: path.to_owned(),
            integrity: Arc::clone(&self.integrity),
        };
        let mut stream = checking.into_stream();
        if length <= SMALL {
            let pieces: Vec<_> = stream.try_collect().await?;
            stream = stream::iter(pieces.into_iter().map(Ok)).boxed();
        }
        Ok(Fetched {
            bytes: ObjectBytes::Stream(stream),
            ..fetched
        })
    }
}

/// An object whose bytes are being compared with its digest.
struct Checking {
    stream: ObjectStream,
    /// How many bytes are still to come.
    left: u64,
    /// `None` once it is over.
    comparison: Option<Comparison>,
    version: Version,
    storage: String,
    location: String,
    path: String,
    integrity: Arc<Integrity>,
}

impl Checking {
    fn into_stream(self) -> ObjectStream {
        let pieces = stream::try_unfold(self, async |mut checking| {
            let piece = checking.stream.try_next().await?;
            if let (Some(piece), Some(comparison)) = (&piece, &mut checking.comparison) {
                let added = comparison.add(piece).await;
                checking.left = checking.left.saturating_sub(piece.len() as u64);
                added.map_err(|error| checking.damaged(&error.to_string()))?;
            }
            if checking.left == 0
                && let Some(comparison) = checking.comparison.take()
            {
                let finished = comparison.finish();
                finished.map_err(|error| checking.damaged(&error.to_string()))?;
                checking.integrity.found_intact(checking.version);
            }
            Ok(piece.map(|piece| (piece, checking)))
        });
        pieces.boxed()
    }

    fn damaged(&self, reason: &str) -> StorageError {
        let place = Place {
            location: &self.location,
            path: &self.path,
        };
        let version = Some(self.version);
        self.integrity.found_damaged(place, version, reason);
        damaged(&self.storage, &self.path, reason.to_owned())
    }
}

fn damaged(storage: &str, path: &str, reason: String) -> StorageError {
    StorageError::Damaged {
        storage: storage.to_owned(),
        path: path.to_owned(),
        reason,
    }
}

#[async_trait]
impl<S: ObjectSource + ?Sized> ObjectSource for Checked<S> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn location(&self) -> &str {
        self.inner.location()
    }

    async fn head(&self, path: &str) -> Result<Option<ObjectInfo>, StorageError> {
        let answer = self.inner.head(path).await;
        self.judge(path, answer, |info| info)
    }

    async fn fetch(
        &self,
        path: &str,
        range: Option<Range<u64>>,
    ) -> Result<Option<Fetched>, StorageError> {
        let is_whole = range.is_none();
        let answer = self.inner.fetch(path, range).await;
        match self.judge(path, answer, |fetched| &fetched.info)? {
            Some(fetched) if is_whole => self.check_bytes(path, fetched).await.map(Some),
            fetched => Ok(fetched),
        }
    }

    /// Passed on without a second box, as in [`super::Metered`].
    fn address<'this, 'path, 'future>(
        &'this self,
        path: &'path str,
    ) -> BoxFuture<'future, Result<Option<Address>, StorageError>>
    where
        'this: 'future,
        'path: 'future,
        Self: 'future,
    {
        self.inner.address(path)
    }

    async fn check(&self) -> Result<(), StorageError> {
        self.inner.check().await
    }

    fn is_known_damaged(&self, path: &str) -> bool {
        self.integrity.is_damaged(self.place(path))
    }
}

#[async_trait]
impl<S: Storage + ?Sized> Storage for Checked<S> {
    async fn put(
        &self,
        path: &str,
        payload: Payload,
        meta: ObjectMeta,
    ) -> Result<(), StorageError> {
        self.inner.put(path, payload, meta).await?;
        self.integrity.mended(self.place(path));
        Ok(())
    }

    async fn make_durable(&self, path: &str) -> Result<(), StorageError> {
        self.inner.make_durable(path).await
    }

    async fn delete(&self, path: &str) -> Result<(), StorageError> {
        self.inner.delete(path).await?;
        self.integrity.mended(self.place(path));
        Ok(())
    }
}
