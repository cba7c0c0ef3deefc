//! Paths, methods and hosts as clients and proxies send them.

use reqwest::{Method, StatusCode};
use symbold::http::Network;

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

const SYMINFO: &str = "GET /api/syminfo/grain.dll/5E9A1234F000";

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
        (format!("GET ///grain.pdb/{ID}/grain.sym?x=/"), "", 200),
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
async fn a_host_that_is_none_is_refused_whatever_is_asked_for() {
    let app = with_grain().await;
    for target in [
        "/__lbheartbeat__",
        "//",
        "/api/syminfo/grain.dll/5E9A1234F000",
    ] {
        for host in ["", "x\"y", "a b", "host:8o", "user@host", "[::1"] {
            let mut connection = RawConnection::open(app.address).await;
            let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            connection.send(request).await;
            let answer = connection.read_answer().await;
            assert_eq!(
                (answer.status, &answer.json()["code"]),
                (400, &"bad_host".into()),
                "{host}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forwarded_hosts_are_believed_only_from_trusted_proxies() {
    let forwarded = "X-Forwarded-Host: outer.example\r\nX-Forwarded-Proto: https\r\nForwarded: host=evil.example\r\n";
    let nonsense = "X-Forwarded-Host: outer.example\r\nX-Forwarded-Proto: javascript\r\n";
    let path = format!("/grain.pdb/{ID}/grain.sym");
    let app = with_grain().await;
    for headers in [forwarded, nonsense] {
        let answer = ask(&app, SYMINFO, headers).await;
        assert_eq!(
            answer.json()["url"],
            format!("http://{}{path}", app.address)
        );
    }
    let trusting = app
        .beside(|config| {
            let network = Network::try_from("127.0.0.0/8".to_owned()).unwrap();
            config.server.trusted_proxies = vec![network];
        })
        .await;
    let answer = ask(&trusting, SYMINFO, forwarded).await;
    assert_eq!(answer.json()["url"], format!("https://outer.example{path}"));
    let answer = ask(&trusting, SYMINFO, nonsense).await;
    assert_eq!(answer.json()["code"], "bad_forwarded_proto");
    let named = app
        .beside(|config| config.server.public_url = "https://symbols.example/".to_owned())
        .await;
    for headers in [forwarded, nonsense] {
        let answer = ask(&named, SYMINFO, headers).await;
        assert_eq!(
            answer.json()["url"],
            format!("https://symbols.example{path}")
        );
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_gets_a_400_with_a_body() {
    let app = App::start().await;
    for request in [
        "GET /gr\u{e4}in.pdb/AB/x HTTP/1.1\r\nHost: x\r\n\r\n",
        "\u{1}\u{2}\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n",
    ] {
        let mut connection = RawConnection::open(app.address).await;
        connection.send(request).await;
        let answer = connection.read_answer().await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (400, &"unreadable".into()),
            "{request}"
        );
        assert_eq!(connection.read_to_close().await, "", "{request}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_that_are_none_get_a_400() {
    let app = App::start().await;
    for chunk in [
        "fffffffffffffffff\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
    ] {
        for path in ["/upload/", "/symupload"] {
            let mut connection = RawConnection::open(app.address).await;
            let request = format!(
                "POST {path}?key={0} HTTP/1.1\r\nHost: x\r\nAuth-Token: {0}\r\nTransfer-Encoding: chunked\r\n\
                 Content-Type: multipart/form-data; boundary=x\r\n\r\n{chunk}",
                app.token
            );
            connection.send(request).await;
            let answer = connection.read_to_close().await;
            assert!(
                answer.starts_with("HTTP/1.1 400 "),
                "{path} {chunk:?}: {answer}"
            );
            assert_eq!(
                answer.matches("HTTP/1.1 4").count(),
                1,
                "{path} {chunk:?}: {answer}"
            );
        }
    }
}
