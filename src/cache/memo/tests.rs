//! The memo proved by counting how often the question is asked.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::join_all;
use moka::Expiry;
use time::macros::datetime;
use tokio::sync::Notify;

use super::*;
use crate::cache::contract;
use crate::cache::testing::{Hub, MapCache};
use crate::clock::{Clock, ManualClock};

const PRESENT_FOR: Duration = Duration::from_hours(1);
const ABSENT_FOR: Duration = Duration::from_mins(1);

struct Bench {
    memo: Memo<u32>,
    clock: Arc<ManualClock>,
    asked: AtomicUsize,
    counters: LookupCounters,
}

impl Bench {
    fn new(shared: Option<Arc<dyn SharedCache>>) -> Self {
        let clock = Arc::new(ManualClock::at(datetime!(2026-01-01 0:00 UTC)));
        let settings = MemoSettings {
            capacity: 1 << 20,
            present_for: PRESENT_FOR,
            absent_for: ABSENT_FOR,
        };
        let counters = LookupCounters::default();
        let shared_clock: SharedClock = Arc::<ManualClock>::clone(&clock);
        let memo = Memo::new(settings, shared, counters.clone(), shared_clock);
        Self {
            memo,
            clock,
            asked: AtomicUsize::new(0),
            counters,
        }
    }

    /// A node among others.
    fn among(node: &Arc<MapCache>) -> Self {
        Self::new(Some(Arc::<MapCache>::clone(node)))
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
            bench.counters.local_hit.get(),
            bench.counters.local_miss.get()
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
    let is_stored = AtomicBool::new(false);
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

#[tokio::test]
async fn the_local_double_keeps_the_contract_of_shared_tiers() {
    let hub = Arc::new(Hub::default());
    contract::check_all(&*hub.node(), &*hub.node()).await;
}

#[tokio::test]
async fn the_shared_tier_is_asked_before_the_question() {
    let hub = Arc::new(Hub::default());
    let (one, two) = (Bench::among(&hub.node()), Bench::among(&hub.node()));
    assert_eq!(one.get(Some(1)).await, Some(1));
    assert_eq!(two.get(Some(2)).await, Some(1));
    assert_eq!((one.asked(), two.asked()), (1, 0));
    assert_eq!(one.counters.shared_miss.get(), 1);
    assert_eq!(two.counters.shared_hit.get(), 1);
}

#[tokio::test]
async fn what_one_node_forgets_all_forget() {
    let hub = Arc::new(Hub::default());
    let (one, two) = (Bench::among(&hub.node()), Bench::among(&hub.node()));
    assert_eq!(one.get(None).await, None);
    assert_eq!(two.get(None).await, None);
    one.memo.forget(&key()).await;
    assert_eq!(two.get(Some(1)).await, Some(1));
    assert_eq!(two.asked(), 1);
}

#[tokio::test]
async fn a_broken_or_foreign_shared_answer_is_a_counted_miss() {
    let hub = Arc::new(Hub::default());
    let node = hub.node();
    let bench = Bench::among(&node);
    let other_key = br#"{"key":"found:other","answer":9}"#;
    for junk in [&b"junk"[..], b"", b"null", other_key] {
        hub.plant(&key(), junk);
        assert_eq!(bench.get(Some(1)).await, Some(1));
        bench.memo.forget(&key()).await;
    }
    node.is_broken.store(true, Ordering::Relaxed);
    assert_eq!(bench.get(Some(1)).await, Some(1));
    assert_eq!(bench.asked(), 5);
    assert_eq!(bench.counters.shared_fault.get(), 5);
}

/// Two nodes; on the first a lookup sees "absent" before an upload through the second, and ends after it.
#[tokio::test]
async fn a_late_absence_on_one_node_harms_none() {
    let hub = Arc::new(Hub::default());
    let (reader, uploader, third) = (
        Bench::among(&hub.node()),
        Bench::among(&hub.node()),
        Bench::among(&hub.node()),
    );
    hub.hold_messages_back();
    let (seen, gate) = (Notify::new(), Notify::new());
    let look = || async {
        seen.notify_one();
        gate.notified().await;
        reader.ask(None).await
    };
    let key = key();
    let slow = reader.memo.get_or_ask(&key, look);
    let upload = async {
        seen.notified().await;
        uploader.memo.forget(&key).await;
        gate.notify_one();
    };
    let (answer, ()) = tokio::join!(slow, upload);
    assert_eq!(answer.unwrap(), None, "it was asked before the upload");
    // The reader has written its answer to the shared tier by now, and has not heard of the upload.
    assert_eq!(third.get(Some(1)).await, Some(1));
    assert_eq!(uploader.get(Some(2)).await, Some(1), "from the third");
    assert_eq!(reader.get(Some(3)).await, None);
    hub.let_messages_arrive();
    assert_eq!(reader.get(Some(3)).await, Some(1));
    assert_eq!((reader.asked(), third.asked(), uploader.asked()), (1, 1, 0));
}

#[tokio::test]
async fn without_hearing_the_others_answers_live_for_the_patience_only() {
    let patience = Duration::from_secs(1);
    let node = Arc::new(Hub::default()).node_with(Coherence::among_nodes(patience));
    let bench = Bench::among(&node);
    assert_eq!(bench.get(None).await, None);
    bench.clock.advance(patience / 2);
    assert_eq!(bench.get(Some(1)).await, None);
    bench.clock.advance(patience / 2);
    assert_eq!(bench.get(Some(1)).await, Some(1));
    bench.clock.advance(patience);
    assert_eq!(bench.get(Some(2)).await, Some(2));
    assert_eq!(
        bench.counters.shared_hit.get(),
        0,
        "nor is the tier trusted"
    );

    node.coherence().begin_listening(bench.clock.elapsed());
    assert_eq!(bench.get(Some(3)).await, Some(3));
    bench.clock.advance(patience);
    node.coherence().heard(bench.clock.elapsed());
    assert_eq!(bench.get(Some(4)).await, Some(3), "it hears the others");
}

#[tokio::test]
async fn a_slow_answer_is_given_even_when_it_cannot_be_kept() {
    let patience = Duration::from_secs(1);
    let node = Arc::new(Hub::default()).node_with(Coherence::among_nodes(patience));
    let bench = Bench::among(&node);
    let slow = || {
        bench.clock.advance(2 * patience);
        bench.ask(Some(1))
    };
    let answer = bench.memo.get_or_ask(&key(), slow).await.unwrap();
    assert_eq!((answer, bench.asked()), (Some(1), 1));
    assert_eq!(bench.get(Some(2)).await, Some(2));
}

#[tokio::test]
async fn refreshing_updates_the_shared_tier_too() {
    let hub = Arc::new(Hub::default());
    let (one, two) = (Bench::among(&hub.node()), Bench::among(&hub.node()));
    assert_eq!(one.get(None).await, None);
    let refreshed = one.memo.refresh(&key(), || one.ask(Some(1))).await;
    assert_eq!(refreshed.unwrap(), Some(1));
    assert_eq!(two.get(None).await, Some(1));
}

#[tokio::test]
async fn peeking_changes_nothing() {
    let hub = Arc::new(Hub::default());
    let bench = Bench::among(&hub.node());
    assert_eq!(bench.memo.peek(&key()).await, None);
    assert_eq!(bench.get(Some(1)).await, Some(1));
    bench.clock.advance(Duration::from_secs(7));
    let remembered = |age| {
        let answer = Some(1);
        Some(Remembered { answer, age })
    };
    let own = remembered(Some(Duration::from_secs(7)));
    assert_eq!(bench.memo.peek(&key()).await, own);
    let other = Bench::among(&hub.node());
    assert_eq!(other.memo.peek(&key()).await, remembered(None));
    assert_eq!(other.memo.peek(&key()).await, remembered(None), "not kept");
    bench.memo.forget(&key()).await;
    assert_eq!(bench.memo.peek(&key()).await, None);
    assert_eq!(other.memo.peek(&key()).await, None);
    assert_eq!(
        other.counters.local_miss.get() + other.counters.shared_hit.get(),
        0
    );
    assert_eq!((bench.asked(), other.asked()), (1, 0));
}

#[tokio::test]
async fn an_entry_may_go_when_it_is_believed_no_more() {
    let bench = Bench::new(None);
    let lifetime = Lifetime::by(Arc::<ManualClock>::clone(&bench.clock));
    let left = |answer: Option<u32>, after: Duration| {
        let entry = bench.memo.entry(answer, bench.memo.moment(&key()));
        bench.clock.advance(after);
        let at = tokio::time::Instant::now().into_std();
        let created = lifetime.expire_after_create(&key(), &entry, at);
        // What it had before does not matter.
        let updated = lifetime.expire_after_update(&key(), &entry, at, Some(PRESENT_FOR));
        assert_eq!(created, updated);
        created.unwrap()
    };
    let second = Duration::from_secs(1);
    assert_eq!(left(None, second) + second, ABSENT_FOR);
    assert_eq!(left(Some(1), second) + second, PRESENT_FOR);
    assert_eq!(left(None, 2 * ABSENT_FOR), Duration::ZERO);
}

#[tokio::test]
async fn absent_answers_leave_memory_before_it_is_full() {
    let mut bench = Bench::new(None);
    bench.memo = Memo::new(
        MemoSettings {
            absent_for: Duration::from_millis(1),
            ..bench.memo.settings.clone()
        },
        None,
        bench.counters.clone(),
        Arc::<ManualClock>::clone(&bench.clock),
    );
    for number in 0..100_u32 {
        let key = CacheKey::new("number", &[&number.to_string()]);
        let truth = (number == 7).then_some(number);
        let asked = bench.memo.get_or_ask(&key, || bench.ask(truth));
        asked.await.unwrap();
    }
    // The cache counts real time; nothing else is waited for.
    while bench.memo.entries.entry_count() != 1 {
        tokio::task::yield_now().await;
        bench.memo.entries.run_pending_tasks().await;
    }
    let key = CacheKey::new("number", &["7"]);
    assert_eq!(bench.memo.peek(&key).await.unwrap().answer, Some(7));
}
