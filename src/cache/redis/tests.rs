//! The shared tier on a real Redis, which others use too; what it does while Redis is in trouble is tested from
//! outside, on a Redis that can be stopped.

use std::io::Write as _;

use bytes::Bytes;
use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{Client, cmd};

use super::*;
use crate::cache::contract;
use crate::clock::SystemClock;

/// How long anything that is waited for may take.
const PATIENCE: Duration = Duration::from_mins(2);

const KEEP: Duration = Duration::from_mins(1);

/// The address of the Redis for tests, or a line that says what is left out.
fn test_url() -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "tests are configured by it")]
    let url = std::env::var("TEST_REDIS_URL").ok();
    if url.is_none() {
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("a test");
        // Not `eprintln`, whose text the test harness keeps to itself when a test passes.
        let _ = writeln!(
            std::io::stderr(),
            "left out: {test} (TEST_REDIS_URL is not set; make test runs it)"
        );
    }
    url
}

fn random_namespace() -> String {
    format!("test-{:016x}", getrandom::u64().unwrap())
}

fn open(url: &str, namespace: &str) -> (RedisCache, Metrics) {
    let metrics = Metrics::default();
    let clock: SharedClock = Arc::new(SystemClock::new());
    let config = CacheConfig {
        redis_url: url.into(),
        namespace: namespace.to_owned(),
        // What is tested here is not how fast this machine is.
        redis_timeout: PATIENCE,
        ..CacheConfig::default()
    };
    let cache = RedisCache::open(&config, &metrics, &clock).unwrap();
    (cache, metrics)
}

/// A node that is connected and hears the others.
async fn node(url: &str, namespace: &str) -> RedisCache {
    let (cache, _) = open(url, namespace);
    let connected = async {
        while cache.check().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, connected).await.unwrap();
    cache
}

async fn raw(url: &str) -> MultiplexedConnection {
    let client = Client::open(url).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

fn key(name: &str) -> CacheKey {
    CacheKey::new("object", &["disk", name])
}

async fn set(cache: &RedisCache, key: &CacheKey, value: &'static str) {
    let token = cache.get(key).await.unwrap().token;
    cache
        .set(key, Bytes::from_static(value.as_bytes()), KEEP, token)
        .await
        .unwrap();
}

async fn get(cache: &RedisCache, key: &CacheKey) -> Option<Bytes> {
    cache.get(key).await.unwrap().value
}

#[test]
fn addresses() {
    for good in [
        "redis://127.0.0.1",
        "redis://:secret@redis.example:6380/3",
        "rediss://user:secret@redis.example",
        "redis+unix:///run/redis.sock?db=2&pass=secret",
    ] {
        assert!(address(&good.into()).is_ok(), "{good}");
    }
    for bad in [
        "127.0.0.1:6379",
        "http://redis.example",
        "redis://",
        "redis://h/secret",
        "redis://:secret@h:port",
        "redis://:secret@h:70000",
        "rediss://:secret@h/#insecure",
        "redis+unix://socket",
        "unix:///run/redis.sock",
    ] {
        let error = address(&bad.into()).unwrap_err().to_string();
        assert!(!error.contains(":secret"), "{error}");
    }
    let unix = address(&"redis+unix:///run/redis.sock".into()).unwrap();
    assert_eq!(unix.addr().to_string(), "/run/redis.sock");
}

#[tokio::test]
async fn it_keeps_the_contract_of_shared_tiers() {
    let Some(url) = test_url() else { return };
    let namespace = random_namespace();
    let (one, other) = (node(&url, &namespace).await, node(&url, &namespace).await);
    contract::check_all(&one, &other).await;
}

#[tokio::test]
async fn installations_do_not_see_each_other() {
    let Some(url) = test_url() else { return };
    let one = node(&url, &random_namespace()).await;
    let other = node(&url, &random_namespace()).await;
    set(&one, &key("a"), "of one").await;
    assert_eq!(get(&other, &key("a")).await, None);
    set(&other, &key("a"), "of the other").await;
    let heard = other.coherence().generation(key("a").as_str());
    one.invalidate(&key("a")).await.unwrap();
    one.invalidate(&key("b")).await.unwrap();
    assert_eq!(get(&other, &key("a")).await.unwrap(), "of the other");
    assert_eq!(other.coherence().generation(key("a").as_str()), heard);
}

#[tokio::test]
async fn what_is_foreign_is_neither_believed_nor_kept() {
    let Some(url) = test_url() else { return };
    let cache = node(&url, &random_namespace()).await;
    let mut raw = raw(&url).await;
    let key = key("junk");
    let (value, generation) = (cache.names.value(&key), cache.names.generation(&key));
    let long = vec![b'0'; 1 << 20];
    let planted = [
        cmd("SET").arg(&value).arg("junk").clone(),
        cmd("SET").arg(&value).arg("{\"key\":\"a\"}").clone(),
        cmd("SET").arg(&value).arg(&long).clone(),
        cmd("LPUSH").arg(&value).arg("junk").clone(),
        cmd("HSET").arg(&value).arg("junk").arg("junk").clone(),
        cmd("SET").arg(&generation).arg("junk").clone(),
        cmd("SET").arg(&generation).arg(&long).clone(),
        cmd("SADD").arg(&generation).arg("junk").clone(),
    ];
    for plant in planted {
        cmd("DEL")
            .arg(&value)
            .arg(&generation)
            .exec_async(&mut raw)
            .await
            .unwrap();
        plant.exec_async(&mut raw).await.unwrap();
        cache.get(&key).await.unwrap_err();
        assert_eq!(get(&cache, &key).await, None, "it was dropped");
        set(&cache, &key, "good").await;
        assert_eq!(get(&cache, &key).await.unwrap(), "good");
    }
}

#[tokio::test]
async fn a_lost_generation_makes_its_values_worthless() {
    let Some(url) = test_url() else { return };
    let cache = node(&url, &random_namespace()).await;
    let key = key("evicted");
    cache.invalidate(&key).await.unwrap();
    set(&cache, &key, "of a generation").await;
    let mut raw = raw(&url).await;
    let evict = cmd("DEL").arg(cache.names.generation(&key)).clone();
    evict.exec_async(&mut raw).await.unwrap();
    assert_eq!(get(&cache, &key).await, None);
}

#[tokio::test]
async fn everything_has_a_time_to_live() {
    let Some(url) = test_url() else { return };
    let namespace = random_namespace();
    let cache = node(&url, &namespace).await;
    set(&cache, &key("a"), "a").await;
    cache.invalidate(&key("b")).await.unwrap();
    let mut raw = raw(&url).await;
    let ttl = async |name: String, raw: &mut MultiplexedConnection| {
        let command = cmd("TTL").arg(name).clone();
        command.query_async::<i64>(raw).await.unwrap()
    };
    assert!((1..=60).contains(&ttl(cache.names.value(&key("a")), &mut raw).await));
    assert!((1..=60).contains(&ttl(cache.names.check(), &mut raw).await));
    let longest = i64::try_from(CacheConfig::default().present_for.as_secs()).unwrap();
    assert!(ttl(cache.names.generation(&key("b")), &mut raw).await > 2 * longest);
}

#[tokio::test]
async fn what_cannot_be_told_waits() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    // Connections are taken by the kernel, and nobody ever answers.
    let silent = format!("redis://{}", listener.local_addr().unwrap());
    for url in ["redis://127.0.0.1:1", &silent] {
        let (cache, metrics) = open(url, "default");
        for _ in 0..10 {
            cache.get(&key("a")).await.unwrap_err();
            cache.invalidate(&key("a")).await.unwrap_err();
        }
        cache.invalidate(&key("b")).await.unwrap_err();
        cache.check().await.unwrap_err();
        assert_eq!(metrics.shared_cache_untold.get(), 2);
        assert_eq!(metrics.shared_cache_listening.get(), 0);
        assert!(!cache.coherence().trusts_shared_tier(Duration::ZERO));
    }
}
