//! Stores that are down, slow, refusing or cut off.

use super::stub::Fault;
use super::*;
use crate::clock::ManualClock;
use crate::metrics::{Metrics, StorageLabels};
use crate::storage::Metered;

fn is_unavailable(error: &StorageError, expected: &str) {
    assert!(matches!(error, StorageError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains(expected), "{error}");
}

fn is_timeout(error: &StorageError) {
    assert!(matches!(error, StorageError::TimedOut { .. }), "{error}");
}

#[tokio::test]
async fn a_body_is_sent_again_from_its_start() {
    for fault in [
        Fault::Answer(503, "SlowDown"),
        Fault::Answer(500, "InternalError"),
        Fault::Reset,
    ] {
        let (stub, storage) = start().await;
        stub.spoil(Call::Put, 1, fault);
        let object = bytes(3 << 20);
        put(&storage, &object).await.unwrap();
        assert!(stub.object(PATH).unwrap() == object, "{fault:?}");
        for request in stub.requests(Call::Put) {
            assert!(request.body == object, "{fault:?}");
            assert_eq!(request.headers["content-length"], object.len().to_string());
        }
    }
}

#[tokio::test]
async fn a_store_that_stays_down_is_asked_three_times() {
    let (stub, storage) = start().await;
    for call in [Call::Head, Call::Get, Call::Put] {
        stub.spoil_all(call, Fault::Answer(503, "SlowDown"));
    }
    is_unavailable(
        &put(&storage, b"x").await.unwrap_err(),
        "answered 503 SlowDown: so it is",
    );
    is_unavailable(&storage.head(PATH).await.unwrap_err(), "head: answered 503");
    is_unavailable(
        &storage.fetch(PATH, None).await.unwrap_err(),
        "fetch: answered 503 SlowDown",
    );
    for call in [Call::Head, Call::Get, Call::Put] {
        assert_eq!(stub.requests(call).len(), 3, "{call:?}");
    }
    assert_eq!(stub.object(PATH), None);
}

#[tokio::test]
async fn only_absence_is_absence() {
    let (stub, storage) = start().await;
    assert_eq!(storage.head(PATH).await.unwrap(), None);
    assert!(storage.fetch(PATH, None).await.unwrap().is_none());
    stub.spoil(Call::Get, 1, Fault::Answer(404, "NoSuchBucket"));
    is_unavailable(
        &storage.fetch(PATH, None).await.unwrap_err(),
        "404 NoSuchBucket",
    );
    for status in [301, 400, 401, 403, 405, 409, 412, 416] {
        stub.spoil(Call::Head, 1, Fault::Answer(status, "Whatever"));
        is_unavailable(&storage.head(PATH).await.unwrap_err(), &status.to_string());
        stub.spoil(Call::Get, 1, Fault::Answer(status, "Whatever"));
        is_unavailable(&storage.fetch(PATH, None).await.unwrap_err(), "Whatever");
    }
}

#[tokio::test]
async fn a_refusal_says_which_permission_may_be_missing() {
    let (stub, storage) = start().await;
    stub.spoil(Call::Head, 1, Fault::Answer(403, "AccessDenied"));
    is_unavailable(&storage.head(PATH).await.unwrap_err(), "s3:ListBucket");
    stub.spoil(Call::Get, 1, Fault::Answer(403, "AccessDenied"));
    is_unavailable(
        &storage.fetch(PATH, None).await.unwrap_err(),
        "s3:ListBucket",
    );
    stub.spoil(Call::Get, 1, Fault::Answer(403, "RequestTimeTooSkewed"));
    let error = storage.fetch(PATH, None).await.unwrap_err();
    is_unavailable(&error, "403 RequestTimeTooSkewed");
    assert!(!error.to_string().contains("s3:ListBucket"), "{error}");
}

#[tokio::test]
async fn a_store_without_room_is_full() {
    let (stub, storage) = start().await;
    for (status, code) in [(507, "InsufficientStorage"), (403, "QuotaExceeded")] {
        stub.spoil_all(Call::Put, Fault::Answer(status, code));
        let error = put(&storage, b"x").await.unwrap_err();
        assert!(matches!(error, StorageError::Full { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_body_that_is_cut_is_an_error() {
    let (stub, storage) = start().await;
    stub.store(PATH, &[], bytes(500_000));
    for length in [0, 1, 100_000, 499_999] {
        stub.spoil(Call::Get, 1, Fault::CutAfter(length));
        is_unavailable(&read(&storage).await.unwrap_err(), "fetch");
    }
    assert!(read(&storage).await.unwrap() == bytes(500_000));
}

#[tokio::test]
async fn a_body_that_stands_still_is_an_error() {
    let stall = |config: &mut S3Config| config.requests.stall = Duration::from_millis(10);
    let (stub, storage) = start_with(stall).await;
    stub.store(PATH, &[], bytes(500_000));
    stub.spoil(Call::Get, 1, Fault::StallAfter(100_000));
    is_unavailable(&read(&storage).await.unwrap_err(), "minimum throughput");
}

#[tokio::test]
async fn silence_has_an_end() {
    let impatient = |config: &mut S3Config| {
        config.requests.lookup_attempt = Duration::from_millis(150);
        config.requests.lookup = Duration::from_millis(600);
        config.requests.put = Duration::from_millis(200);
    };
    let (stub, storage) = start_with(impatient).await;
    for call in [Call::Head, Call::Get, Call::Put, Call::HeadBucket] {
        stub.spoil_all(call, Fault::Silence);
    }
    is_timeout(&storage.head(PATH).await.unwrap_err());
    assert!(stub.requests(Call::Head).len() > 1, "it was tried again");
    is_timeout(&storage.fetch(PATH, None).await.unwrap_err());
    is_timeout(&put(&storage, b"x").await.unwrap_err());
    is_timeout(&storage.check().await.unwrap_err());
}

#[tokio::test]
async fn a_store_that_hangs_is_spared_until_it_answers() {
    let (stub, storage) = start_with(|config| {
        config.requests.lookup_attempt = Duration::from_millis(500);
        config.requests.lookup = Duration::from_millis(500);
    })
    .await;
    let clock = Arc::new(ManualClock::at(time::OffsetDateTime::UNIX_EPOCH));
    let (metrics, time) = (Metrics::default(), Arc::clone(&clock) as _);
    let storage = Metered::new(Arc::new(storage), metrics.clone(), time);
    stub.spoil_all(Call::Head, Fault::Silence);
    let head = || storage.head(PATH);
    let (first, second, other) = tokio::join!(head(), head(), storage.fetch(PATH, None));
    is_timeout(&first.unwrap_err());
    is_timeout(&second.unwrap_err());
    assert_eq!(other.unwrap().map(|it| it.range), None, "it does not hang");
    for _ in 0..2 {
        is_timeout(&storage.head(PATH).await.unwrap_err());
    }
    let asked = stub.requests(Call::Head).len();
    is_timeout(&storage.head(PATH).await.unwrap_err());
    is_timeout(&storage.fetch(PATH, None).await.unwrap_err());
    assert_eq!(stub.requests(Call::Head).len(), asked, "it is spared");
    assert_eq!(stub.requests(Call::Get).len(), 1, "the first one");
    let spared = |operation| StorageLabels {
        operation,
        outcome: "spared",
    };
    for operation in ["head", "fetch"] {
        let calls = &metrics.storage_calls;
        assert_eq!(calls.get_or_create(&spared(operation)).get(), 1);
    }
    stub.mend();
    clock.advance(Duration::from_secs(1));
    for _ in 0..2 {
        assert_eq!(storage.head(PATH).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_payload_that_cannot_be_read_is_an_error() {
    let (stub, storage) = start().await;
    let short = Payload::new(vec![Part::File {
        file: Arc::new(tempfile::tempfile().unwrap()),
        offset: 0,
        length: 10,
    }]);
    let error = storage
        .put(PATH, short, ObjectMeta::default())
        .await
        .unwrap_err();
    is_unavailable(&error, "put");
    assert_eq!(stub.object(PATH), None);
}

#[tokio::test]
async fn a_bucket_that_cannot_be_used_is_told_at_the_start_with_the_setting() {
    for (status, code, advice) in [
        (404, "NoSuchBucket", "look at storage.bucket"),
        (403, "InvalidAccessKeyId", "look at the credentials"),
        (403, "AccessDenied", "s3:ListBucket"),
        (
            301,
            "PermanentRedirect",
            "the region eu-north-1: look at storage.region",
        ),
        (500, "InternalError", "look at storage.endpoint"),
    ] {
        let stub = Stub::start().await;
        stub.spoil_all(Call::HeadBucket, Fault::Answer(status, code));
        stub.spoil_all(Call::List, Fault::Answer(status, code));
        let error = open(&stub, |_| {}).await.unwrap_err();
        is_unavailable(&error, advice);
        is_unavailable(&error, code);
    }
}

#[tokio::test]
async fn an_endpoint_where_nobody_listens_is_told_at_the_start() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let opened = S3Storage::connect(&settings(&endpoint), &sdk_config().await).await;
    let error = opened.unwrap_err();
    is_unavailable(&error, "look at storage.endpoint");
    is_unavailable(&error, "Connection refused");
}
