//! Answers that lie in the cache that nodes share, where anybody with access to it may have written anything.

use std::cell::Cell;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt;
use symbold::cache::{
    CacheError, CacheKey, Coherence, LookupCounters, Memo, MemoSettings, Reading, SharedCache,
    Token,
};
use symbold::clock::SystemClock;
use symbold::metrics::Metrics;
use symbold::storage::ObjectInfo;

/// A shared cache that holds the same bytes under every key.
#[derive(Debug)]
struct Planted {
    value: Mutex<Bytes>,
    coherence: Arc<Coherence>,
}

#[async_trait]
impl SharedCache for Planted {
    async fn get(&self, _: &CacheKey) -> Result<Reading, CacheError> {
        let value = self.value.lock().expect("nothing panics with it");
        Ok(Reading {
            value: Some(value.clone()),
            token: Token(0),
        })
    }

    async fn set(&self, _: &CacheKey, _: Bytes, _: Duration, _: Token) -> Result<(), CacheError> {
        Ok(())
    }

    async fn invalidate(&self, _: &CacheKey) -> Result<(), CacheError> {
        Ok(())
    }

    async fn check(&self) -> Result<(), CacheError> {
        Ok(())
    }

    fn coherence(&self) -> &Arc<Coherence> {
        &self.coherence
    }
}

/// A lookup cache over a shared tier of planted bytes.
struct Setup {
    planted: Arc<Planted>,
    memo: Memo<ObjectInfo>,
}

impl Setup {
    fn new() -> Self {
        let planted = Arc::new(Planted {
            value: Mutex::default(),
            coherence: Arc::new(Coherence::alone()),
        });
        let settings = MemoSettings {
            capacity: 1024 * 1024,
            present_for: Duration::from_mins(1),
            absent_for: Duration::from_mins(1),
        };
        let shared: Arc<dyn SharedCache> = Arc::<Planted>::clone(&planted);
        let counters = LookupCounters::new(&Metrics::default(), "fuzz");
        let clock = Arc::new(SystemClock::new());
        let memo = Memo::new(settings, Some(shared), counters, clock);
        Self { planted, memo }
    }
}

/// Looks a key up while the shared cache holds the bytes, some of which become the key.
///
/// # Panics
/// An answer is believed that does not name the key.
pub fn shared_answer(bytes: &[u8]) {
    static SETUP: OnceLock<Setup> = OnceLock::new();
    let setup = SETUP.get_or_init(Setup::new);
    let path = match serde_json::from_slice::<serde_json::Value>(bytes) {
        // The most interesting key is the one that the bytes themselves name.
        Ok(json) => json["key"].as_str().unwrap_or_default().to_owned(),
        Err(_) => String::new(),
    };
    let path = path.rsplit(':').next().unwrap_or_default();
    let key = CacheKey::new("object", &["disk", path]);
    *setup.planted.value.lock().expect("nothing panics with it") = Bytes::copy_from_slice(bytes);

    let was_asked = Cell::new(false);
    let ask = || {
        was_asked.set(true);
        async { Ok::<_, Infallible>(None) }
    };
    let answer = setup.memo.get_or_ask(&key, ask).now_or_never();
    let answer = answer.expect("nothing waits").expect("nothing fails");
    if !was_asked.get() {
        let json: serde_json::Value =
            serde_json::from_slice(bytes).expect("only JSON can be believed");
        assert_eq!(json["key"].as_str(), Some(key.as_str()));
        assert_eq!(json["answer"].is_null(), answer.is_none());
    }
    setup
        .memo
        .forget(&key)
        .now_or_never()
        .expect("nothing waits");
}
