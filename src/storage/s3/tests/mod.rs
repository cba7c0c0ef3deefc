//! The storage on a server of the tests' own, and on a real one where there is one.

mod damage;
mod faults;
mod inventory;
mod parts;
mod stub;
mod wire;

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::config::Credentials;
use bytes::Bytes;
use bytesize::ByteSize;
use futures_util::TryStreamExt;

use self::stub::{BUCKET, Stub};
use self::wire::Call;
use super::*;
use crate::storage::{Part, contract};
use symbols::{Md5, Sha256};

const PATH: &str = "v1/xul.pdb/44E4EC8C2F41492B9369D6B9A059577C2/xul.sym";

async fn sdk_config() -> SdkConfig {
    let credentials = Credentials::new("access", "secret", None, None, "tests");
    aws_config::defaults(aws_config::BehaviorVersion::v2026_01_12())
        .http_client(client::http_client())
        .region(aws_config::Region::from_static("us-west-2"))
        .credentials_provider(credentials)
        .load()
        .await
}

fn settings(endpoint: &str) -> S3Config {
    S3Config {
        bucket: BUCKET.to_owned(),
        endpoint: endpoint.to_owned(),
        ..S3Config::default()
    }
}

async fn open(stub: &Stub, change: impl FnOnce(&mut S3Config)) -> Result<S3Storage, StorageError> {
    let mut config = settings(&stub.endpoint);
    change(&mut config);
    S3Storage::connect(&config, &sdk_config().await).await
}

async fn start() -> (Stub, S3Storage) {
    start_with(|_| {}).await
}

async fn start_with(change: impl FnOnce(&mut S3Config)) -> (Stub, S3Storage) {
    let stub = Stub::start().await;
    let storage = open(&stub, change).await.unwrap();
    (stub, storage)
}

/// Bytes of which no two stretches of a few kilobytes are alike.
fn bytes(length: usize) -> Vec<u8> {
    let words = (0_u32..).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes());
    words.take(length).collect()
}

/// A payload of a buffer and a range of a file.
fn payload(bytes: &[u8]) -> Payload {
    let (in_memory, in_file) = bytes.split_at(bytes.len().min(10));
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"before").unwrap();
    file.write_all(in_file).unwrap();
    file.write_all(b"after").unwrap();
    Payload::new(vec![
        Part::Memory(Bytes::copy_from_slice(in_memory)),
        Part::File {
            file: Arc::new(file),
            offset: 6,
            length: in_file.len() as u64,
        },
    ])
}

async fn put(storage: &S3Storage, bytes: &[u8]) -> Result<(), StorageError> {
    storage
        .put(PATH, payload(bytes), ObjectMeta::default())
        .await
}

async fn read(storage: &S3Storage) -> Result<Vec<u8>, StorageError> {
    let fetched = storage
        .fetch(PATH, None)
        .await?
        .expect("the object is there");
    contract::bytes_of(fetched).await
}

#[tokio::test]
async fn keeps_the_contract() {
    let (_stub, storage) = start().await;
    contract::check_storage(&storage).await;
}

#[tokio::test]
async fn keeps_the_contract_with_presigned_addresses() {
    let (_stub, storage) = start_with(|config| config.access = Access::Presign).await;
    contract::check_storage(&storage).await;
}

/// A bucket of its own on a real server, if one runs.
async fn real_store(change: impl FnOnce(&mut S3Config)) -> Option<S3Storage> {
    #[expect(clippy::disallowed_methods, reason = "the tests' own setting")]
    let Ok(endpoint) = std::env::var("TEST_S3_ENDPOINT") else {
        eprintln!("left out: a real S3 store (TEST_S3_ENDPOINT is not set; make test runs it)");
        return None;
    };
    let mut config = settings(&endpoint);
    let mut random = [0; 8];
    getrandom::fill(&mut random).unwrap();
    config.bucket = format!("test-{}", hex::encode(random));
    change(&mut config);
    let sdk_config = client::load(&config).await.unwrap();
    let bucket = client::new(&config, &sdk_config).create_bucket();
    bucket.bucket(&config.bucket).send().await.unwrap();
    Some(S3Storage::open(&config).await.unwrap())
}

#[tokio::test]
async fn keeps_the_contract_on_a_real_store() {
    if let Some(storage) = real_store(|_| {}).await {
        contract::check_storage(&storage).await;
    }
}

#[tokio::test]
async fn keeps_the_contract_on_a_real_store_in_parts_with_checksums() {
    let in_parts = |config: &mut S3Config| {
        config.requests.parts_from = ByteSize::mib(6);
        config.requests.part_size = ByteSize::mib(5);
        config.requests.checksum = true;
    };
    let Some(storage) = real_store(in_parts).await else {
        return;
    };
    contract::check_storage(&storage).await;
    let object = bytes(12 << 20);
    let meta = ObjectMeta {
        is_gzipped: true,
        original_size: Some(1),
        ..ObjectMeta::default()
    };
    let stored = storage.put(PATH, payload(&object), meta.clone()).await;
    stored.unwrap();
    assert!(read(&storage).await.unwrap() == object);
    assert_eq!(storage.head(PATH).await.unwrap().unwrap().meta, meta);
}

#[tokio::test]
async fn objects_are_sent_plainly_with_their_exact_length() {
    let (stub, storage) = start().await;
    let object = bytes(700_000);
    let meta = ObjectMeta {
        is_gzipped: true,
        content_type: Some("text/plain".to_owned()),
        original_size: Some(1 << 33),
        original_md5: Md5::parse("d41d8cd98f00b204e9800998ecf8427e"),
        original_sha256: Sha256::parse(&"e3b0c442".repeat(8)),
    };
    storage.put(PATH, payload(&object), meta).await.unwrap();
    let request = stub.requests(Call::Put).remove(0);
    assert!(request.body == object);
    for (name, value) in [
        ("content-length", "700000"),
        ("content-encoding", "gzip"),
        ("content-type", "text/plain"),
        ("x-amz-meta-original_size", "8589934592"),
        (
            "x-amz-meta-original_md5_hash",
            "d41d8cd98f00b204e9800998ecf8427e",
        ),
        ("x-amz-meta-original_sha256_hash", &"e3b0c442".repeat(8)),
    ] {
        assert_eq!(request.headers[name], value, "{name}");
    }
    for name in ["transfer-encoding", "x-amz-trailer", "x-amz-checksum-crc32"] {
        assert!(!request.headers.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn a_checksum_is_sent_where_the_store_takes_it() {
    let (stub, storage) = start_with(|config| config.requests.checksum = true).await;
    put(&storage, b"123456789").await.unwrap();
    let request = stub.requests(Call::Put).remove(0);
    // The check value of CRC-32, cbf43926, in Base64.
    assert_eq!(request.headers["x-amz-checksum-crc32"], "y/Q5Jg==");
    assert!(!request.headers.contains_key("content-encoding"));
    assert_eq!(request.body, "123456789");
}

#[tokio::test]
async fn one_connection_serves_calls_with_different_deadlines() {
    let (stub, storage) = start().await;
    for length in [10, 500_000] {
        put(&storage, &bytes(length)).await.unwrap();
        storage.head(PATH).await.unwrap();
        read(&storage).await.unwrap();
        storage.check().await.unwrap();
    }
    assert_eq!(stub.connections(), 1);
}

#[tokio::test]
async fn a_large_object_is_read_no_faster_than_it_is_asked_for() {
    let (stub, storage) = start().await;
    let length = 64 << 20;
    stub.store(PATH, &[], vec![7; length]);
    let fetched = storage.fetch(PATH, None).await.unwrap().unwrap();
    let mut stream = fetched.bytes.into_stream();
    let first = stream.try_next().await.unwrap().unwrap();
    assert!(first.len() <= 1 << 20);
    assert!(stub.sent() < length, "the rest is still to be sent");
    let mut read = first.len();
    while let Some(piece) = stream.try_next().await.unwrap() {
        read += piece.len();
    }
    assert_eq!(read, length);
}

#[tokio::test]
async fn objects_that_others_stored_are_understood() {
    let (stub, storage) = start().await;
    let by_tecken = [
        ("Content-Type", "text/plain"),
        ("Content-Encoding", "gzip"),
        ("X-Amz-Meta-Original_Size", "1234"),
        (
            "x-amz-meta-original_md5_hash",
            "D41D8CD98F00B204E9800998ECF8427E",
        ),
    ];
    stub.store("v1/a/AB/a.sym", &by_tecken, "gzipped");
    let info = storage.head("v1/a/AB/a.sym").await.unwrap().unwrap();
    let expected = ObjectMeta {
        is_gzipped: true,
        content_type: Some("text/plain".to_owned()),
        original_size: Some(1234),
        original_md5: Md5::parse("d41d8cd98f00b204e9800998ecf8427e"),
        original_sha256: None,
    };
    assert_eq!((info.meta, info.stored_size), (expected.clone(), 7));
    assert_eq!(info.modified_at.unix_timestamp(), 1_445_412_480);
    let fetched = storage.fetch("v1/a/AB/a.sym", None).await.unwrap().unwrap();
    assert_eq!(fetched.info.meta, expected);

    let by_hand = [("content-type", "binary/octet-stream")];
    stub.store("v1/b/AB/b.pd_", &by_hand, "bytes");
    let info = storage.head("v1/b/AB/b.pd_").await.unwrap().unwrap();
    assert_eq!(info.meta, ObjectMeta::default());

    let strange = [
        ("content-encoding", "aws-chunked, gzip"),
        ("x-amz-meta-original_size", "-1"),
        ("x-amz-meta-original_md5_hash", "none"),
        ("x-amz-meta-original_sha256_hash", "d41d"),
    ];
    stub.store("v1/c/AB/c.sym", &strange, "bytes");
    let info = storage.head("v1/c/AB/c.sym").await.unwrap().unwrap();
    let expected = ObjectMeta {
        is_gzipped: true,
        ..ObjectMeta::default()
    };
    assert_eq!(info.meta, expected);
}

#[tokio::test]
async fn addresses_are_those_that_the_configuration_says() {
    let stub = Stub::start().await;
    let address = async |change: &dyn Fn(&mut S3Config)| {
        let storage = open(&stub, change).await.unwrap();
        storage.address("v1/c++filt/AB/a b.sym").await.unwrap()
    };
    let path = "v1/c%2B%2Bfilt/AB/a%20b.sym";
    let own = address(&|_| {}).await.unwrap();
    assert_eq!(own.url, format!("{}/{BUCKET}/{path}", stub.endpoint));
    assert_eq!(own.good_for, None);
    let public = address(&|config| "https://cdn.example.com/s/".clone_into(&mut config.public_url));
    let public = public.await.unwrap();
    assert_eq!(public.url, format!("https://cdn.example.com/s/{path}"));
    let presigned = address(&|config| config.access = Access::Presign)
        .await
        .unwrap();
    let (plain, query) = presigned.url.split_once('?').unwrap();
    assert_eq!(plain, own.url);
    assert!(query.contains("X-Amz-Expires=600") && query.contains("X-Amz-Signature="));
    assert!(query.contains("X-Amz-SignedHeaders=host&"), "{query}");
    assert_eq!(presigned.good_for, Some(Duration::from_mins(10)));
    assert_eq!(address(&|config| config.access = Access::Proxy).await, None);
    assert!(stub.requests(Call::Get).is_empty());
}

#[tokio::test]
async fn an_object_of_amazons_has_amazons_address() {
    let mut config = settings("");
    for (bucket, base) in [
        (BUCKET, "https://symbols.s3.us-west-2.amazonaws.com"),
        ("a.b", "https://s3.us-west-2.amazonaws.com/a.b"),
    ] {
        bucket.clone_into(&mut config.bucket);
        let client = client::new(&config, &sdk_config().await);
        let addresses = Addresses::new(&config, &client).await.unwrap();
        let address = addresses.address(&client, bucket, "v1/x").await.unwrap();
        assert_eq!(address.unwrap().url, format!("{base}/v1/x"));
    }
}
