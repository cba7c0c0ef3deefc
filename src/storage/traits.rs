//! The two sides of the seam: places that are read, and places that are also written to.

use std::fmt::Debug;
use std::ops::Range;

use async_trait::async_trait;

use super::error::StorageError;
use super::fetched::Fetched;
use super::object::{Address, ObjectInfo, ObjectMeta};
use super::payload::Payload;

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

    /// Returns whether the object at a path was found damaged and has not been replaced since, as far as this process
    /// knows. Only a source that checks its objects knows.
    fn is_known_damaged(&self, _path: &str) -> bool {
        false
    }
}

/// A place whose objects can be read and written.
#[async_trait]
pub trait Storage: ObjectSource {
    /// Stores an object, replacing the one at this path. When it returns, the object is durable.
    async fn put(&self, path: &str, payload: Payload, meta: ObjectMeta)
    -> Result<(), StorageError>;

    /// Makes an object durable that a lookup has found, as if it had been put now. Another writer may have made it
    /// visible and be about to make it durable, or have been killed in between. Once an object is known to be durable
    /// this costs nothing.
    async fn make_durable(&self, path: &str) -> Result<(), StorageError>;

    /// Removes the object at a path, if there is one. When it returns, no call finds it; readers that have it open
    /// keep it.
    async fn delete(&self, path: &str) -> Result<(), StorageError>;
}
