//! Several nodes that share a Redis, and a Redis in trouble.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::{Client, Cmd, cmd};
use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};
use symbold::cache::{CacheConfig, CacheKey, RedisCache, SharedCache};
use symbold::clock::{Clock, Stopwatch, SystemClock};
use symbold::config::Config;
use symbold::metrics::Metrics;

use crate::support::{App, ID, OwnRedis, Zip, eventually, sym};

/// Within what time of an upload's end all nodes answer with the file: `cache.uncoordinated_for`, here longer than its
/// default, so that what is asked twice in a row is remembered on a busy machine, too.
const PROMISE: Duration = Duration::from_secs(3);

const LISTENING: &str = "symbold_shared_cache_listening";

/// The key of a file, as archives and requests have it.
fn key(number: usize) -> String {
    format!("a{number}.pdb/{ID}/a{number}.sym")
}

async fn upload(app: &App, number: usize) {
    let file = sym(&format!("a{number}.pdb"), ID, 3);
    let answer = app.upload(Zip::new().file(&key(number), file)).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
}

async fn status(app: &App, number: usize) -> StatusCode {
    app.status(&format!("/{}", key(number))).await
}

/// Asks until the file is there. Whatever is asked after the promised time is answered with it.
async fn is_seen_in_time(app: &App, number: usize) {
    let clock = SystemClock::new();
    loop {
        let asked_at = clock.elapsed();
        let status = status(app, number).await;
        if status == StatusCode::OK {
            return;
        }
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(asked_at <= PROMISE, "still absent after {asked_at:?}");
    }
}

/// Two nodes on the same data.
async fn nodes(redis_url: &str) -> (App, App) {
    let change = |config: &mut Config| {
        config.cache.redis_url = redis_url.into();
        config.cache.uncoordinated_for = PROMISE;
    };
    let one = App::with(change).await;
    let other = one.beside(change).await;
    (one, other)
}

async fn hears(app: &App, what: u64) {
    let description = format!("{LISTENING} is {what}");
    eventually(&description, async || app.metric(LISTENING).await == what).await;
}

/// Two nodes that hear each other.
async fn connected_nodes(redis: &OwnRedis) -> (App, App) {
    let (one, other) = nodes(&redis.url()).await;
    hears(&one, 1).await;
    hears(&other, 1).await;
    (one, other)
}

/// Says something to Redis, over a connection of its own.
async fn tell(redis: &OwnRedis, command: &Cmd) {
    let client = Client::open(redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    command.exec_async(&mut connection).await.unwrap();
}

fn configure(name: &str, value: &str) -> Cmd {
    cmd("CONFIG").arg("SET").arg(name).arg(value).clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_share_what_they_have_looked_up() {
    let Some(redis) = OwnRedis::launch() else {
        return;
    };
    let (one, other) = connected_nodes(&redis).await;
    upload(&one, 0).await;
    let hits = "symbold_cache_lookups_total{cache=\"catalog\",tier=\"shared\",result=\"hit\"}";
    // A node that has just begun to listen does not trust the shared tier yet, so the first lookups may pass it by.
    let looked_up = std::sync::atomic::AtomicUsize::new(1);
    eventually(
        "the second node takes an answer from the first",
        async || {
            let number = looked_up.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            assert_eq!(status(&one, number).await, StatusCode::NOT_FOUND);
            let (hits_before, calls_before) =
                (other.metric(hits).await, other.storage_calls("head").await);
            assert_eq!(status(&other, number).await, StatusCode::NOT_FOUND);
            let calls = other.storage_calls("head").await - calls_before;
            let hits = other.metric(hits).await - hits_before;
            assert_eq!(hits + calls, 1, "either of them was asked");
            hits == 1
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_through_one_node_is_seen_by_the_other() {
    let Some(redis) = OwnRedis::launch() else {
        return;
    };
    let (one, other) = connected_nodes(&redis).await;
    for number in 0..5 {
        assert_eq!(status(&other, number).await, StatusCode::NOT_FOUND);
        let calls = other.storage_calls("head").await;
        assert_eq!(status(&other, number).await, StatusCode::NOT_FOUND);
        assert_eq!(other.storage_calls("head").await, calls, "it is remembered");
        upload(&one, number).await;
        is_seen_in_time(&other, number).await;
        assert_eq!(status(&one, number).await, StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_upload_is_seen_when_nobody_was_told_of_the_first() {
    let Some(redis) = OwnRedis::launch() else {
        return;
    };
    let (one, other) = connected_nodes(&redis).await;
    assert_eq!(status(&other, 0).await, StatusCode::NOT_FOUND);
    let silent = one.beside(|_| {}).await;
    upload(&silent, 0).await;
    upload(&one, 0).await;
    assert_eq!(one.storage_calls("put").await, 0, "it was there already");
    is_seen_in_time(&other, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_seen_by_the_other_node_when_redis_crashes_and_comes_back() {
    let Some(mut redis) = OwnRedis::launch() else {
        return;
    };
    let (one, other) = connected_nodes(&redis).await;
    for number in 0..2 {
        assert_eq!(status(&other, number).await, StatusCode::NOT_FOUND);
    }
    redis.stop();
    upload(&one, 0).await;
    is_seen_in_time(&other, 0).await;
    hears(&other, 0).await;
    upload(&one, 1).await;
    is_seen_in_time(&other, 1).await;

    assert_eq!(status(&other, 2).await, StatusCode::NOT_FOUND);
    redis.start();
    upload(&one, 2).await;
    is_seen_in_time(&other, 2).await;

    hears(&one, 1).await;
    hears(&other, 1).await;
    assert_eq!(status(&other, 3).await, StatusCode::NOT_FOUND);
    upload(&one, 3).await;
    is_seen_in_time(&other, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_seen_by_the_other_node_when_redis_hangs_and_goes_on() {
    let Some(redis) = OwnRedis::launch() else {
        return;
    };
    let (one, other) = connected_nodes(&redis).await;
    for number in 0..3 {
        assert_eq!(status(&other, number).await, StatusCode::NOT_FOUND);
    }
    redis.freeze();
    upload(&one, 0).await;
    is_seen_in_time(&other, 0).await;
    hears(&other, 0).await;
    upload(&one, 1).await;
    assert!(one.metric("symbold_shared_cache_untold").await > 0);

    // What lies in Redis still says "absent" of both, and the uploads could not be told.
    redis.thaw();
    is_seen_in_time(&other, 1).await;
    hears(&other, 1).await;
    assert_eq!(status(&other, 0).await, StatusCode::OK);
    eventually("everything has been told", async || {
        one.metric("symbold_shared_cache_untold").await == 0
    })
    .await;
    upload(&one, 2).await;
    is_seen_in_time(&other, 2).await;
}

/// What a client sees of two nodes, whatever Redis does.
async fn everything_works(one: &App, other: &App, number: usize) {
    assert_eq!(status(one, number).await, StatusCode::NOT_FOUND);
    assert_eq!(status(other, number).await, StatusCode::NOT_FOUND);
    upload(one, number).await;
    assert_eq!(status(one, number).await, StatusCode::OK);
    is_seen_in_time(other, number).await;
    assert_eq!(
        other.fetch(&key(number)).await,
        sym(&format!("a{number}.pdb"), ID, 3)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_redis_refuses_is_noticed() {
    let Some(redis) = OwnRedis::launch() else {
        return;
    };
    let (one, other) = connected_nodes(&redis).await;
    everything_works(&one, &other, 0).await;
    tell(&redis, &configure("maxmemory", "1")).await;
    everything_works(&one, &other, 1).await;
    assert!(one.metric("symbold_shared_cache_faults_total").await > 0);
    tell(&redis, &configure("maxmemory", "0")).await;
    tell(&redis, cmd("REPLICAOF").arg("127.0.0.1").arg(1)).await;
    everything_works(&one, &other, 2).await;
    tell(&redis, &configure("replica-serve-stale-data", "no")).await;
    everything_works(&one, &other, 3).await;
    tell(&redis, cmd("REPLICAOF").arg("NO").arg("ONE")).await;
    eventually("everything has been told", async || {
        one.metric("symbold_shared_cache_untold").await == 0
    })
    .await;
    tell(&redis, cmd("FLUSHALL").arg("SYNC")).await;
    everything_works(&one, &other, 4).await;

    let client = Client::open(redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let commands = [
        configure("requirepass", "secret"),
        cmd("CLIENT").arg("KILL").arg("TYPE").arg("pubsub").clone(),
        cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").clone(),
    ];
    for command in commands {
        command.exec_async(&mut connection).await.unwrap();
    }
    everything_works(&one, &other, 5).await;
    hears(&other, 0).await;
    everything_works(&one, &other, 6).await;
    configure("requirepass", "")
        .exec_async(&mut connection)
        .await
        .unwrap();
    hears(&one, 1).await;
    hears(&other, 1).await;
    everything_works(&one, &other, 7).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_cannot_be_reached_is_a_warning() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // The kernel accepts connections, and no server answers.
    let silent = format!("redis://{}", listener.local_addr().unwrap());
    for url in ["redis://127.0.0.1:1", &silent, "redis+unix:///nonexistent"] {
        let (one, other) = nodes(url).await;
        everything_works(&one, &other, 0).await;
        let heartbeat = one.get("/__heartbeat__").await;
        assert_eq!(heartbeat.status(), StatusCode::OK);
        let json: Value = heartbeat.json().await.unwrap();
        assert_eq!(
            json,
            json!({
                "status": "warning",
                "checks": {"storage": "ok", "database": "ok", "cache": "warning", "objects": "ok"},
                "details": {"cache": {"level": 30, "status": "warning"}},
            })
        );
        one.shut_down().await;
        other.shut_down().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_heartbeat_lists_redis() {
    let Some(redis) = OwnRedis::launch() else {
        return;
    };
    let (one, _other) = connected_nodes(&redis).await;
    eventually("the link is there", async || {
        let heartbeat: Value = one.get("/__heartbeat__").await.json().await.unwrap();
        heartbeat["status"] == "ok" && heartbeat["checks"]["cache"] == "ok"
    })
    .await;
}

/// A node's way to Redis, without the node.
async fn cache(redis: &OwnRedis, metrics: &Metrics, clock: &Arc<SystemClock>) -> RedisCache {
    let config = CacheConfig {
        redis_url: redis.url().as_str().into(),
        ..CacheConfig::default()
    };
    let clock: Arc<dyn Clock> = Arc::<SystemClock>::clone(clock);
    let cache = RedisCache::open(&config, metrics, &clock).unwrap();
    eventually("it is connected", async || cache.check().await.is_ok()).await;
    cache
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_may_have_missed_something_believes_nothing_from_before() {
    let Some(redis) = OwnRedis::launch() else {
        return;
    };
    let (metrics, clock) = (Metrics::default(), Arc::new(SystemClock::new()));
    let cache = cache(&redis, &metrics, &clock).await;
    let before = cache.coherence().generation("a");
    let kill = cmd("CLIENT").arg("KILL").arg("TYPE").arg("pubsub").clone();
    tell(&redis, &kill).await;
    eventually("it begins anew", async || {
        cache.coherence().generation("a") != before
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_hangs_costs_its_timeout_a_few_times_and_then_nothing() {
    let Some(redis) = OwnRedis::launch() else {
        return;
    };
    let (metrics, clock) = (Metrics::default(), Arc::new(SystemClock::new()));
    let cache = cache(&redis, &metrics, &clock).await;
    let timeout = CacheConfig::default().redis_timeout.as_secs_f64();
    let key = CacheKey::new("object", &["disk", "a"]);
    cache.get(&key).await.unwrap();

    redis.freeze();
    let stopwatch = Stopwatch::start(clock.as_ref());
    for lost in join_all((0..5).map(|_| cache.get(&key))).await {
        lost.unwrap_err();
    }
    assert!(stopwatch.seconds() >= timeout);
    assert_eq!(metrics.shared_cache_breaker_open.get(), 1);
    let stopwatch = Stopwatch::start(clock.as_ref());
    for _ in 0..1000 {
        cache.get(&key).await.unwrap_err();
    }
    assert!(stopwatch.seconds() < 100.0 * timeout);

    redis.thaw();
    eventually("it is used again", async || cache.get(&key).await.is_ok()).await;
    assert_eq!(metrics.shared_cache_breaker_open.get(), 0);
}
