//! Counts and times the calls of a storage or of a source, and spares one that hangs.
//!
//! After two lookups in a row that were not answered in time, lookups fail at once, except for one in each half second.
//! Only timeouts count: a quick error makes no request wait, and a store that answered another call meanwhile does not
//! hang. Calls that store are always made, because every upload begins with lookups.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;

use super::error::StorageError;
use super::fetched::Fetched;
use super::object::{Address, ObjectInfo, ObjectMeta};
use super::payload::Payload;
use super::traits::{ObjectSource, Storage};
use crate::breaker::{Breaker, BreakerSettings};
use crate::clock::{SharedClock, Stopwatch};
use crate::metrics::{Gauge, Metrics, OperationLabel, StorageLabels};

/// With it, lookups go on within a second of the store's return.
const BREAKER: BreakerSettings = BreakerSettings {
    failures: 2,
    pause: Duration::from_millis(500),
};

/// A `dyn Storage` or a `dyn ObjectSource` whose calls are counted.
#[derive(Debug)]
pub struct Metered<S: ?Sized> {
    inner: Arc<S>,
    metrics: Metrics,
    clock: SharedClock,
    breaker: Breaker,
    /// How many calls the storage has answered.
    answered: AtomicU64,
}

impl<S: ?Sized> Metered<S> {
    /// Wraps a storage or a source.
    #[must_use]
    pub fn new(inner: Arc<S>, metrics: Metrics, clock: SharedClock) -> Self {
        // A gauge of each storage's own: several that share one would overwrite each other's state.
        let breaker = Breaker::new(BREAKER, Gauge::default());
        Self {
            inner,
            metrics,
            clock,
            breaker,
            answered: AtomicU64::new(0),
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
        self.count(operation, outcome);
        result
    }

    fn count(&self, operation: &'static str, outcome: &'static str) {
        let calls = &self.metrics.storage_calls;
        calls
            .get_or_create(&StorageLabels { operation, outcome })
            .inc();
    }
}

impl<S: ObjectSource + ?Sized> Metered<S> {
    /// Makes a lookup, unless the storage hangs.
    async fn look_up<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, StorageError>>,
        is_absent: fn(&T) -> bool,
    ) -> Result<T, StorageError> {
        if !self.breaker.admits(self.clock.elapsed()) {
            self.count(operation, "spared");
            return Err(StorageError::TimedOut {
                storage: self.inner.name().to_owned(),
                reason: "it left the last lookups unanswered and is spared for a moment".to_owned(),
            });
        }
        self.watch(operation, call, is_absent).await
    }

    /// Makes a call, and notes whether the storage answers.
    async fn watch<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, StorageError>>,
        is_absent: fn(&T) -> bool,
    ) -> Result<T, StorageError> {
        let answered_before = self.answered.load(Ordering::Relaxed);
        let result = self.measure(operation, call, is_absent).await;
        if !matches!(result, Err(StorageError::TimedOut { .. })) {
            self.answered.fetch_add(1, Ordering::Relaxed);
            self.breaker.succeeded();
        } else if self.answered.load(Ordering::Relaxed) == answered_before {
            self.breaker.failed(self.clock.elapsed());
        }
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
        self.look_up("head", self.inner.head(path), Option::is_none)
            .await
    }

    async fn fetch(
        &self,
        path: &str,
        range: Option<Range<u64>>,
    ) -> Result<Option<Fetched>, StorageError> {
        self.look_up("fetch", self.inner.fetch(path, range), Option::is_none)
            .await
    }

    /// Not counted: addresses are made locally. Every redirect needs one, so it is passed on without a second box.
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
        self.watch("check", self.inner.check(), |()| false).await
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

    /// Not counted: it is a part of the lookup before it, and asks no store.
    async fn make_durable(&self, path: &str) -> Result<(), StorageError> {
        self.inner.make_durable(path).await
    }

    async fn delete(&self, path: &str) -> Result<(), StorageError> {
        self.measure("delete", self.inner.delete(path), |()| false)
            .await
    }
}
