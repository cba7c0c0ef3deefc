//! Counts and times the calls of a storage or of a source.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;

use super::error::StorageError;
use super::fetched::Fetched;
use super::object::{Address, ObjectInfo, ObjectMeta};
use super::payload::Payload;
use super::traits::{ObjectSource, Storage};
use crate::clock::{SharedClock, Stopwatch};
use crate::metrics::{Metrics, OperationLabel, StorageLabels};

/// A `dyn Storage` or a `dyn ObjectSource` whose calls are counted.
#[derive(Debug)]
pub struct Metered<S: ?Sized> {
    inner: Arc<S>,
    metrics: Metrics,
    clock: SharedClock,
}

impl<S: ?Sized> Metered<S> {
    /// Wraps a storage or a source.
    #[must_use]
    pub fn new(inner: Arc<S>, metrics: Metrics, clock: SharedClock) -> Self {
        Self {
            inner,
            metrics,
            clock,
        }
    }

    async fn measure<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, StorageError>>,
        is_absent: fn(&T) -> bool,
    ) -> Result<T, StorageError> {
        let stopwatch = Stopwatch::start(self.clock.as_ref());
        let result = call.await;
        self.metrics
            .storage_call_seconds
            .get_or_create(&OperationLabel { operation })
            .observe(stopwatch.seconds());
        let outcome = match &result {
            Ok(value) if is_absent(value) => "absent",
            Ok(_) => "ok",
            Err(_) => "error",
        };
        self.metrics
            .storage_calls
            .get_or_create(&StorageLabels { operation, outcome })
            .inc();
        result
    }
}

#[async_trait]
impl<S: ObjectSource + ?Sized> ObjectSource for Metered<S> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn location(&self) -> &str {
        self.inner.location()
    }

    async fn head(&self, path: &str) -> Result<Option<ObjectInfo>, StorageError> {
        self.measure("head", self.inner.head(path), Option::is_none)
            .await
    }

    async fn fetch(
        &self,
        path: &str,
        range: Option<Range<u64>>,
    ) -> Result<Option<Fetched>, StorageError> {
        self.measure("fetch", self.inner.fetch(path, range), Option::is_none)
            .await
    }

    /// Not counted: addresses are made locally.
    async fn address(&self, path: &str) -> Result<Option<Address>, StorageError> {
        self.inner.address(path).await
    }

    async fn check(&self) -> Result<(), StorageError> {
        self.measure("check", self.inner.check(), |()| false).await
    }
}

#[async_trait]
impl<S: Storage + ?Sized> Storage for Metered<S> {
    async fn put(
        &self,
        path: &str,
        payload: Payload,
        meta: ObjectMeta,
    ) -> Result<(), StorageError> {
        self.measure("put", self.inner.put(path, payload, meta), |()| false)
            .await
    }

    async fn delete(&self, path: &str) -> Result<(), StorageError> {
        self.measure("delete", self.inner.delete(path), |()| false)
            .await
    }
}
