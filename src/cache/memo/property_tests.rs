//! Any bytes in the shared tier, where everything with access to Redis may have written anything.

use std::cell::Cell;
use std::convert::Infallible;

use futures_util::FutureExt;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::cache::testing::{Hub, MapCache};
use crate::clock::SystemClock;

/// Bytes that may lie under a key: entries that are nearly right, and any others.
fn planted() -> impl Strategy<Value = Vec<u8>> {
    let key = prop_oneof![
        "[a-c/]{0,3}".prop_map(|path| key_of(&path).as_str().to_owned()),
        "object:4:disk:[0-3]:[a-c:]{0,4}",
        any::<String>(),
    ];
    let answer = prop_oneof![
        Just("null".to_owned()),
        any::<u32>().prop_map(|number| number.to_string()),
        Just("-1".to_owned()),
        Just("{}".to_owned()),
    ];
    let entry = (key, answer).prop_map(|(key, answer)| {
        let key = serde_json::to_string(&key).unwrap();
        format!("{{\"key\":{key},\"answer\":{answer}}}")
    });
    prop_oneof![
        4 => entry.prop_map(String::into_bytes),
        1 => "\\{\"(key|answer)\":\\PC{0,20}\\}?".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..100),
    ]
}

fn key_of(path: &str) -> CacheKey {
    CacheKey::new("object", &["disk", path])
}

/// The key that the bytes themselves name, as far as it is one of ours: the most interesting one to ask for.
fn key_named_by(bytes: &[u8]) -> CacheKey {
    let json: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
    let path = json["key"].as_str().unwrap_or_default();
    key_of(path.rsplit(':').next().unwrap_or_default())
}

proptest! {
    #[test]
    fn only_answers_that_name_their_key_are_believed(bytes in planted()) {
        let hub = Arc::<Hub>::default();
        let shared: Arc<dyn SharedCache> = Arc::<MapCache>::clone(&hub.node());
        let settings = MemoSettings {
            capacity: 1 << 20,
            present_for: Duration::from_mins(1),
            absent_for: Duration::from_mins(1),
        };
        let clock = Arc::new(SystemClock::new());
        let memo = Memo::<u32>::new(settings, Some(shared), LookupCounters::default(), clock);
        let key = key_named_by(&bytes);
        hub.plant(&key, &bytes);

        let was_asked = Cell::new(false);
        let ask = || {
            was_asked.set(true);
            async { Ok::<_, Infallible>(None) }
        };
        let answer = memo.get_or_ask(&key, ask).now_or_never();
        let answer = answer.expect("nothing waits").unwrap();
        if !was_asked.get() {
            let json: serde_json::Value =
                serde_json::from_slice(&bytes).expect("only JSON can be believed");
            prop_assert_eq!(json["key"].as_str(), Some(key.as_str()));
            prop_assert_eq!(json["answer"].is_null(), answer.is_none());
        }
    }
}
