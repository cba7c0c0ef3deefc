//! Paths, methods and hosts as clients and proxies send them.

use reqwest::{Method, StatusCode};

use crate::support::{App, ID, RawAnswer, RawConnection, Zip, sym};

/// The answer to a request whose target and further header lines are sent as they are.
async fn ask(app: &App, request_line: &str, headers: &str) -> RawAnswer {
    let mut connection = RawConnection::open(app.address).await;
    let request = format!(
        "{request_line} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n",
        app.address
    );
    connection.send(request).await;
    connection.read_answer().await
}

async fn with_grain() -> App {
    let app = App::start().await;
    let key = format!("grain.pdb/{ID}/grain.sym");
    let archive = Zip::new().file(&key, sym("grain.pdb", ID, 1));
    assert_eq!(app.upload(archive).await.status, StatusCode::CREATED);
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_slashes_at_the_start_of_a_path_and_after_try_are_one() {
    let app = with_grain().await;
    let token = format!("Auth-Token: {}\r\nContent-Length: 0\r\n", app.token);
    for (request_line, headers, status) in [
        (format!("GET //grain.pdb/{ID}/grain.sym"), "", 200),
        (format!("HEAD ///grain.pdb/{ID}/grain.sym?x=/"), "", 200),
        (format!("GET /try//grain.pdb/{ID}/grain.sym"), "", 200),
        (format!("GET //try///grain.pdb/{ID}/grain.sym"), "", 200),
        ("GET //api/syminfo/grain.dll/5E9A1234F000".into(), "", 200),
        (
            format!("GET //api/explain/grain.pdb/{ID}/grain.sym"),
            "",
            200,
        ),
        ("GET //__lbheartbeat__".into(), "", 200),
        ("GET //".into(), "", 200),
        ("GET //buildid/abcdef/debuginfo".into(), "", 404),
        ("POST //upload/auth_info".into(), token.as_str(), 200),
        ("POST ///v1/uploads:create".into(), token.as_str(), 200),
        ("POST //upload/".into(), token.as_str(), 400),
        (format!("GET //grain.pdb//{ID}/grain.sym"), "", 404),
    ] {
        let answer = ask(&app, &request_line, headers).await;
        assert_eq!(answer.status, status, "{request_line}: {}", answer.body);
    }
    // What is not found by its build id is no unknown path either.
    let answer = ask(&app, "GET //buildid/abcdef/debuginfo", "").await;
    assert!(!answer.body.contains("\"path\""), "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn head_is_get_without_a_body_wherever_get_is() {
    let app = App::start().await;
    for path in [
        "/",
        "/__version__",
        "/__heartbeat__",
        "/__lbheartbeat__",
        "/metrics",
        "/missingsymbols.csv?all",
        "/missingsymbols/",
        "/api/downloads/missing/",
        "/api/uploads/upload/1",
        &format!("/v1/symbols/grain.pdb/{ID}:checkStatus?key={}", app.token),
    ] {
        let (get, head) = (app.get(path).await, app.head(path).await);
        assert_eq!(head.status(), get.status(), "{path}");
        let of = |response: &reqwest::Response| response.headers()["content-type"].clone();
        if path != "/__lbheartbeat__" {
            assert_eq!(of(&head), of(&get), "{path}");
        }
        assert!(head.bytes().await.unwrap().is_empty(), "{path}");
    }
    for path in ["/upload/", "/symupload", "/v1/uploads:create"] {
        let head = app.head(path).await;
        assert_eq!(head.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn options_of_the_whole_server_are_told() {
    let app = App::start().await;
    let mut connection = RawConnection::open(app.address).await;
    let request = format!(
        "OPTIONS * HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        app.address
    );
    connection.send(request).await;
    let answer = connection.read_to_close().await;
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    assert!(
        answer.contains("allow: GET, HEAD, OPTIONS, POST, PUT"),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_name_of_gzip_is_gzip() {
    let app = with_grain().await;
    let path = format!("/grain.pdb/{ID}/grain.sym");
    for (accepted, encoding) in [
        ("x-gzip", Some("gzip")),
        ("deflate, X-GZIP;q=0.5", Some("gzip")),
        ("x-gzip;q=0", None),
        ("deflate", None),
    ] {
        let request = app.request(Method::GET, &path);
        let response = request.header("Accept-Encoding", accepted);
        let response = response.send().await.unwrap();
        let answered = response.headers().get("content-encoding").cloned();
        assert_eq!(
            answered.as_ref().map(|value| value.to_str().unwrap()),
            encoding,
            "{accepted}"
        );
    }
}
