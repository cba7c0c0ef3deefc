//! Uploads whose archive is fetched from an address.

use std::time::Duration;

use reqwest::multipart::{Form, Part};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::remote::{Remote, empty, ok};
use crate::support::{Answer, App, ID, Zip, sym};

const KEY: &str = "byurl.pdb/44E4EC8C2F41492B9369D6B9A059577C2/byurl.sym";

fn archive() -> Vec<u8> {
    Zip::new().file(KEY, sym("byurl.pdb", ID, 100)).bytes()
}

/// A server that may fetch from the loopback address.
async fn app() -> App {
    app_that_waits(Duration::from_mins(1)).await
}

/// As [`app`], with how long it waits for a server that says nothing.
async fn app_that_waits(idle: Duration) -> App {
    App::with(move |config| {
        config.upload.by_url.domains = vec!["127.0.0.1".to_owned()];
        config.upload.by_url.allow_http = true;
        config.upload.by_url.allow_private = true;
        config.upload.idle = idle;
        config.upload.size = bytesize::ByteSize::kib(64);
    })
    .await
}

async fn upload(app: &App, url: &str) -> Answer {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("url", url)
        .finish();
    let request = app
        .request(Method::POST, "/upload/")
        .header("Auth-Token", &app.token)
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(form);
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_is_fetched_and_its_way_is_recorded() {
    let remote = Remote::start(vec![
        (
            "/a/byurl.zip",
            empty("302 Found", "Location: /b/elsewhere?signature=secret\r\n"),
        ),
        ("/b/elsewhere", ok(&archive())),
    ])
    .await;
    let app = app().await;
    let answer = upload(&app, &remote.url("/a/byurl.zip?token=secret")).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.json);
    let upload = &answer.json["upload"];
    assert_eq!(upload["filename"], "byurl.zip");
    assert_eq!(upload["download_url"], remote.url("/a/byurl.zip").as_str());
    assert_eq!(upload["redirect_urls"], json!([remote.url("/b/elsewhere")]));
    assert_eq!(app.fetch(KEY).await, sym("byurl.pdb", ID, 100));
    let record = app.record(&upload["id"]).await;
    assert!(!record.to_string().contains("secret"), "{record}");
    for request in remote.requests() {
        assert!(!request.to_lowercase().contains("auth-token"), "{request}");
        assert!(request.contains("accept-encoding: identity"), "{request}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_parts_may_name_the_address_too_and_ask_for_try() {
    let remote = Remote::start(vec![("/byurl.zip", ok(&archive()))]).await;
    let app = app().await;
    let form = Form::new()
        .text("url", remote.url("/byurl.zip"))
        .text("try", "1");
    let answer = app.upload_form(&app.token, form).await;
    assert_eq!(
        answer.json["upload"]["try_symbols"],
        json!(true),
        "{:?}",
        answer.json
    );
    let both = Form::new()
        .text("url", remote.url("/byurl.zip"))
        .part("a.zip", Part::bytes(archive()).file_name("a.zip"));
    let answer = app.upload_form(&app.token, both).await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::BAD_REQUEST, "file_and_url")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_other_server_does_wrong_decides_the_status() {
    let chunk = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![0; 70_000]].concat();
    let short = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n".to_vec(),
        vec![0; 70],
    ]
    .concat();
    let remote = Remote::start(vec![
        ("/403.zip", empty("403 Forbidden", "")),
        ("/502.zip", empty("502 Bad Gateway", "")),
        ("/429.zip", empty("429 Too Many Requests", "")),
        ("/206.zip", empty("206 Partial Content", "")),
        ("/gzip.zip", empty("200 OK", "Content-Encoding: gzip\r\n")),
        ("/loop.zip", empty("302 Found", "Location: /loop.zip\r\n")),
        ("/nowhere.zip", empty("302 Found", "")),
        (
            "/evil.zip",
            empty("302 Found", "Location: http://evil.example/x.zip\r\n"),
        ),
        (
            "/user.zip",
            empty("302 Found", "Location: http://127.0.0.1@10.0.0.1/x.zip\r\n"),
        ),
        ("/page.zip", ok(b"<html>please sign in</html>")),
        ("/endless.zip", chunk),
        ("/short.zip", short),
    ])
    .await;
    let app = app().await;
    for (path, status, code) in [
        ("/nosuch.zip", 400, "url_not_found"),
        ("/403.zip", 400, "url_not_found"),
        ("/502.zip", 502, "url_remote_failed"),
        ("/429.zip", 502, "url_remote_failed"),
        ("/206.zip", 400, "url_status"),
        ("/gzip.zip", 400, "url_encoding"),
        ("/loop.zip", 400, "url_redirects"),
        ("/nowhere.zip", 400, "url_redirects"),
        ("/evil.zip", 400, "url_domain"),
        ("/user.zip", 400, "url_domain"),
        ("/page.zip", 400, "not_a_zip"),
        ("/endless.zip", 413, "upload_too_large"),
        ("/short.zip", 502, "url_unreachable"),
        ("/archive.tar.gz", 400, "bad_extension"),
    ] {
        let answer = upload(&app, &remote.url(path)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (status, code),
            "{path}: {:?}",
            answer.json
        );
    }
    let loops = remote
        .requests()
        .iter()
        .filter(|head| head.contains("/loop.zip"))
        .count();
    assert_eq!(loops, 6, "the first request and five redirects");
    assert_eq!(app.storage_calls("put").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_silent_or_away_is_a_gateway_error() {
    let app = app_that_waits(Duration::from_millis(300)).await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let answer = upload(
        &app,
        &format!("http://{}/a.zip", silent.local_addr().unwrap()),
    )
    .await;
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (504, "url_timeout"),
        "{:?}",
        answer.json
    );
    let address = silent.local_addr().unwrap();
    drop(silent);
    let answer = upload(&app, &format!("http://{address}/a.zip")).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (502, "url_unreachable"),
        "{:?}",
        answer.json
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_leave_no_connection_is_made() {
    let remote = Remote::start(vec![("/byurl.zip", ok(&archive()))]).await;
    let app = App::with(|config| config.upload.by_url.domains = vec!["127.0.0.1".to_owned()]).await;
    for (url, sentence) in [
        (remote.url("/byurl.zip"), "Insecure URL"),
        (
            format!("https://{}/byurl.zip", remote.address),
            "Not an allowed domain ('127.0.0.1') to download from.",
        ),
        (
            "https://127.0.0.1/byurl.zip".to_owned(),
            "The destination of the URL is restricted",
        ),
        (
            "https://queue.example.com/byurl.zip".to_owned(),
            "Not an allowed domain ('queue.example.com') to download from.",
        ),
        ("nonsense".to_owned(), "Enter a valid URL."),
        (
            " ".to_owned(),
            "Must be multipart form data with at least one file",
        ),
    ] {
        let answer = upload(&app, &url).await;
        assert_eq!(
            (answer.status, answer.error()),
            (StatusCode::BAD_REQUEST, sentence),
            "{url}"
        );
    }
    assert!(remote.requests().is_empty());
}
