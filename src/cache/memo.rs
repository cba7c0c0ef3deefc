//! One memoised question: this process's memory, then the shared tier, then the question itself.
//!
//! The answer is `Some` (present) or `None` (absent), and each kind is kept for a time of its own. However many ask at
//! once, the question is asked once; its failure goes to all who wait and is never kept. What the shared tier cannot
//! tell, for whatever reason, it simply does not know.
//!
//! [`Memo::forget`] must win against an answer that was looked up before it and arrives after it. Each key therefore
//! has a generation: an answer carries the generation that it was asked in, `forget` starts the next one, and answers
//! of an earlier generation are not used.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use moka::future::Cache;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{CacheConfig, CacheKey, SharedCache};
use crate::clock::SharedClock;

/// Keys share generations by their hash; two keys that share one only cost each other a lookup.
const GENERATIONS: usize = 4096;

/// An entry's weight beside its key, in bytes: the value and the cache's own bookkeeping, roughly.
const ENTRY_WEIGHT: usize = 400;

/// How often an answer that was overtaken by a `forget` is asked for again before it is given out unkept.
const ATTEMPTS: usize = 3;

/// How a memo is set up.
#[derive(Clone, Debug)]
pub struct MemoSettings {
    /// How much memory its entries may take, in bytes.
    pub capacity: u64,
    /// How long an answer that something is present is kept.
    pub present_for: Duration,
    /// How long an answer that something is absent is kept.
    pub absent_for: Duration,
}

impl From<&CacheConfig> for MemoSettings {
    fn from(config: &CacheConfig) -> Self {
        Self {
            capacity: config.local_size.as_u64(),
            present_for: config.present_for,
            absent_for: config.absent_for,
        }
    }
}

/// What is called on every hit and on every miss of this process's memory.
pub struct Hooks {
    /// The answer was in memory.
    pub hit: Box<dyn Fn() + Send + Sync>,
    /// It was not.
    pub miss: Box<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hooks")
    }
}

/// Remembers answers of one kind of question.
pub struct Memo<V> {
    settings: MemoSettings,
    entries: Cache<CacheKey, Entry<V>>,
    shared: Option<Arc<dyn SharedCache>>,
    generations: Box<[AtomicU64]>,
    hasher: RandomState,
    hooks: Hooks,
    clock: SharedClock,
}

impl<V> std::fmt::Debug for Memo<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memo")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
struct Entry<V> {
    answer: Option<V>,
    generation: u64,
    expires_at: Duration,
}

/// An answer in the shared tier. It names its key, so that a value that got under a wrong one is not believed.
#[derive(Serialize, Deserialize)]
struct SharedAnswer<V> {
    key: String,
    answer: Option<V>,
}

impl<V> Memo<V>
where
    V: Clone + Send + Sync + Serialize + DeserializeOwned + 'static,
{
    /// Makes a memo without answers.
    #[must_use]
    pub fn new(
        settings: MemoSettings,
        shared: Option<Arc<dyn SharedCache>>,
        hooks: Hooks,
        clock: SharedClock,
    ) -> Self {
        let weigh = |key: &CacheKey, _: &Entry<V>| {
            u32::try_from(key.as_str().len() + ENTRY_WEIGHT).unwrap_or(u32::MAX)
        };
        let entries = Cache::builder()
            .max_capacity(settings.capacity)
            .weigher(weigh)
            // Only so that memory is given back: what counts is the entry's own time, by our clock.
            .time_to_live(settings.present_for.max(settings.absent_for))
            .build();
        let generations = (0..GENERATIONS).map(|_| AtomicU64::new(0)).collect();
        Self {
            settings,
            entries,
            shared,
            generations,
            hasher: RandomState::new(),
            hooks,
            clock,
        }
    }

    /// The remembered answer, or else the one that `ask` finds. Concurrent callers share one question.
    ///
    /// # Errors
    /// What `ask` failed with. Failures are not remembered.
    pub async fn get_or_ask<E, F, A>(&self, key: &CacheKey, ask: A) -> Result<Option<V>, Arc<E>>
    where
        A: Fn() -> F,
        F: Future<Output = Result<Option<V>, E>>,
        E: Send + Sync + 'static,
    {
        if let Some(entry) = self.entries.get(key).await {
            if self.is_valid(key, &entry) {
                (self.hooks.hit)();
                return Ok(entry.answer);
            }
            self.entries.invalidate(key).await;
        }
        (self.hooks.miss)();
        let mut answer = None;
        for _ in 0..ATTEMPTS {
            let entry = self
                .entries
                .try_get_with(key.clone(), self.look_up(key, &ask))
                .await?;
            if self.is_valid(key, &entry) {
                return Ok(entry.answer);
            }
            self.entries.invalidate(key).await;
            answer = entry.answer;
        }
        Ok(answer)
    }

    /// Asks without looking at what is remembered, and remembers the answer.
    ///
    /// # Errors
    /// What `ask` failed with; what was remembered then stays.
    pub async fn refresh<E, F, A>(&self, key: &CacheKey, ask: A) -> Result<Option<V>, E>
    where
        A: FnOnce() -> F,
        F: Future<Output = Result<Option<V>, E>>,
    {
        let generation = self.generation(key);
        let asked_in = generation.load(Ordering::Acquire);
        let answer = ask().await?;
        // A new generation, so that no lookup that began earlier can put its older answer over this one.
        let next = asked_in + 1;
        if generation
            .compare_exchange(asked_in, next, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
        {
            self.tell_shared(key, answer.as_ref()).await;
            self.entries
                .insert(key.clone(), self.entry(answer.clone(), next))
                .await;
        }
        Ok(answer)
    }

    /// Drops the remembered answer, and any that is being looked up right now.
    pub async fn forget(&self, key: &CacheKey) {
        self.generation(key).fetch_add(1, Ordering::AcqRel);
        self.entries.invalidate(key).await;
        if let Some(shared) = &self.shared
            && let Err(error) = shared.delete(key).await
        {
            tracing::debug!(event = "shared_cache_fault", %error, "could not drop a shared answer");
        }
    }

    async fn look_up<E, F>(&self, key: &CacheKey, ask: impl Fn() -> F) -> Result<Entry<V>, E>
    where
        F: Future<Output = Result<Option<V>, E>>,
    {
        let generation = self.generation(key).load(Ordering::Acquire);
        if let Some(shared) = self.ask_shared(key).await {
            return Ok(self.entry(shared.answer, generation));
        }
        let answer = ask().await?;
        if self.generation(key).load(Ordering::Acquire) == generation {
            self.tell_shared(key, answer.as_ref()).await;
        }
        Ok(self.entry(answer, generation))
    }

    async fn ask_shared(&self, key: &CacheKey) -> Option<SharedAnswer<V>> {
        match self.shared.as_ref()?.get(key).await {
            Ok(bytes) => decode(key, &bytes?),
            Err(error) => {
                tracing::debug!(event = "shared_cache_fault", %error, "could not read a shared answer");
                None
            }
        }
    }

    async fn tell_shared(&self, key: &CacheKey, answer: Option<&V>) {
        let Some(shared) = &self.shared else { return };
        let shared_answer = SharedAnswer {
            key: key.to_string(),
            answer,
        };
        let Ok(bytes) = serde_json::to_vec(&shared_answer) else {
            return;
        };
        if let Err(error) = shared.set(key, bytes.into(), self.time_of(answer)).await {
            tracing::debug!(event = "shared_cache_fault", %error, "could not share an answer");
        }
    }

    fn entry(&self, answer: Option<V>, generation: u64) -> Entry<V> {
        let expires_at = self.clock.elapsed() + self.time_of(answer.as_ref());
        Entry {
            answer,
            generation,
            expires_at,
        }
    }

    fn time_of(&self, answer: Option<&V>) -> Duration {
        if answer.is_some() {
            self.settings.present_for
        } else {
            self.settings.absent_for
        }
    }

    fn is_valid(&self, key: &CacheKey, entry: &Entry<V>) -> bool {
        entry.generation == self.generation(key).load(Ordering::Acquire)
            && self.clock.elapsed() < entry.expires_at
    }

    fn generation(&self, key: &CacheKey) -> &AtomicU64 {
        let hash = usize::try_from(self.hasher.hash_one(key) % GENERATIONS as u64).unwrap_or(0);
        &self.generations[hash]
    }
}

/// Reads a shared answer; anything that this program did not write for this key is no answer.
fn decode<V: DeserializeOwned>(key: &CacheKey, bytes: &Bytes) -> Option<SharedAnswer<V>> {
    let shared: SharedAnswer<V> = serde_json::from_slice(bytes).ok()?;
    (shared.key == key.as_str()).then_some(shared)
}

#[cfg(test)]
mod tests;
