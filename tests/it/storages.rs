//! Symbols in buckets and in several places.

use std::io::{Read, Write};
use std::path::Path;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::json;
use symbold::config::Config;
use symbold::server::Adaptors;
use symbold::storage::{Access, StorageConfig, StorageKind};

use crate::support::backends::s3_client;
use crate::support::{App, ID, Zip, random_bytes, sym};

const KEY: &str = "c++ filt.pdb/44E4EC8C2F41492B9369D6B9A059577C2/c++ filt.sym";
const URL_PATH: &str = "c%2B%2B%20filt.pdb/44E4EC8C2F41492B9369D6B9A059577C2/c%2B%2B%20filt.sym";

fn text() -> Vec<u8> {
    sym("c++ filt.pdb", ID, 500)
}

/// A bucket of a test's own on a real store.
struct Bucket {
    endpoint: String,
    name: String,
    client: Client,
}

impl Bucket {
    /// Makes a bucket, if a store runs.
    async fn make() -> Option<Self> {
        #[expect(clippy::disallowed_methods, reason = "the tests' own setting")]
        let Ok(endpoint) = std::env::var("TEST_S3_ENDPOINT") else {
            eprintln!("left out: symbols in S3 (TEST_S3_ENDPOINT is not set; make test runs it)");
            return None;
        };
        let client = s3_client(&endpoint).await;
        let mut random = [0; 8];
        getrandom::fill(&mut random).unwrap();
        let name = format!("test-{}", hex::encode(random));
        client.create_bucket().bucket(&name).send().await.unwrap();
        Some(Self {
            endpoint,
            name,
            client,
        })
    }

    fn settings(&self, access: Access) -> StorageConfig {
        StorageConfig {
            kind: StorageKind::S3,
            endpoint: self.endpoint.clone(),
            bucket: self.name.clone(),
            access,
            ..StorageConfig::default()
        }
    }

    /// A server that keeps its symbols here.
    async fn app(&self, access: Access) -> App {
        App::with(|config| config.storage = self.settings(access)).await
    }
}

fn archive() -> Vec<u8> {
    Zip::new().file(KEY, text()).bytes()
}

/// An archive of one `.sym` file, which differs by its number of functions.
fn archive_of(key: &str, functions: u32) -> Vec<u8> {
    Zip::new().file(key, sym("a.pdb", ID, functions)).bytes()
}

fn header<'headers>(headers: &'headers HeaderMap, name: &str) -> &'headers str {
    headers
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

async fn upload(app: &App, archive: Vec<u8>) {
    let answer = app.upload(archive).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.json);
}

#[tokio::test(flavor = "multi_thread")]
async fn redirect_sends_clients_to_the_public_address() {
    let Some(bucket) = Bucket::make().await else {
        return;
    };
    let app = bucket.app(Access::Redirect).await;
    upload(&app, archive()).await;
    let response = app.get(&format!("/{URL_PATH}")).await;
    assert_eq!(response.status(), StatusCode::FOUND);
    let expected = format!("{}/{}/v1/{URL_PATH}", bucket.endpoint, bucket.name);
    assert_eq!(header(response.headers(), "location"), expected);
    assert_eq!(
        header(response.headers(), "access-control-allow-origin"),
        "*"
    );
    assert_eq!(
        header(response.headers(), "cache-control"),
        "public, max-age=3600"
    );
    assert!(response.bytes().await.unwrap().is_empty());
    let response = app.head(&format!("/{URL_PATH}")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header(response.headers(), "location"), "");
    assert_eq!(header(response.headers(), "content-type"), "text/plain");
    assert_eq!(
        header(response.headers(), "content-length"),
        text().len().to_string()
    );
    assert_eq!(app.storage_calls("fetch").await, 0);
    assert_eq!(
        app.status(&format!("/none.pdb/{ID}/none.sym")).await,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn presigned_addresses_can_be_read_by_whoever_has_them() {
    let Some(bucket) = Bucket::make().await else {
        return;
    };
    let app = bucket.app(Access::Presign).await;
    upload(&app, archive()).await;
    let response = app.get(&format!("/{URL_PATH}")).await;
    assert_eq!(response.status(), StatusCode::FOUND);
    assert_eq!(
        header(response.headers(), "cache-control"),
        "private, max-age=540"
    );
    let location = header(response.headers(), "location").to_owned();
    let object = app.client.get(&location).send().await.unwrap();
    assert_eq!(object.status(), StatusCode::OK);
    assert_eq!(header(object.headers(), "content-encoding"), "gzip");
    assert_eq!(header(object.headers(), "content-type"), "text/plain");
    let gzipped = object.bytes().await.unwrap();
    let mut inflated = Vec::new();
    GzDecoder::new(&gzipped[..])
        .read_to_end(&mut inflated)
        .unwrap();
    assert!(inflated == text());
}

#[tokio::test(flavor = "multi_thread")]
async fn proxy_sends_the_bytes() {
    let Some(bucket) = Bucket::make().await else {
        return;
    };
    let app = bucket.app(Access::Proxy).await;
    let cab = format!("a.pdb/{ID}/a.pd_");
    let archive = Zip::new().file(KEY, text());
    let archive = archive.stored(&cab, random_bytes(300_000, 3)).bytes();
    upload(&app, archive.clone()).await;
    assert!(app.fetch(URL_PATH).await == text());
    assert!(app.fetch(&cab).await == random_bytes(300_000, 3));
    let again = app.upload(archive).await.json;
    assert_eq!(again["upload"]["skipped_keys"], json!([KEY, cab]));
    assert_eq!(again["upload"]["bucket"], json!(bucket.name));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_tecken_filled_is_served_and_not_uploaded_again() {
    let Some(bucket) = Bucket::make().await else {
        return;
    };
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(&text()).unwrap();
    let gzipped = encoder.finish().unwrap();
    let digest = <md5::Md5 as md5::Digest>::digest(text());
    let request = bucket.client.put_object().bucket(&bucket.name);
    request
        .key(format!("v1/{KEY}"))
        .content_encoding("gzip")
        .content_type("text/plain")
        .metadata("original_size", text().len().to_string())
        .metadata("original_md5_hash", hex::encode(digest))
        .body(ByteStream::from(gzipped))
        .send()
        .await
        .unwrap();
    let app = bucket.app(Access::Proxy).await;
    assert!(app.fetch(URL_PATH).await == text());
    assert_eq!(
        app.upload(archive()).await.json["upload"]["skipped_keys"],
        json!([KEY])
    );
    assert_eq!(app.storage_calls("put").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_not_there_is_told_at_the_start() {
    let Some(bucket) = Bucket::make().await else {
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let mut config = Config {
        data_dir: data.path().display().to_string(),
        storage: bucket.settings(Access::Redirect),
        ..Config::default()
    };
    "no-such-bucket".clone_into(&mut config.storage.bucket);
    let error = format!("{:#}", Adaptors::open(&config).await.unwrap_err());
    assert!(
        error.contains("look at storage.bucket") && error.contains("NoSuchBucket"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn further_places_are_asked_in_order_and_never_written_to() {
    let (first, second) = (App::start().await, App::start().await);
    let (shared, only_second) = (format!("a.pdb/{ID}/a.sym"), format!("b.pdb/{ID}/b.sym"));
    upload(&first, archive_of(&shared, 1)).await;
    upload(&second, archive_of(&shared, 2)).await;
    upload(&second, archive_of(&only_second, 3)).await;
    let place = |data: &Path| StorageConfig {
        directory: data.join("objects").display().to_string(),
        ..StorageConfig::default()
    };
    let sources = vec![place(first.data_dir()), place(second.data_dir())];
    let app = App::with(|config| config.storage.sources = sources).await;
    assert!(app.fetch(&shared).await == sym("a.pdb", ID, 1));
    assert!(app.fetch(&only_second).await == sym("a.pdb", ID, 3));
    let absent = app.status(&format!("/c.pdb/{ID}/c.sym")).await;
    assert_eq!(absent, StatusCode::NOT_FOUND);
    upload(&app, archive_of(&shared, 4)).await;
    assert!(app.fetch(&shared).await == sym("a.pdb", ID, 4));
    assert!(first.fetch(&shared).await == sym("a.pdb", ID, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_can_be_a_further_place() {
    let Some(bucket) = Bucket::make().await else {
        return;
    };
    let owner = bucket.app(Access::Proxy).await;
    upload(&owner, archive()).await;
    let source = bucket.settings(Access::Redirect);
    let app = App::with(|config| config.storage.sources = vec![source]).await;
    let response = app.get(&format!("/{URL_PATH}")).await;
    assert_eq!(response.status(), StatusCode::FOUND);
    let own = format!("a.pdb/{ID}/a.sym");
    upload(&app, archive_of(&own, 1)).await;
    assert!(app.fetch(&own).await == sym("a.pdb", ID, 1));
}
