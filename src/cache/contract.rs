//! The tests that every kind of shared tier passes.

use std::time::Duration;

use bytes::Bytes;

use super::{CacheKey, SharedCache, Token};

const KEEP: Duration = Duration::from_mins(1);

/// Far more than a message between nodes may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// Runs the whole suite on two nodes of an empty tier, which hear each other.
pub(crate) async fn check_all(one: &dyn SharedCache, other: &dyn SharedCache) {
    one.check().await.unwrap();
    what_one_node_sets_the_other_gets(one, other).await;
    values_are_kept_apart_and_unchanged(one, other).await;
    what_is_too_long_is_not_kept(one).await;
    invalidating_ends_the_value_for_all(one, other).await;
    an_answer_from_before_an_upload_is_never_read(one, other).await;
    invalidating_is_heard_by_all(one, other).await;
}

fn key(name: &str) -> CacheKey {
    CacheKey::new("contract", &[name])
}

async fn set(cache: &dyn SharedCache, key: &CacheKey, value: &[u8]) -> Token {
    let token = cache.get(key).await.unwrap().token;
    let value = Bytes::copy_from_slice(value);
    cache.set(key, value, KEEP, token).await.unwrap();
    token
}

async fn get(cache: &dyn SharedCache, key: &CacheKey) -> Option<Bytes> {
    cache.get(key).await.unwrap().value
}

async fn what_one_node_sets_the_other_gets(one: &dyn SharedCache, other: &dyn SharedCache) {
    let key = key("shared");
    assert_eq!(get(one, &key).await, None);
    set(one, &key, b"first").await;
    assert_eq!(get(other, &key).await.unwrap(), "first");
    set(other, &key, b"second").await;
    assert_eq!(get(one, &key).await.unwrap(), "second");
}

async fn values_are_kept_apart_and_unchanged(one: &dyn SharedCache, other: &dyn SharedCache) {
    let names = [
        "", "a", "A", "a b", "汉.pdb", "a\r\nb", "*", "q?x=1&y", "%00",
    ];
    for name in names {
        set(one, &key(name), name.as_bytes()).await;
    }
    for name in names {
        assert_eq!(get(other, &key(name)).await.unwrap(), name);
    }
    let all_bytes: Vec<u8> = (0..=u8::MAX).collect();
    set(one, &key("bytes"), &all_bytes).await;
    assert_eq!(get(other, &key("bytes")).await.unwrap(), all_bytes);
}

async fn what_is_too_long_is_not_kept(one: &dyn SharedCache) {
    let key = key("long");
    set(one, &key, &[b'x'; 1024]).await;
    assert_eq!(get(one, &key).await.unwrap().len(), 1024);
    set(one, &key, &vec![b'y'; 1 << 20]).await;
    assert!(get(one, &key).await.is_none_or(|value| value[0] == b'x'));
}

async fn invalidating_ends_the_value_for_all(one: &dyn SharedCache, other: &dyn SharedCache) {
    let key = key("ended");
    set(one, &key, b"old").await;
    other.invalidate(&key).await.unwrap();
    assert_eq!(get(one, &key).await, None);
    assert_eq!(get(other, &key).await, None);
    set(one, &key, b"new").await;
    assert_eq!(get(other, &key).await.unwrap(), "new");
}

async fn an_answer_from_before_an_upload_is_never_read(
    one: &dyn SharedCache,
    other: &dyn SharedCache,
) {
    let key = key("raced");
    for _ in 0..3 {
        let before = one.get(&key).await.unwrap().token;
        other.invalidate(&key).await.unwrap();
        one.set(&key, Bytes::from_static(b"late"), KEEP, before)
            .await
            .unwrap();
        assert_eq!(get(one, &key).await, None);
        assert_eq!(get(other, &key).await, None);
        assert_ne!(set(other, &key, b"true").await, before);
        assert_eq!(get(one, &key).await.unwrap(), "true");
        one.set(&key, Bytes::from_static(b"later"), KEEP, before)
            .await
            .unwrap();
        assert_eq!(get(other, &key).await, None);
    }
}

async fn invalidating_is_heard_by_all(one: &dyn SharedCache, other: &dyn SharedCache) {
    let key = key("heard 汉");
    let generations = [one, other].map(|node| node.coherence().generation(key.as_str()));
    one.invalidate(&key).await.unwrap();
    for (node, before) in [one, other].into_iter().zip(generations) {
        let heard = async {
            while node.coherence().generation(key.as_str()) == before {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, heard).await.unwrap();
    }
}
