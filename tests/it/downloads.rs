//! Downloads: what clients get, and how often the storage is asked.

use std::fs;
use std::io::Read;

use flate2::read::GzDecoder;
use futures_util::future::join_all;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};

use crate::support::backends::needs_embedded_storage;
use crate::support::{Answer, App, ID, Zip, random_bytes, sym};

const KEY: &str = "xul.pdb/44E4EC8C2F41492B9369D6B9A059577C2/xul.sym";
const MISSING: &str = "/none.pdb/44E4EC8C2F41492B9369D6B9A059577C2/none.sym";

async fn with_xul() -> App {
    let app = App::start().await;
    let zip = Zip::new()
        .file(KEY, sym("xul.pdb", ID, 500))
        .stored(&KEY.replace(".sym", ".pd_"), random_bytes(5000, 7));
    assert_eq!(app.upload(zip).await.status, StatusCode::CREATED);
    app
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .map_or("", |value: &'a HeaderValue| value.to_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_accept_gzip_get_it_and_others_do_not() {
    let app = with_xul().await;
    let original = sym("xul.pdb", ID, 500);
    let path = format!("/{KEY}");
    for accepted in ["gzip", "gzip, deflate, br", "br;q=1.0, gzip;q=0.8, *;q=0.1"] {
        let response = app
            .request(Method::GET, &path)
            .header("Accept-Encoding", accepted)
            .send()
            .await
            .unwrap();
        let headers = response.headers().clone();
        assert_eq!(text(&headers, "content-encoding"), "gzip", "{accepted}");
        let body = response.bytes().await.unwrap();
        assert_eq!(text(&headers, "content-length"), body.len().to_string());
        let mut inflated = Vec::new();
        GzDecoder::new(&*body).read_to_end(&mut inflated).unwrap();
        assert_eq!(inflated, original);
    }
    for accepted in ["", "*", "identity", "br, *;q=0", "gzip;q=0", "deflate"] {
        let mut request = app.request(Method::GET, &path);
        if !accepted.is_empty() {
            request = request.header("Accept-Encoding", accepted);
        }
        let response = request.send().await.unwrap();
        let headers = response.headers().clone();
        assert_eq!(response.status(), StatusCode::OK, "never 406: {accepted}");
        assert!(!headers.contains_key("content-encoding"), "{accepted}");
        assert_eq!(text(&headers, "content-length"), original.len().to_string());
        assert_eq!(text(&headers, "content-type"), "text/plain");
        assert_eq!(text(&headers, "vary"), "Accept-Encoding");
        assert_eq!(response.bytes().await.unwrap(), original);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn head_tells_what_get_would_send() {
    let app = with_xul().await;
    for path in [
        format!("/{KEY}"),
        format!("/{}", KEY.replace(".sym", ".pd_")),
    ] {
        for accepted in ["identity", "gzip"] {
            let ask = |method| {
                app.request(method, &path)
                    .header("Accept-Encoding", accepted)
                    .send()
            };
            let (get, head) = (
                ask(Method::GET).await.unwrap(),
                ask(Method::HEAD).await.unwrap(),
            );
            assert_eq!(head.status(), StatusCode::OK);
            for name in [
                "content-type",
                "content-length",
                "content-encoding",
                "etag",
                "vary",
            ] {
                assert_eq!(
                    text(head.headers(), name),
                    text(get.headers(), name),
                    "{name} of {path}"
                );
            }
            assert!(head.bytes().await.unwrap().is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_entity_tag_names_the_bytes() {
    let app = with_xul().await;
    let tag = async |accepted: &str| {
        let request = app
            .request(Method::GET, &format!("/{KEY}"))
            .header("Accept-Encoding", accepted);
        text(request.send().await.unwrap().headers(), "etag").to_owned()
    };
    let (plain, gzipped) = (tag("identity").await, tag("gzip").await);
    assert!(plain.starts_with('"') && plain.ends_with('"'));
    assert_ne!(plain, gzipped);
    assert_eq!(plain, tag("identity").await);
    app.upload(Zip::new().file(KEY, sym("xul.pdb", ID, 501)))
        .await;
    assert_ne!(plain, tag("identity").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_files_are_bytes_without_a_type() {
    let app = with_xul().await;
    let response = app.get(&format!("/{}", KEY.replace(".sym", ".pd_"))).await;
    assert_eq!(
        text(response.headers(), "content-type"),
        "application/octet-stream"
    );
    assert_eq!(
        text(response.headers(), "x-content-type-options"),
        "nosniff"
    );
    assert!(!response.headers().contains_key("vary"));
    assert_eq!(response.bytes().await.unwrap(), random_bytes(5000, 7));
}

const IGNORED: &str = "Symbol Not Found (and ignored)";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_found_says_so_in_plain_text() {
    let app = App::start().await;
    let zero = "0".repeat(33);
    for (path, body) in [
        (MISSING.to_owned(), "Symbol Not Found"),
        (format!("/foo.pdb/{ID}/foo.bar"), IGNORED),
        (format!("/foo.pdb/{ID}/foo.SYM"), IGNORED),
        (format!("/foo.pdb/{ID}/file.ptr"), IGNORED),
        (format!("/foo.pdb/{zero}/foo.sym"), IGNORED),
        (format!("/fo%3Co.pdb/{ID}/foo.bar"), IGNORED),
        (
            format!("/%E6%B1%89.pdb/{ID}/%E2%9A%A1%EF%B8%8F.sym"),
            "Symbol Not Found",
        ),
    ] {
        let response = app.get(&path).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        let content_type = text(response.headers(), "content-type").to_owned();
        assert_eq!(content_type, "text/plain; charset=utf-8");
        assert_eq!(response.text().await.unwrap(), body, "{path}");
        assert_eq!(app.head(&path).await.status(), StatusCode::NOT_FOUND);
    }
    assert_eq!(
        app.storage_calls("head").await,
        2,
        "only the two real lookups"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn illegal_names_are_refused_without_a_lookup() {
    let app = App::start().await;
    for name in [
        "fo%3Co", "a%23b", "a%27b", "a%5Cb", "a%0Ab", "%ff", "a%00b", "a%252Fb", "%C3%BC", "a%2Fb",
    ] {
        let response = app.get(&format!("/{name}.pdb/{ID}/foo.sym")).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{name}");
        let sentence = "Symbol name lookup contains invalid characters and will never be found.";
        assert_eq!(response.text().await.unwrap(), sentence);
    }
    assert_eq!(app.storage_calls("head").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_of_another_form_are_json_404() {
    let app = App::start().await;
    for path in [
        "/a/foo.pdb/AB/foo.sym",
        "/foo.pdb//AB/foo.sym",
        "/foo.pdb/XYZ/foo.sym",
        "/index2.txt",
        "/a/b",
        "/upload/b",
        "/api/b",
        "/api/AB",
        "/missingsymbols/b",
    ] {
        let answer = Answer::of(app.get(path).await).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(
            (answer.error(), &answer.json["path"]),
            ("Not Found", &path.into())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reserved_words_are_also_names() {
    let app = App::start().await;
    let routes = ["upload", "api", "v1", "missingsymbols", "metrics"];
    for name in routes.into_iter().chain(["try", "__heartbeat__"]) {
        let key = format!("{name}/AB12/{name}.sym");
        assert_eq!(
            app.upload(Zip::new().file(&key, name)).await.status,
            StatusCode::CREATED
        );
        assert_eq!(app.fetch(&key).await, name.as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_origin_may_read_and_preflights_are_answered() {
    let app = with_xul().await;
    for (method, path, status) in [
        (Method::GET, format!("/{KEY}"), 200),
        (Method::HEAD, format!("/{KEY}"), 200),
        (Method::GET, MISSING.to_owned(), 404),
        (Method::GET, format!("/a%3C/{ID}/a.sym"), 400),
        (Method::OPTIONS, format!("/{KEY}"), 204),
        (Method::POST, format!("/{KEY}"), 405),
        (Method::DELETE, format!("/{KEY}"), 405),
    ] {
        let response = app
            .request(method.clone(), &path)
            .header("Origin", "https://profiler.example")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), status, "{method} {path}");
        assert_eq!(text(response.headers(), "access-control-allow-origin"), "*");
        assert!(text(response.headers(), "access-control-allow-methods").contains("GET"));
        if status == 405 {
            assert_eq!(text(response.headers(), "allow"), "GET, HEAD, OPTIONS");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn debug_tells_the_time_of_a_lookup() {
    let app = with_xul().await;
    let time = async |path: &str, debug: &str| {
        let response = app
            .request(Method::GET, path)
            .header("Debug", debug)
            .send()
            .await
            .unwrap();
        text(response.headers(), "debug-time").to_owned()
    };
    for yes in ["1", "true", "YES"] {
        assert!(time(&format!("/{KEY}"), yes).await.parse::<f64>().unwrap() > 0.0);
        assert!(time(MISSING, yes).await.parse::<f64>().unwrap() > 0.0);
        assert_eq!(time("/a.pdb/AB/file.ptr", yes).await, "0");
        assert_eq!(time("/a%3C/AB/a.sym", yes).await, "0");
    }
    assert_eq!(time(&format!("/{KEY}"), "no").await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn lookups_are_remembered_and_refreshed_on_demand() {
    let app = with_xul().await;
    let base = app.storage_calls("head").await;
    let asked = async || app.storage_calls("head").await - base;
    for _ in 0..3 {
        assert_eq!(app.status(&format!("/{KEY}")).await, StatusCode::OK);
        assert_eq!(
            app.head(&format!("/{}", KEY.replace(ID, &ID.to_lowercase())))
                .await
                .status(),
            StatusCode::OK
        );
        assert_eq!(app.status(MISSING).await, StatusCode::NOT_FOUND);
    }
    assert_eq!(asked().await, 2, "one question for each key");
    app.status(&format!("{MISSING}?_refresh")).await;
    assert_eq!(asked().await, 3, "one more on demand");
    let hits = app
        .metric("symbold_cache_lookups_total{cache=\"catalog\",tier=\"local\",result=\"hit\"}")
        .await;
    assert_eq!(hits, 7, "{hits}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_ends_a_remembered_absence_at_once() {
    let app = App::start().await;
    assert_eq!(app.status(MISSING).await, StatusCode::NOT_FOUND);
    assert_eq!(
        app.status(&format!("/try{MISSING}")).await,
        StatusCode::NOT_FOUND
    );
    app.upload(Zip::new().file(&MISSING[1..], "text")).await;
    assert_eq!(app.fetch(&MISSING[1..]).await, b"text");
    assert_eq!(app.status(&format!("/try{MISSING}")).await, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_for_a_cold_key_ask_the_storage_once() {
    let app = App::start().await;
    let statuses = join_all((0..1000).map(|_| app.status(MISSING))).await;
    assert!(
        statuses
            .iter()
            .all(|status| *status == StatusCode::NOT_FOUND)
    );
    assert_eq!(app.storage_calls("head").await, 1);
    assert_eq!(app.missing().await[0]["count"], 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_vanished_is_not_found_and_forgotten() {
    if needs_embedded_storage("a_file_that_vanished_is_not_found_and_forgotten") {
        return;
    }
    let app = with_xul().await;
    assert_eq!(app.status(&format!("/{KEY}")).await, StatusCode::OK);
    fs::remove_file(app.data_dir().join("objects/v1").join(KEY)).unwrap();
    assert_eq!(app.status(&format!("/{KEY}")).await, StatusCode::NOT_FOUND);
    assert_eq!(
        app.head(&format!("/{KEY}")).await.status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_failure_is_503_and_neither_remembered_nor_counted() {
    if needs_embedded_storage("a_storage_failure_is_503_and_neither_remembered_nor_counted") {
        return;
    }
    let app = with_xul().await;
    let path = app.data_dir().join("objects/v1").join(KEY);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, b"damaged").unwrap();
    for method in [Method::GET, Method::HEAD] {
        let response = app
            .request(method, &format!("/{KEY}?_refresh"))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key("retry-after"));
        assert_eq!(text(response.headers(), "cache-control"), "no-store");
        let sentence = response.text().await.unwrap();
        assert!(
            !sentence.contains("short") && !sentence.contains("objects"),
            "inner details stay inside: {sentence}"
        );
    }
    fs::write(&path, whole).unwrap();
    assert_eq!(app.fetch(KEY).await, sym("xul.pdb", ID, 500));
    assert!(app.missing().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_cannot_be_read_to_its_end_is_cut_not_shortened() {
    if needs_embedded_storage("a_body_that_cannot_be_read_to_its_end_is_cut_not_shortened") {
        return;
    }
    let app = App::start().await;
    // Large enough that the answer is on its way long before the damage shows.
    app.upload(Zip::new().file(KEY, sym("xul.pdb", ID, 60_000)))
        .await;
    let path = app.data_dir().join("objects/v1").join(KEY);
    let mut bytes = fs::read(&path).unwrap();
    let late = bytes.len() - 2_000;
    bytes[late] ^= 0xff;
    fs::write(&path, bytes).unwrap();
    let response = app.get(&format!("/{KEY}")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.bytes().await.is_err(), "the connection must break");
}
