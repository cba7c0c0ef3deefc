//! Downloads as a good static server gives them: conditions, ranges, and what caches are told.

use reqwest::header::HeaderMap;
use reqwest::{Method, Response, StatusCode};

use crate::support::backends::needs_embedded_storage;
use crate::support::{App, ID, Zip, random_bytes, sym};

/// A file that is stored gzipped.
const SYM: &str = "/a.pdb/44E4EC8C2F41492B9369D6B9A059577C2/a.sym";

/// A file that is stored as it is, of two pieces.
const CAB: &str = "/a.pdb/44E4EC8C2F41492B9369D6B9A059577C2/a.pd_";

fn cab() -> Vec<u8> {
    random_bytes(300_000, 11)
}

fn archive(functions: u32) -> Zip {
    let sym = sym("a.pdb", ID, functions);
    Zip::new().file(&SYM[1..], sym).stored(&CAB[1..], cab())
}

async fn start() -> App {
    let app = App::start().await;
    assert_eq!(app.upload(archive(100)).await.status, StatusCode::CREATED);
    app
}

async fn ask(app: &App, method: Method, path: &str, lines: &[(&str, &str)]) -> Response {
    let mut request = app.request(method, path);
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

async fn get(app: &App, path: &str, lines: &[(&str, &str)]) -> Response {
    ask(app, Method::GET, path, lines).await
}

fn text(headers: &HeaderMap, name: &str) -> String {
    let value = headers.get(name).map(|value| value.to_str().unwrap());
    value.unwrap_or_default().to_owned()
}

/// Answers to both GET and HEAD have this status; the body of the last one is empty.
async fn both_say(app: &App, path: &str, lines: &[(&str, &str)], status: StatusCode) -> HeaderMap {
    let head = ask(app, Method::HEAD, path, lines).await;
    assert_eq!(head.status(), status, "HEAD {path} {lines:?}");
    let answer = get(app, path, lines).await;
    assert_eq!(answer.status(), status, "GET {path} {lines:?}");
    answer.headers().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_a_file_is_told_so_without_its_bytes() {
    let app = start().await;
    for (path, accepted) in [(SYM, "gzip"), (SYM, "identity"), (CAB, "gzip")] {
        let accept = ("accept-encoding", accepted);
        let first = get(&app, path, &[accept]).await.headers().clone();
        let (tag, modified) = (text(&first, "etag"), text(&first, "last-modified"));
        let fetched = app.storage_calls("fetch").await;
        let weak = format!("\"x\", W/{tag}");
        for condition in [
            ("if-none-match", tag.as_str()),
            ("if-none-match", &weak),
            ("if-none-match", "*"),
            ("if-modified-since", &modified),
        ] {
            let headers =
                both_say(&app, path, &[accept, condition], StatusCode::NOT_MODIFIED).await;
            for name in ["etag", "last-modified", "cache-control", "vary"] {
                assert_eq!(text(&headers, name), text(&first, name), "{name}");
            }
            assert!(
                !headers.contains_key("content-type") && !headers.contains_key("content-length")
            );
        }
        assert_eq!(
            app.storage_calls("fetch").await,
            fetched,
            "no file was opened"
        );
        for condition in [
            ("if-none-match", "\"other\""),
            ("if-modified-since", "Sat, 01 Jan 2000 00:00:00 GMT"),
            ("if-match", &tag),
            ("if-unmodified-since", &modified),
        ] {
            both_say(&app, path, &[accept, condition], StatusCode::OK).await;
        }
        for condition in [
            ("if-match", "\"other\""),
            ("if-match", &weak),
            ("if-unmodified-since", "Sat, 01 Jan 2000 00:00:00 GMT"),
        ] {
            let headers = both_say(
                &app,
                path,
                &[accept, condition],
                StatusCode::PRECONDITION_FAILED,
            )
            .await;
            assert_eq!(text(&headers, "cache-control"), "no-store");
        }
    }
    let gzipped = get(&app, SYM, &[("accept-encoding", "gzip")]).await;
    let condition = ("if-none-match", text(gzipped.headers(), "etag"));
    both_say(&app, SYM, &[(condition.0, &condition.1)], StatusCode::OK).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_range_is_answered_with_just_these_bytes() {
    let app = start().await;
    let whole = cab();
    let tag = text(get(&app, CAB, &[]).await.headers(), "etag");
    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=0-134217727", 0, 300_000),
        ("bytes=262143-262144", 262_143, 262_145),
        ("bytes=1-299998", 1, 299_999),
        ("bytes=299999-", 299_999, 300_000),
        ("bytes=-7", 299_993, 300_000),
        ("bytes=-999999999", 0, 300_000),
    ] {
        let accept = ("accept-encoding", "br,deflate,gzip,zstd");
        let answer = get(&app, CAB, &[("range", range), accept]).await;
        assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT, "{range}");
        let headers = answer.headers().clone();
        let told = format!("bytes {from}-{}/300000", to - 1);
        assert_eq!(text(&headers, "content-range"), told);
        assert_eq!(text(&headers, "content-length"), (to - from).to_string());
        assert_eq!(text(&headers, "etag"), tag);
        assert_eq!(text(&headers, "accept-ranges"), "bytes");
        assert!(answer.bytes().await.unwrap() == whole[from..to], "{range}");
    }
    for range in ["bytes=300000-", "bytes=-0", "bytes=999999-1000000"] {
        let answer = get(&app, CAB, &[("range", range)]).await;
        assert_eq!(
            answer.status(),
            StatusCode::RANGE_NOT_SATISFIABLE,
            "{range}"
        );
        assert_eq!(text(answer.headers(), "content-range"), "bytes */300000");
        assert_eq!(text(answer.headers(), "cache-control"), "no-store");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_ranges_and_those_of_gzipped_files_get_the_whole() {
    let app = start().await;
    let many = format!("bytes={}", vec!["0-0"; 1000].join(","));
    for range in ["bytes=0-0,2-3", &many, "lines=0-1", "bytes=9-1", "bytes=x"] {
        let answer = get(&app, CAB, &[("range", range)]).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(!answer.headers().contains_key("content-range"));
        assert!(answer.bytes().await.unwrap() == cab());
    }
    let answer = ask(&app, Method::HEAD, CAB, &[("range", "bytes=0-0")]).await;
    assert_eq!(answer.status(), StatusCode::OK, "ranges are of GET alone");
    assert_eq!(text(answer.headers(), "content-length"), "300000");
    for accepted in ["gzip", "identity"] {
        let lines = [("range", "bytes=5-9"), ("accept-encoding", accepted)];
        let answer = get(&app, SYM, &lines).await;
        assert_eq!(answer.status(), StatusCode::OK, "{accepted}");
        assert_eq!(text(answer.headers(), "accept-ranges"), "none");
        assert!(!answer.headers().contains_key("content-range"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_download_goes_on_only_with_the_same_version() {
    let app = start().await;
    let first = get(&app, CAB, &[]).await.headers().clone();
    let (tag, modified) = (text(&first, "etag"), text(&first, "last-modified"));
    let weak = format!("W/{tag}");
    for (condition, status) in [
        (tag.as_str(), StatusCode::PARTIAL_CONTENT),
        (&modified, StatusCode::PARTIAL_CONTENT),
        ("\"other\"", StatusCode::OK),
        (&weak, StatusCode::OK),
        ("Sat, 01 Jan 2000 00:00:00 GMT", StatusCode::OK),
        ("nonsense", StatusCode::OK),
    ] {
        let lines = [("range", "bytes=100-"), ("if-range", condition)];
        let answer = get(&app, CAB, &lines).await;
        assert_eq!(answer.status(), status, "{condition}");
        let from = if status == StatusCode::OK { 0 } else { 100 };
        assert!(answer.bytes().await.unwrap() == cab()[from..]);
    }
    // An out-of-range request for a version that is gone is answered with the new one as a whole.
    let lines = [("range", "bytes=300000-"), ("if-range", "\"other\"")];
    assert_eq!(get(&app, CAB, &lines).await.status(), StatusCode::OK);
}

/// What another program does that writes into the storage.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_is_of_the_version_that_its_headers_name() {
    if needs_embedded_storage("what_is_sent_is_of_the_version_that_its_headers_name") {
        return;
    }
    let (app, other) = (start().await, App::start().await);
    let before = get(&app, CAB, &[]).await.headers().clone();
    let replaced = random_bytes(200_000, 12);
    other.upload(Zip::new().stored(&CAB[1..], &replaced)).await;
    let object = format!("objects/v1{CAB}");
    let replace = |from: &App| {
        let bytes = std::fs::read(from.data_dir().join(&object)).unwrap();
        let aside = app.data_dir().join("aside");
        std::fs::write(&aside, bytes).unwrap();
        std::fs::rename(aside, app.data_dir().join(&object)).unwrap();
    };
    replace(&other);
    // Only now the server notices: the range that fits both versions is not cut out of the new one.
    let answer = get(&app, CAB, &[("range", "bytes=100-199")]).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_ne!(answer.headers()["etag"], before["etag"]);
    assert_eq!(text(answer.headers(), "content-length"), "200000");
    assert!(answer.bytes().await.unwrap() == replaced);
    let answer = get(&app, CAB, &[("range", "bytes=100-199")]).await;
    assert_eq!(
        answer.status(),
        StatusCode::PARTIAL_CONTENT,
        "it was noticed"
    );
    // Conditions are about the file as it is, too.
    let tag = text(get(&app, CAB, &[]).await.headers(), "etag");
    let fresh = start().await;
    let bytes = std::fs::read(fresh.data_dir().join(&object)).unwrap();
    std::fs::write(app.data_dir().join(&object), bytes).unwrap();
    let answer = get(&app, CAB, &[("if-match", &tag)]).await;
    assert_eq!(answer.status(), StatusCode::PRECONDITION_FAILED);
}

#[tokio::test(flavor = "multi_thread")]
async fn caches_are_told_how_long_an_answer_is_good() {
    let app = start().await;
    let told =
        async |app: &App, path: &str| text(get(app, path, &[]).await.headers(), "cache-control");
    for path in [SYM, CAB] {
        assert_eq!(told(&app, path).await, "public, max-age=3600, no-transform");
    }
    let none = format!("/none.pdb/{ID}/none.sym");
    let ignored = format!("/a.pdb/{ID}/file.ptr");
    let illegal = format!("/a%3C.pdb/{ID}/a.sym");
    for path in [none.as_str(), &ignored, &illegal, "/a/b"] {
        assert_eq!(told(&app, path).await, "no-store", "{path}");
    }
    let timed = get(&app, SYM, &[("debug", "true")]).await;
    assert_eq!(text(timed.headers(), "cache-control"), "no-store");
    let asking = app
        .beside(|config| config.download.max_age = std::time::Duration::ZERO)
        .await;
    assert_eq!(told(&asking, SYM).await, "public, no-cache, no-transform");
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_may_show_text_and_nothing_else() {
    let app = start().await;
    let symbols = get(&app, SYM, &[]).await.headers().clone();
    assert_eq!(text(&symbols, "content-disposition"), "");
    let other = get(&app, CAB, &[]).await.headers().clone();
    assert_eq!(text(&other, "content-disposition"), "attachment");
    for path in [
        SYM,
        CAB,
        "/none.pdb/AB/none.sym",
        "/",
        "/metrics",
        "/x",
        "/upload/",
    ] {
        let answer = get(&app, path, &[]).await;
        assert_eq!(text(answer.headers(), "x-content-type-options"), "nosniff");
    }
    let preflight = ask(&app, Method::OPTIONS, SYM, &[]).await.headers().clone();
    assert!(text(&preflight, "access-control-allow-headers").contains("if-range"));
    assert_eq!(text(&preflight, "access-control-max-age"), "86400");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_products_paths_are_the_plain_ones() {
    let app = start().await;
    for product in [
        "firefox",
        "seamonkey",
        "sunbird",
        "thunderbird",
        "xulrunner",
        "fennec",
        "b2g",
    ] {
        both_say(&app, &format!("/{product}{SYM}"), &[], StatusCode::OK).await;
    }
    let unknown = get(&app, &format!("/chrome{SYM}"), &[]).await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    let none = format!("/firefox/none.pdb/{ID}/none.sym");
    assert_eq!(app.status(&none).await, StatusCode::NOT_FOUND);
    assert_eq!(app.missing().await[0]["symbol"], "none.pdb");
}
