//! One memoised question: this process's memory, then the shared tier, then the question itself.
//!
//! The answer is `Some` (present) or `None` (absent), and each kind is kept for a time of its own. Concurrent callers
//! share one question; its failure goes to all of them and is never kept. A failure of the shared tier counts as a
//! miss.
//!
//! [`Memo::forget`] must win against an answer that was looked up before it and arrives after it, on this node and on
//! the others: what is kept says when it was asked, and [`Coherence`] decides whether it still holds.

mod counters;
mod lifetime;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use moka::future::Cache;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{CacheKey, Coherence, Reading, SharedCache, Token};
use crate::clock::SharedClock;

pub use counters::LookupCounters;
use lifetime::Lifetime;

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

/// An answer that is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered<V> {
    /// The answer.
    pub answer: Option<V>,
    /// How long ago this process learnt it; `None` for an answer that only the shared tier has, which keeps no age.
    pub age: Option<Duration>,
}

/// Remembers answers of one kind of question.
pub struct Memo<V> {
    settings: MemoSettings,
    entries: Cache<CacheKey, Entry<V>>,
    shared: Option<Arc<dyn SharedCache>>,
    coherence: Arc<Coherence>,
    counters: LookupCounters,
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
    asked: Moment,
    expires_at: Duration,
}

/// When a question was asked.
#[derive(Clone, Copy, Debug)]
struct Moment {
    generation: u64,
    time: Duration,
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
        counters: LookupCounters,
        clock: SharedClock,
    ) -> Self {
        let weigh = |key: &CacheKey, _: &Entry<V>| {
            u32::try_from(key.as_str().len() + ENTRY_WEIGHT).unwrap_or(u32::MAX)
        };
        let entries = Cache::builder()
            .max_capacity(settings.capacity)
            .weigher(weigh)
            // Only so that memory is given back: what counts is the entry's own time, by our clock.
            .expire_after(Lifetime::by(Arc::clone(&clock)))
            .build();
        let coherence = match &shared {
            Some(shared) => Arc::clone(shared.coherence()),
            None => Arc::new(Coherence::alone()),
        };
        Self {
            settings,
            entries,
            shared,
            coherence,
            counters,
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
        if let Some(entry) = self.recall(key) {
            self.counters.local_hit.inc();
            return Ok(entry.answer);
        }
        self.counters.local_miss.inc();
        // Boxed, so that the future of a cache hit stays small.
        Box::pin(self.ask_together(key, ask)).await
    }

    /// The entry of this key in this process's memory, if it still holds.
    ///
    /// moka's `get` is asynchronous only for eviction listeners. There are none, so it is always ready. If it ever were
    /// not, the caller would fall through to `ask_together`, which finds the entry.
    fn recall(&self, key: &CacheKey) -> Option<Entry<V>> {
        let entry = self.entries.get(key).now_or_never().flatten();
        entry.filter(|entry| self.is_valid(key, entry))
    }

    /// Asks once for all callers that wait at this moment.
    async fn ask_together<E, F, A>(&self, key: &CacheKey, ask: A) -> Result<Option<V>, Arc<E>>
    where
        A: Fn() -> F,
        F: Future<Output = Result<Option<V>, E>>,
        E: Send + Sync + 'static,
    {
        let entry = self.entries.get(key).await;
        if entry.is_some_and(|entry| !self.is_valid(key, &entry)) {
            self.entries.invalidate(key).await;
        }
        let mut answer = None;
        for _ in 0..ATTEMPTS {
            let entry = self
                .entries
                .try_get_with(key.clone(), self.look_up(key, &ask))
                .await?;
            // Only a change overtakes it: an answer that took long is still the answer.
            if entry.asked.generation == self.coherence.generation(key.as_str()) {
                return Ok(entry.answer);
            }
            self.entries.invalidate(key).await;
            answer = entry.answer;
        }
        Ok(answer)
    }

    /// The remembered answer, if there is one. Nothing is asked, kept or counted, so that looking changes nothing.
    pub async fn peek(&self, key: &CacheKey) -> Option<Remembered<V>> {
        let now = self.clock.elapsed();
        if let Some(entry) = self.recall(key) {
            let age = Some(now.saturating_sub(entry.asked.time));
            let answer = entry.answer;
            return Some(Remembered { answer, age });
        }
        let shared = self.shared.as_ref()?;
        if !self.coherence.trusts_shared_tier(now) {
            return None;
        }
        let reading = shared.get(key).await.ok()?;
        let answer = decode(key, reading.value.as_ref()?)?.answer;
        Some(Remembered { answer, age: None })
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
        let asked = self.moment(key);
        let token = self.read_shared(key).await.map(|reading| reading.token);
        let answer = ask().await?;
        // A new generation, so that no lookup that began earlier can put its older answer over this one.
        if let Some(generation) = self.coherence.supersede(key.as_str(), asked.generation) {
            self.share(key, answer.as_ref(), token).await;
            let asked = Moment {
                generation,
                ..asked
            };
            self.entries
                .insert(key.clone(), self.entry(answer.clone(), asked))
                .await;
        }
        Ok(answer)
    }

    /// Drops the remembered answer, here and on every node, and any that is being looked up right now.
    pub async fn forget(&self, key: &CacheKey) {
        self.coherence.forget(key.as_str());
        self.entries.invalidate(key).await;
        if let Some(shared) = &self.shared
            && let Err(error) = shared.invalidate(key).await
        {
            tracing::debug!(event = "shared_cache_fault", %error, "could not drop a shared answer");
        }
    }

    async fn look_up<E, F>(&self, key: &CacheKey, ask: impl Fn() -> F) -> Result<Entry<V>, E>
    where
        F: Future<Output = Result<Option<V>, E>>,
    {
        let asked = self.moment(key);
        let reading = self.read_shared(key).await;
        if let Some(shared) = reading.as_ref().and_then(|known| self.believe(key, known)) {
            return Ok(self.entry(shared.answer, asked));
        }
        let answer = ask().await?;
        if self.coherence.generation(key.as_str()) == asked.generation {
            let token = reading.map(|reading| reading.token);
            self.share(key, answer.as_ref(), token).await;
        }
        Ok(self.entry(answer, asked))
    }

    /// What the shared tier holds, as far as it can be asked.
    async fn read_shared(&self, key: &CacheKey) -> Option<Reading> {
        match self.shared.as_ref()?.get(key).await {
            Ok(reading) => Some(reading),
            Err(error) => {
                self.counters.shared_fault.inc();
                tracing::debug!(event = "shared_cache_fault", %error, "could not read a shared answer");
                None
            }
        }
    }

    /// The answer that was read from the shared tier, if it is one and holds.
    fn believe(&self, key: &CacheKey, reading: &Reading) -> Option<SharedAnswer<V>> {
        let value = reading.value.as_ref();
        let value = value.filter(|_| self.coherence.trusts_shared_tier(self.clock.elapsed()));
        let answer = value.and_then(|value| decode(key, value));
        let counter = match (value, &answer) {
            (None, _) => &self.counters.shared_miss,
            (Some(_), None) => &self.counters.shared_fault,
            (Some(_), Some(_)) => &self.counters.shared_hit,
        };
        counter.inc();
        answer
    }

    /// Writes an answer to the shared tier. Without a token there is nothing to stamp it with, so it is not written.
    async fn share(&self, key: &CacheKey, answer: Option<&V>, token: Option<Token>) {
        let (Some(shared), Some(token)) = (&self.shared, token) else {
            return;
        };
        let shared_answer = SharedAnswer {
            key: key.to_string(),
            answer,
        };
        let Ok(bytes) = serde_json::to_vec(&shared_answer) else {
            return;
        };
        let keep = self.time_of(answer);
        if let Err(error) = shared.set(key, bytes.into(), keep, token).await {
            tracing::debug!(event = "shared_cache_fault", %error, "could not share an answer");
        }
    }

    fn moment(&self, key: &CacheKey) -> Moment {
        Moment {
            generation: self.coherence.generation(key.as_str()),
            time: self.clock.elapsed(),
        }
    }

    fn entry(&self, answer: Option<V>, asked: Moment) -> Entry<V> {
        let expires_at = self.clock.elapsed() + self.time_of(answer.as_ref());
        Entry {
            answer,
            asked,
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
        let now = self.clock.elapsed();
        let Moment { generation, time } = entry.asked;
        now < entry.expires_at && self.coherence.holds(key.as_str(), generation, time, now)
    }
}

/// Reads a shared answer; anything that this program did not write for this key is no answer.
fn decode<V: DeserializeOwned>(key: &CacheKey, bytes: &Bytes) -> Option<SharedAnswer<V>> {
    let shared: SharedAnswer<V> = serde_json::from_slice(bytes).ok()?;
    (shared.key == key.as_str()).then_some(shared)
}

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
