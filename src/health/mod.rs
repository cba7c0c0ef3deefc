//! Checks whether the dependencies of this server answer.
//!
//! Each check has a name and a deadline. The results are kept for two seconds, so that a burst of health checks does
//! not become a burst of requests to the dependencies.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::cache::SharedCache;
use crate::clock::SharedClock;
use crate::db::DatabaseCheck;
use crate::storage::{Integrity, Storage};

/// How long results are kept.
const KEEP: Duration = Duration::from_secs(2);

/// How long a dependency may take to answer.
const DEADLINE: Duration = Duration::from_secs(5);

/// The result of the check of a dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The dependency.
    pub name: &'static str,
    /// Whether requests fail without it. Without the others requests are only slower.
    pub is_needed: bool,
    /// What is wrong with it, if anything.
    pub problem: Option<String>,
}

/// Checks the dependencies.
#[derive(Debug)]
pub struct Health {
    storage: Arc<dyn Storage>,
    database: Arc<dyn DatabaseCheck>,
    cache: Option<Arc<dyn SharedCache>>,
    integrity: Arc<Integrity>,
    clock: SharedClock,
    last: Mutex<Option<(Duration, Vec<Check>)>>,
}

impl Health {
    /// Makes the service.
    #[must_use]
    pub fn new(
        storage: Arc<dyn Storage>,
        database: Arc<dyn DatabaseCheck>,
        cache: Option<Arc<dyn SharedCache>>,
        integrity: Arc<Integrity>,
        clock: SharedClock,
    ) -> Self {
        Self {
            storage,
            database,
            cache,
            integrity,
            clock,
            last: Mutex::new(None),
        }
    }

    /// The results of all checks, at most two seconds old.
    pub async fn checks(&self) -> Vec<Check> {
        // Callers that arrive during the checks wait for their results.
        let mut last = self.last.lock().await;
        if let Some((asked_at, checks)) = last.as_ref()
            && self.clock.elapsed().saturating_sub(*asked_at) < KEEP
        {
            return checks.clone();
        }
        let (storage, database, cache) = tokio::join!(
            ask("storage", true, self.storage.check()),
            ask("database", true, self.database.check()),
            self.ask_cache(),
        );
        let checks: Vec<_> = [storage, database].into_iter().chain(cache).collect();
        *last = Some((self.clock.elapsed(), checks.clone()));
        checks
    }

    /// How many objects are known to be damaged and wait for an upload that replaces them.
    #[must_use]
    pub fn damaged_objects(&self) -> u64 {
        self.integrity.damaged_objects()
    }

    async fn ask_cache(&self) -> Option<Check> {
        let cache = self.cache.as_ref()?;
        Some(ask("cache", false, cache.check()).await)
    }
}

async fn ask<E: std::fmt::Display>(
    name: &'static str,
    is_needed: bool,
    check: impl Future<Output = Result<(), E>>,
) -> Check {
    let problem = match tokio::time::timeout(DEADLINE, check).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!(
            "did not answer within {} seconds",
            DEADLINE.as_secs()
        )),
    };
    Check {
        name,
        is_needed,
        problem,
    }
}
