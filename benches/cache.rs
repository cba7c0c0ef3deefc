//! The cost of a remembered answer, by where it is remembered.
//!
//! Each function makes a thousand lookups through a [`Memo`], of which eight hundred are remembered, as in Tecken's
//! study of caches on one machine (2017); the others ask, get an answer at once, and remember it. "local" has it in the
//! process's memory. The others have it in a Redis on this machine, by TCP and by a Unix socket, and nothing in memory:
//! their answers end the moment they are given. A lookup waits for the one before it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use symbold::cache::{
    self, CacheConfig, CacheKey, LookupCounters, Memo, MemoSettings, SharedCache,
};
use symbold::clock::{SharedClock, SystemClock};
use symbold::metrics::Metrics;
use symbold::storage::{ObjectInfo, ObjectMeta};
use symbols::{Md5, Sha256};

use crate::support::{self, Bench, Function};

const REMEMBERED: u64 = 800;
const NEW: u64 = 200;

/// How long a node waits for Redis, and how long it believes that it still hears the others: long enough for a busy
/// machine.
const TIME_LIMIT: Duration = Duration::from_secs(3);

struct Tier {
    memo: Memo<ObjectInfo>,
    counters: LookupCounters,
    rounds: u64,
}

pub(crate) fn study(bench: &mut Bench) {
    let mut functions: Vec<Function<'_>> = vec![function("local", None)];
    for (name, variable) in [
        ("redis_tcp", "TEST_REDIS_URL"),
        ("redis_socket", "TEST_REDIS_SOCKET"),
    ] {
        if let Some(url) = support::service(variable, &format!("cache/{name}")) {
            functions.push(function(name, Some(url)));
        }
    }
    bench.compare("cache", functions);
}

fn function(name: &'static str, url: Option<String>) -> Function<'static> {
    let mut opened = None;
    let measure = Box::new(move |bencher: &mut criterion::Bencher<'_>| {
        let tier = opened.get_or_insert_with(|| Tier::open(url.as_deref()));
        bencher.iter(|| tier.thousand_lookups());
    });
    (name, measure)
}

impl Tier {
    /// Makes the tier, fills it, and proves that it remembers what it should and gives back what it was given.
    fn open(url: Option<&str>) -> Self {
        let metrics = Metrics::default();
        let clock: SharedClock = Arc::new(SystemClock::new());
        let shared = url.map(|url| support::block_on(open_shared(url, &metrics, &clock)));
        let counters = LookupCounters::default();
        let memo = |lasting: Duration| {
            let settings = MemoSettings {
                capacity: CacheConfig::default().local_size.as_u64(),
                present_for: lasting,
                absent_for: lasting,
            };
            let (shared, clock) = (shared.clone(), Arc::clone(&clock));
            Memo::new(settings, shared, counters.clone(), clock)
        };
        let filler = memo(Duration::from_hours(1));
        support::block_on(async {
            for number in 0..REMEMBERED {
                look_up(&filler, &key("remembered", number)).await;
            }
        });
        let memo = if shared.is_some() {
            memo(Duration::ZERO)
        } else {
            filler
        };
        let mut tier = Self {
            memo,
            counters,
            rounds: 0,
        };
        tier.check(shared.is_some());
        tier
    }

    fn check(&mut self, is_shared: bool) {
        let hit = if is_shared {
            self.counters.shared_hit.clone()
        } else {
            self.counters.local_hit.clone()
        };
        let before = hit.get();
        let answers = self.thousand_lookups();
        assert!(answers.iter().all(|answer| *answer == Some(info())));
        assert_eq!(hit.get() - before, REMEMBERED, "eight of ten are hits");
    }

    fn thousand_lookups(&mut self) -> Vec<Option<ObjectInfo>> {
        self.rounds += 1;
        let (memo, round) = (&self.memo, self.rounds);
        support::block_on(async {
            let mut answers = Vec::new();
            for number in 0..REMEMBERED + NEW {
                let key = if number % 5 == 4 {
                    key(&format!("new{round}"), number)
                } else {
                    key("remembered", number - number / 5)
                };
                answers.push(look_up(memo, &key).await);
            }
            answers
        })
    }
}

/// Opens the shared tier, in a part of Redis of its own, and waits until it is trusted.
async fn open_shared(url: &str, metrics: &Metrics, clock: &SharedClock) -> Arc<dyn SharedCache> {
    let random = getrandom::u64().expect("the system has randomness");
    let config = CacheConfig {
        redis_url: url.into(),
        namespace: format!("bench-{random:016x}"),
        redis_timeout: TIME_LIMIT,
        uncoordinated_for: TIME_LIMIT,
        ..CacheConfig::default()
    };
    let shared = cache::open(&config, metrics, clock).expect("the address is one");
    let shared = shared.expect("an address was given");
    let trusted = async {
        while !shared.coherence().trusts_shared_tier(clock.elapsed()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(10 * TIME_LIMIT, trusted).await;
    waited.expect("Redis can be reached");
    shared
}

async fn look_up(memo: &Memo<ObjectInfo>, key: &CacheKey) -> Option<ObjectInfo> {
    let answer = memo.get_or_ask(key, || async { Ok::<_, Infallible>(Some(info())) });
    answer.await.expect("the question never fails")
}

fn key(kind: &str, number: u64) -> CacheKey {
    let path = format!("v1/xul.pdb/{kind}{number:024X}/xul.sym");
    CacheKey::new("object", &["https://s3.example.com/symbols", &path])
}

fn info() -> ObjectInfo {
    ObjectInfo {
        meta: ObjectMeta {
            is_gzipped: true,
            content_type: Some("text/plain".to_owned()),
            original_size: Some(300_000),
            original_md5: Md5::parse("5d41402abc4b2a76b9719d911017c592"),
            original_sha256: Sha256::parse(&"2cf24dba5fb0a30e26e83b2ac5b9e29e".repeat(2)),
        },
        stored_size: 60_000,
        modified_at: time::macros::datetime!(2026-11-23 10:00 UTC),
        version: Some("5d41402abc4b2a76b9719d911017c592".to_owned()),
        inode: None,
    }
}
