//! The memo proved by counting how often the question is asked.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use async_trait::async_trait;
use futures_util::future::join_all;
use time::macros::datetime;
use tokio::sync::Notify;

use super::*;
use crate::cache::CacheError;
use crate::clock::ManualClock;

const PRESENT_FOR: Duration = Duration::from_hours(1);
const ABSENT_FOR: Duration = Duration::from_mins(1);

/// A shared tier in memory that can be told to fail.
#[derive(Debug, Default)]
struct MapCache {
    values: Mutex<HashMap<CacheKey, Bytes>>,
    is_broken: std::sync::atomic::AtomicBool,
}

impl MapCache {
    fn values(&self) -> Result<std::sync::MutexGuard<'_, HashMap<CacheKey, Bytes>>, CacheError> {
        if self.is_broken.load(Ordering::Relaxed) {
            return Err(CacheError("broken by the test".to_owned()));
        }
        Ok(self.values.lock().unwrap())
    }
}

#[async_trait]
impl SharedCache for MapCache {
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>, CacheError> {
        Ok(self.values()?.get(key).cloned())
    }

    async fn set(&self, key: &CacheKey, value: Bytes, _: Duration) -> Result<(), CacheError> {
        self.values()?.insert(key.clone(), value);
        Ok(())
    }

    async fn delete(&self, key: &CacheKey) -> Result<(), CacheError> {
        self.values()?.remove(key);
        Ok(())
    }

    async fn check(&self) -> Result<(), CacheError> {
        self.values().map(drop)
    }
}

struct Bench {
    memo: Memo<u32>,
    clock: Arc<ManualClock>,
    asked: AtomicUsize,
    hits: Arc<AtomicUsize>,
    misses: Arc<AtomicUsize>,
}

impl Bench {
    fn new(shared: Option<Arc<dyn SharedCache>>) -> Self {
        let clock = Arc::new(ManualClock::at(datetime!(2026-01-01 0:00 UTC)));
        let settings = MemoSettings {
            capacity: 1 << 20,
            present_for: PRESENT_FOR,
            absent_for: ABSENT_FOR,
        };
        let (hits, misses) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counter = |count: &Arc<AtomicUsize>| {
            let count = Arc::clone(count);
            Box::new(move || {
                count.fetch_add(1, Ordering::Relaxed);
            }) as Box<dyn Fn() + Send + Sync>
        };
        let hooks = Hooks {
            hit: counter(&hits),
            miss: counter(&misses),
        };
        let memo = Memo::new(settings, shared, hooks, Arc::clone(&clock) as SharedClock);
        Self {
            memo,
            clock,
            asked: AtomicUsize::new(0),
            hits,
            misses,
        }
    }

    fn ask(&self, answer: Option<u32>) -> Ready<Result<Option<u32>, Infallible>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        ready(Ok(answer))
    }

    async fn get(&self, truth: Option<u32>) -> Option<u32> {
        self.memo
            .get_or_ask(&key(), || self.ask(truth))
            .await
            .unwrap()
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

fn key() -> CacheKey {
    CacheKey::new("found", &["disk", "v1/a/AB/a.sym"])
}

#[tokio::test]
async fn present_and_absent_are_kept_for_their_own_times() {
    let bench = Bench::new(None);
    assert_eq!(bench.get(None).await, None);
    assert_eq!(bench.get(Some(1)).await, None);
    assert_eq!(bench.asked(), 1);
    bench.clock.advance(ABSENT_FOR);
    assert_eq!(bench.get(Some(1)).await, Some(1));
    bench.clock.advance(ABSENT_FOR);
    assert_eq!(bench.get(Some(2)).await, Some(1));
    assert_eq!(bench.asked(), 2);
    bench.clock.advance(PRESENT_FOR);
    assert_eq!(bench.get(Some(2)).await, Some(2));
    assert_eq!(bench.asked(), 3);
    assert_eq!(
        (
            bench.hits.load(Ordering::Relaxed),
            bench.misses.load(Ordering::Relaxed)
        ),
        (2, 3)
    );
}

#[tokio::test]
async fn forget_and_refresh() {
    let bench = Bench::new(None);
    assert_eq!(bench.get(None).await, None);
    bench.memo.forget(&key()).await;
    assert_eq!(bench.get(Some(1)).await, Some(1));
    let refreshed = bench
        .memo
        .refresh(&key(), || bench.ask(Some(2)))
        .await
        .unwrap();
    assert_eq!(refreshed, Some(2));
    assert_eq!(bench.get(Some(3)).await, Some(2));
    assert_eq!(bench.asked(), 3);
}

#[tokio::test]
async fn a_thousand_at_once_ask_once() {
    let bench = Bench::new(None);
    let gate = Notify::new();
    let ask = || async {
        gate.notified().await;
        bench.ask(Some(1)).await
    };
    let callers =
        join_all((0..1000).map(|_| async { bench.memo.get_or_ask(&key(), &ask).await.unwrap() }));
    let opener = async {
        tokio::task::yield_now().await;
        gate.notify_one();
    };
    let (answers, ()) = tokio::join!(callers, opener);
    assert!(answers.iter().all(|answer| *answer == Some(1)));
    assert_eq!(bench.asked(), 1);
}

#[tokio::test]
async fn a_failure_is_shared_but_not_kept() {
    let bench = Bench::new(None);
    let attempts = AtomicUsize::new(0);
    let fail = || async {
        attempts.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        Err::<Option<u32>, _>("storage is down")
    };
    let key = key();
    let answers = join_all((0..10).map(|_| bench.memo.get_or_ask(&key, fail))).await;
    assert!(answers.iter().all(Result::is_err));
    assert_eq!(attempts.load(Ordering::Relaxed), 1);
    assert_eq!(bench.get(Some(1)).await, Some(1));
}

#[tokio::test]
async fn an_answer_overtaken_by_forget_is_not_kept() {
    let bench = Bench::new(None);
    let (asked, gate) = (Notify::new(), Notify::new());
    let is_stored = std::sync::atomic::AtomicBool::new(false);
    let look = || async {
        let seen = is_stored.load(Ordering::SeqCst).then_some(1);
        asked.notify_one();
        gate.notified().await;
        Ok::<_, Infallible>(seen)
    };
    let key = key();
    let slow_reader = bench.memo.get_or_ask(&key, look);
    let upload = async {
        asked.notified().await;
        is_stored.store(true, Ordering::SeqCst);
        bench.memo.forget(&key).await;
        gate.notify_one();
        asked.notified().await;
        gate.notify_one();
    };
    let (answer, ()) = tokio::join!(slow_reader, upload);
    assert_eq!(
        answer.unwrap(),
        Some(1),
        "the overtaken answer was looked up again"
    );
    assert_eq!(bench.get(None).await, Some(1));
}

#[tokio::test]
async fn the_shared_tier_is_asked_before_the_question() {
    let shared = Arc::new(MapCache::default());
    let one = Bench::new(Some(Arc::clone(&shared) as Arc<dyn SharedCache>));
    let two = Bench::new(Some(Arc::clone(&shared) as Arc<dyn SharedCache>));
    assert_eq!(one.get(Some(1)).await, Some(1));
    assert_eq!(two.get(Some(2)).await, Some(1));
    assert_eq!((one.asked(), two.asked()), (1, 0));
    one.memo.forget(&key()).await;
    assert!(shared.values().unwrap().is_empty());
}

#[tokio::test]
async fn a_broken_or_foreign_shared_answer_is_a_miss() {
    let shared = Arc::new(MapCache::default());
    let bench = Bench::new(Some(Arc::clone(&shared) as Arc<dyn SharedCache>));
    let other_key = br#"{"key":"found:other","answer":9}"#;
    for junk in [&b"junk"[..], b"", b"null", other_key] {
        shared
            .values()
            .unwrap()
            .insert(key(), Bytes::copy_from_slice(junk));
        assert_eq!(bench.get(Some(1)).await, Some(1));
        bench.memo.forget(&key()).await;
    }
    shared.is_broken.store(true, Ordering::Relaxed);
    assert_eq!(bench.get(Some(1)).await, Some(1));
    assert_eq!(bench.asked(), 5);
}

#[tokio::test]
async fn a_flood_of_absent_keys_keeps_the_popular_one_and_the_bound() {
    let bench = Bench::new(None);
    for number in 0..20_000 {
        if number % 100 == 0 {
            assert_eq!(bench.get(Some(1)).await, Some(1));
        }
        let key = CacheKey::new("found", &["disk", &number.to_string()]);
        bench
            .memo
            .get_or_ask(&key, || bench.ask(None))
            .await
            .unwrap();
    }
    bench.memo.entries.run_pending_tasks().await;
    assert!(bench.memo.entries.weighted_size() <= 1 << 20);
    assert_eq!(
        bench.asked(),
        20_000 + 1,
        "the popular key was asked for once"
    );
}
