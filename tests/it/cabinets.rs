//! Files that are unpacked from cabinets: conditions, ranges, and one unpacking for all who ask.

use std::time::Duration;

use bytesize::ByteSize;
use cab::CompressionType;
use futures_util::future::join_all;
use reqwest::{Method, Response, StatusCode};

use crate::support::{App, ID, Zip, eventually, random_bytes};
use crate::windows::{cabinet, serves_plain};

const PLAIN: &str = "/Quern32.pdb/44E4EC8C2F41492B9369D6B9A059577C2/Quern32.pdb";

fn original(seed: u64) -> Vec<u8> {
    [random_bytes(300_000, seed), vec![7; 200_000]].concat()
}

async fn upload(app: &App, bytes: &[u8]) {
    let packed = cabinet(CompressionType::MsZip, &[("Quern32.pdb", bytes)]);
    let key = format!("Quern32.pdb/{ID}/Quern32.pd_");
    let answer = app.upload(Zip::new().stored(&key, packed)).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
}

async fn ask(app: &App, method: Method, lines: &[(&str, &str)]) -> Response {
    let mut request = app.request(method, PLAIN);
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

/// How many requests made the server unpack, and how many shared what others had unpacked.
async fn unpacked(app: &App) -> (u64, u64) {
    let count = async |result: &str| {
        let name = format!("symbold_unpacked_files_total{{result=\"{result}\"}}");
        app.metric(&name).await
    };
    (count("unpacked").await, count("shared").await)
}

fn header<'answer>(answer: &'answer Response, name: &str) -> &'answer str {
    let value = answer.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_and_head_are_answered_before_unpacking() {
    let app = App::with(serves_plain).await;
    upload(&app, &original(1)).await;
    let head = ask(&app, Method::HEAD, &[]).await;
    assert_eq!(head.status(), StatusCode::OK);
    assert_eq!(header(&head, "accept-ranges"), "bytes");
    let (tag, modified) = (header(&head, "etag"), header(&head, "last-modified"));
    let not_modified = [
        ("if-none-match", tag),
        ("if-none-match", "*"),
        ("if-modified-since", modified),
    ];
    let failed = [
        ("if-match", "\"other\""),
        ("if-unmodified-since", "Mon, 01 Jan 2024 00:00:00 GMT"),
    ];
    let not_modified = not_modified.map(|line| (line, StatusCode::NOT_MODIFIED));
    let failed = failed.map(|line| (line, StatusCode::PRECONDITION_FAILED));
    for (line, status) in not_modified.into_iter().chain(failed) {
        for method in [Method::GET, Method::HEAD] {
            let answer = ask(&app, method, &[line]).await;
            assert_eq!(answer.status(), status, "{line:?}");
        }
    }
    assert_eq!(unpacked(&app).await, (0, 0));
    assert_eq!(app.storage_calls("fetch").await, 0);

    let whole = ask(
        &app,
        Method::GET,
        &[("if-match", tag), ("if-none-match", "\"x\"")],
    )
    .await;
    assert_eq!(whole.status(), StatusCode::OK);
    for name in ["etag", "last-modified", "accept-ranges", "cache-control"] {
        assert_eq!(header(&whole, name), header(&head, name), "{name}");
    }
    assert!(whole.bytes().await.unwrap() == original(1));
    let cab = app.head(&PLAIN.replace("32.pdb", "32.pd_")).await;
    assert_ne!(header(&cab, "etag"), tag, "two files have two tags");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_download_is_resumed() {
    let app = App::with(serves_plain).await;
    let bytes = original(2);
    upload(&app, &bytes).await;
    let tag = header(&ask(&app, Method::HEAD, &[]).await, "etag").to_owned();
    for (lines, part) in [
        (vec![("range", "bytes=0-9")], 0..10),
        (vec![("range", "bytes=123456-")], 123_456..500_000),
        (vec![("range", "bytes=-7")], 499_993..500_000),
        (
            vec![("range", "bytes=400000-"), ("if-range", &tag)],
            400_000..500_000,
        ),
    ] {
        let answer = ask(&app, Method::GET, &lines).await;
        assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT, "{lines:?}");
        let content_range = format!("bytes {}-{}/500000", part.start, part.end - 1);
        assert_eq!(header(&answer, "content-range"), content_range);
        assert_eq!(header(&answer, "etag"), tag);
        assert!(answer.bytes().await.unwrap() == bytes[part]);
    }
    let behind = ask(&app, Method::GET, &[("range", "bytes=500000-")]).await;
    assert_eq!(behind.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(header(&behind, "content-range"), "bytes */500000");
    let lines = [("range", "bytes=400000-"), ("if-range", "\"other\"")];
    let whole = ask(&app, Method::GET, &lines).await;
    assert_eq!(whole.status(), StatusCode::OK);
    assert!(whole.bytes().await.unwrap() == bytes);
    assert_eq!(unpacked(&app).await, (1, 5), "all are parts of one file");
    assert_eq!(app.missing().await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_who_ask_at_once_share_one_unpacking() {
    let app = App::with(serves_plain).await;
    let bytes = original(3);
    upload(&app, &bytes).await;
    let answers = join_all((0..12).map(|_| ask(&app, Method::GET, &[]))).await;
    for answer in answers {
        assert!(answer.bytes().await.unwrap() == bytes);
    }
    assert_eq!(unpacked(&app).await, (1, 11));
    assert_eq!(app.storage_calls("fetch").await, 1);
    let kept = app.metric("symbold_unpacked_bytes").await;
    assert_eq!(kept, bytes.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_cabinet_is_unpacked_anew() {
    let app = App::with(serves_plain).await;
    let mut tags = Vec::new();
    for seed in [4, 8] {
        upload(&app, &original(seed)).await;
        let answer = ask(&app, Method::GET, &[]).await;
        tags.push(header(&answer, "etag").to_owned());
        assert!(answer.bytes().await.unwrap() == original(seed));
    }
    assert_ne!(tags[0], tags[1]);
    let lines = [("range", "bytes=9-"), ("if-range", tags[0].as_str())];
    let whole = ask(&app, Method::GET, &lines).await;
    assert_eq!(whole.status(), StatusCode::OK, "it is another file now");
}

#[tokio::test(flavor = "multi_thread")]
async fn unpacked_files_are_kept_within_bounds() {
    let none = App::with(|config| {
        serves_plain(config);
        config.download.unpacked_kept = ByteSize::b(0);
    });
    let short = App::with(|config| {
        serves_plain(config);
        config.download.unpacked_for = Duration::from_millis(1);
    });
    for app in [none.await, short.await] {
        upload(&app, &original(6)).await;
        for times in 1..=2 {
            let answer = ask(&app, Method::GET, &[]).await;
            assert!(answer.bytes().await.unwrap() == original(6));
            eventually("it is kept no more", async || {
                app.metric("symbold_unpacked_bytes").await == 0
            })
            .await;
            assert_eq!(unpacked(&app).await, (times, 0));
        }
    }
}
