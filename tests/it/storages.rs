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
use symbold::storage::{Access, DiskConfig, S3Config, SourceConfig, StorageKind};

use crate::support::object_store;
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
        let client = object_store::client(&endpoint).await;
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

    fn settings(&self, access: Access) -> S3Config {
        S3Config {
            endpoint: self.endpoint.clone(),
            bucket: self.name.clone(),
            access,
            ..S3Config::default()
        }
    }

    /// A server that keeps its symbols here.
    async fn app(&self, access: Access) -> App {
        App::with(|config| config.storage.kind = StorageKind::S3(self.settings(access))).await
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
    let response = app.get_gzipped(&format!("/{URL_PATH}")).await;
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
    assert_eq!(header(response.headers(), "vary"), "Accept-Encoding");
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
    let response = app.get_gzipped(&format!("/{URL_PATH}")).await;
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
        ..Config::default()
    };
    config.storage.kind = StorageKind::S3(S3Config {
        bucket: "no-such-bucket".to_owned(),
        ..bucket.settings(Access::Redirect)
    });
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
    let place = |data: &Path| SourceConfig {
        kind: StorageKind::Disk(DiskConfig {
            directory: data.join("objects").display().to_string(),
        }),
        ..SourceConfig::default()
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
    let source = SourceConfig {
        kind: StorageKind::S3(bucket.settings(Access::Redirect)),
        ..SourceConfig::default()
    };
    let app = App::with(|config| config.storage.sources = vec![source]).await;
    let response = app.get_gzipped(&format!("/{URL_PATH}")).await;
    assert_eq!(response.status(), StatusCode::FOUND);
    let own = format!("a.pdb/{ID}/a.sym");
    upload(&app, archive_of(&own, 1)).await;
    assert!(app.fetch(&own).await == sym("a.pdb", ID, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_do_not_accept_gzip_get_text_through_the_server() {
    let Some(bucket) = Bucket::make().await else {
        return;
    };
    for access in [Access::Redirect, Access::Presign] {
        let app = bucket.app(access).await;
        let cab = format!("b.pdb/{ID}/b.pd_");
        let zip = Zip::new().file(KEY, text()).stored(&cab, "MSCF");
        upload(&app, zip.bytes()).await;
        for accepted in [None, Some("identity"), Some("gzip;q=0"), Some("*")] {
            let mut request = app.request(reqwest::Method::GET, &format!("/{URL_PATH}"));
            if let Some(accepted) = accepted {
                request = request.header("accept-encoding", accepted);
            }
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), StatusCode::OK, "{accepted:?}");
            assert_eq!(header(response.headers(), "content-encoding"), "");
            assert_eq!(header(response.headers(), "vary"), "Accept-Encoding");
            assert!(response.bytes().await.unwrap() == text());
        }
        let plain = app.get(&format!("/{cab}")).await;
        assert_eq!(plain.status(), StatusCode::FOUND, "it is not gzipped");
        assert_eq!(header(plain.headers(), "vary"), "");
    }
}

/// Names of files that need care in addresses.
const CAREFUL_NAMES: [&str; 9] = [
    "c++filt",
    "libstdc++.so.6",
    "汉.pdb",
    "🍪.pdb",
    "a b.pdb",
    "a~1.pdb",
    "q?x=1&y.pdb",
    "100:2.pdb",
    "@;=,$()*!.pdb",
];

/// Every byte of a path except the unreserved ones.
fn escaped(name: &str) -> String {
    let escape = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    name.bytes().map(escape).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_find_every_name_where_they_are_sent() {
    let Some(bucket) = Bucket::make().await else {
        return;
    };
    let (public, signed) = (
        bucket.app(Access::Redirect).await,
        bucket.app(Access::Presign).await,
    );
    let mut zip = Zip::new();
    for name in CAREFUL_NAMES {
        zip = zip.file(&format!("{name}/{ID}/{name}.dl_"), name);
    }
    upload(&public, zip.bytes()).await;
    for name in CAREFUL_NAMES {
        let path = format!("{0}/{ID}/{0}.dl_", escaped(name));
        let place = format!("{}/{}/v1/{path}", bucket.endpoint, bucket.name);
        let request = public.request(reqwest::Method::GET, &format!("/{path}"));
        // Where clients are sent is never theirs to say.
        let answer = request.header("Host", "evil.example").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FOUND, "{name}");
        assert_eq!(header(answer.headers(), "location"), place);
        for _ in 0..2 {
            let answer = signed.get(&format!("/{path}")).await;
            assert_eq!(answer.status(), StatusCode::FOUND, "{name}");
            let location = header(answer.headers(), "location");
            assert_eq!(location.split('?').next().unwrap(), place);
            let object = signed.client.get(location).send().await.unwrap();
            assert_eq!(object.status(), StatusCode::OK, "{name}");
            assert_eq!(object.text().await.unwrap(), name);
        }
        let head = signed.head(&format!("/{path}")).await;
        assert_eq!(head.status(), StatusCode::OK);
        assert_eq!(header(head.headers(), "location"), "");
        assert_eq!(
            header(head.headers(), "content-length"),
            name.len().to_string()
        );
    }
    let lookups = signed.storage_calls("head").await;
    assert_eq!(
        lookups,
        CAREFUL_NAMES.len() as u64,
        "keys are remembered, addresses are made anew"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_others_stored_are_served_as_far_as_they_say_what_they_are() {
    let Some(bucket) = Bucket::make().await else {
        return;
    };
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(&text()).unwrap();
    let put = |key: &str, body: Vec<u8>| {
        let request = bucket.client.put_object().bucket(&bucket.name);
        request
            .key(format!("v1/{key}"))
            .body(ByteStream::from(body))
    };
    let (sym, page) = (format!("a.pdb/{ID}/a.sym"), format!("a.pdb/{ID}/a.pd_"));
    let gzipped = put(&sym, encoder.finish().unwrap()).content_encoding("gzip");
    gzipped.send().await.unwrap();
    let html = b"<script>alert(1)</script>".to_vec();
    let stored = put(&page, html.clone())
        .content_type("text/html")
        .send()
        .await
        .unwrap();
    let app = bucket.app(Access::Proxy).await;
    assert!(
        app.fetch(&sym).await == text(),
        "inflated without knowing how long it is"
    );
    let head = app.head(&format!("/{sym}")).await;
    assert_eq!(head.status(), StatusCode::OK);
    assert_eq!(
        header(head.headers(), "content-length"),
        "",
        "the length is unknown"
    );
    let ask = |condition: &str| {
        let request = app.request(reqwest::Method::GET, &format!("/{page}"));
        request
            .header("range", "bytes=8-")
            .header("if-range", condition)
            .send()
    };
    let tag = stored.e_tag().unwrap();
    let part = ask(tag).await.unwrap();
    assert_eq!(
        part.status(),
        StatusCode::PARTIAL_CONTENT,
        "the store's own tag is used"
    );
    assert_eq!(header(part.headers(), "content-range"), "bytes 8-24/25");
    assert_eq!(header(part.headers(), "content-disposition"), "attachment");
    assert_eq!(part.bytes().await.unwrap(), html[8..]);
    // Replaced behind the server's back, in the same second and with the same length.
    let other = html.to_ascii_uppercase();
    put(&page, other.clone()).send().await.unwrap();
    let whole = ask(tag).await.unwrap();
    assert_eq!(whole.status(), StatusCode::OK);
    assert_eq!(whole.bytes().await.unwrap(), other);
}
