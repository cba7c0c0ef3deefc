//! Uploads byte by byte: when a client may send, how a refusal reaches it, and what no well-behaved client does.

use std::time::Duration;

use bytesize::ByteSize;
use reqwest::StatusCode;

use crate::support::{App, ID, RawConnection, Zip, eventually, random_bytes, sym};

const GIB: u64 = 1 << 30;

/// What may be on the way between two sockets of one machine beside what the server reads, in bytes.
const IN_BUFFERS: u64 = 40 << 20;

/// The path of the file in [`archive`].
const KEY: &str = "a.pdb/44E4EC8C2F41492B9369D6B9A059577C2/a.sym";

fn archive() -> Vec<u8> {
    Zip::new().file(KEY, sym("a.pdb", ID, 20)).bytes()
}

/// A file part of a form, without the boundary before it and after it.
fn part(name: &str, bytes: &[u8]) -> Vec<u8> {
    let head =
        format!("\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\n\r\n");
    [head.as_bytes(), bytes, b"\r\n"].concat()
}

/// A form with one archive.
fn form(archive: &[u8]) -> Vec<u8> {
    [b"--x".as_slice(), &part("a.zip", archive), b"--x--\r\n"].concat()
}

/// The head of an upload with these headers beside those that every one has.
fn head(token: &str, headers: &str) -> String {
    format!("POST /upload/ HTTP/1.1\r\nHost: x\r\nAuth-Token: {token}\r\n{headers}\r\n\r\n")
}

const FORM: &str = "Content-Type: multipart/form-data; boundary=x";

/// The answer to a request whose connection the server closes.
async fn answer_to(app: &App, request: impl AsRef<[u8]>) -> String {
    let mut connection = RawConnection::open(app.address).await;
    connection.send(request).await;
    connection.read_to_close().await
}

async fn nothing_is_stored(app: &App) {
    eventually("no upload is under way", async || {
        app.metric("symbold_uploads_in_flight").await == 0
    })
    .await;
    assert_eq!(app.storage_calls("put").await, 0);
    assert_eq!(
        app.metric("symbold_upload_reserved_bytes{kind=\"archives\"}")
            .await,
        0
    );
    eventually("no temporary file is open", async || {
        app.temporary_files() == 0
    })
    .await;
    // And the server goes on.
    assert_eq!(app.status(&format!("/{KEY}")).await, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_is_told_to_go_on_and_then_stored() {
    let app = App::start().await;
    let body = form(&archive());
    let length = format!(
        "Expect: 100-continue\r\n{FORM}\r\nContent-Length: {}",
        body.len()
    );
    let mut connection = RawConnection::open(app.address).await;
    for _ in 0..2 {
        connection.send(head(&app.token, &length)).await;
        assert_eq!(
            connection.read_head().await,
            "HTTP/1.1 100 Continue\r\n\r\n"
        );
        connection.send(&body[..20]).await;
        connection.send(&body[20..]).await;
        let answer = connection.read_head().await;
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        assert!(answer.contains("x-request-id: "), "{answer}");
        connection.read_body(&answer).await;
    }
    assert_eq!(app.fetch(KEY).await, sym("a.pdb", ID, 20));
    let uploads = "symbold_http_requests_total{route=\"/upload\",method=\"POST\",status=\"201\"}";
    assert_eq!(app.metric(uploads).await, 2, "each is counted once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_is_refused_without_being_told_to_go_on() {
    let app = App::with(|config| config.upload.slots = 1).await;
    let waits =
        |token: &str, headers: &str| head(token, &format!("Expect: 100-continue\r\n{headers}"));
    let form = format!("{FORM}\r\nContent-Length: 1000");
    let long = format!("{FORM}\r\nContent-Length: {}", 3 * GIB);
    let encoded = format!("{form}\r\nContent-Encoding: gzip");
    let no_form = "Content-Type: text/plain\r\nContent-Length: 1000";
    let no_boundary = "Content-Type: multipart/form-data\r\nContent-Length: 1000";
    let illegal = format!("{FORM}{}\r\nContent-Length: 1000", "x".repeat(70));
    for (token, headers, status, code) in [
        ("wrong", form.as_str(), 403, "token_unknown"),
        (&app.token, &long, 413, "upload_too_large"),
        (&app.token, &encoded, 415, "content_encoding"),
        (&app.token, no_form, 400, "not_a_form"),
        (&app.token, no_boundary, 400, "not_a_form"),
        (&app.token, &illegal, 400, "bad_boundary"),
    ] {
        let answer = answer_to(&app, waits(token, headers)).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
        assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
    let mut first = RawConnection::open(app.address).await;
    first.send(head(&app.token, &form)).await;
    eventually("the only slot is taken", async || {
        app.metric("symbold_uploads_in_flight").await == 1
    })
    .await;
    let answer = answer_to(&app, waits(&app.token, &form)).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    let none = waits("wrong", "Content-Length: 1000").replace("POST", "PUT");
    let answer = answer_to(&app, none).await;
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
    drop(first);
    nothing_is_stored(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_reaches_a_client_that_goes_on_sending_and_little_of_it_is_read() {
    let app = App::start().await;
    let length = format!("{FORM}\r\nContent-Length: {GIB}");
    let chunked = format!("{FORM}\r\nTransfer-Encoding: chunked");
    let piece = vec![b'x'; 1 << 16];
    let chunk = [b"10000\r\n".as_slice(), &piece, b"\r\n"].concat();
    for (headers, piece) in [(length, &piece), (chunked, &chunk)] {
        for expect in ["", "Expect: 100-continue\r\n"] {
            let mut connection = RawConnection::open(app.address).await;
            connection
                .send(head("wrong", &format!("{expect}{headers}")))
                .await;
            let sent = connection.flood(piece, GIB).await;
            assert!(sent < IN_BUFFERS, "{sent} bytes were taken");
            let answer = connection.read_to_close().await;
            assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
            assert!(answer.contains("API Token not matched"), "{answer}");
        }
    }
    nothing_is_stored(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_client_that_sends_slowly_is_not_waited_for() {
    let app = App::start().await;
    for headers in ["Content-Length: 1000", "Transfer-Encoding: chunked"] {
        let mut connection = RawConnection::open(app.address).await;
        connection.send(head("wrong", headers)).await;
        connection.send("5").await;
        let answer = connection.read_to_close().await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_end_is_cut_at_the_largest_archive() {
    let app = App::with(|config| config.upload.size = ByteSize::mib(2)).await;
    let lines = [&[b'x'; 62], b"\r\n".as_slice()].concat().repeat(1 << 10);
    let chunk = [b"10000\r\n".as_slice(), &lines, b"\r\n"].concat();
    let part = [b"--x".as_slice(), &part("a.zip", b"")].concat();
    let part = [format!("{:x}\r\n", part.len()).as_bytes(), &part, b"\r\n"].concat();
    // Within the file, and before the first boundary.
    for begin in [part.as_slice(), b""] {
        let mut connection = RawConnection::open(app.address).await;
        let headers = format!("{FORM}\r\nTransfer-Encoding: chunked");
        connection.send(head(&app.token, &headers)).await;
        connection.send(begin).await;
        let sent = connection.flood(&chunk, GIB).await;
        assert!(sent < IN_BUFFERS, "{sent} bytes were taken");
        let answer = connection.read_to_close().await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    }
    nothing_is_stored(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_around_the_archive_is_bounded() {
    let app = App::start().await;
    let archive = part("a.zip", &archive());
    let text = b"\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\n";
    let empty = [b"--x".as_slice(), text, b"\r\n"].concat();
    let lines = "X-Header: y\r\n".repeat(2000);
    let long = format!("X-Header: {}\r\n", "y".repeat(200_000));
    let with = |lines: &str| [b"--x\r\n".as_slice(), lines.as_bytes(), &archive[2..]].concat();
    for (body, name) in [
        (empty.repeat(20_000), "20000 parts"),
        (with(&lines), "2000 lines before a part"),
        (with(&long), "a long line before a part"),
        (
            [b"--x".as_slice(), text, &[b'y'; 9000]].concat(),
            "a long field",
        ),
        (
            [b"--x".as_slice(), &archive, b"--x", &archive].concat(),
            "a second file",
        ),
    ] {
        let mut connection = RawConnection::open(app.address).await;
        let length = body.len().max(100 << 20);
        let headers = format!("{FORM}\r\nContent-Length: {length}");
        connection.send(head(&app.token, &headers)).await;
        let taken = connection.flood(&body, body.len() as u64).await;
        let answer = connection.read_to_close().await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{name}: {answer}");
        let code = ["bad_form", "second_file"].map(|code| format!("\"code\":\"{code}\""));
        assert!(
            code.iter().any(|code| answer.contains(code)),
            "{name} ({taken}): {answer}"
        );
    }
    nothing_is_stored(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lengths_that_lie() {
    let app = App::start().await;
    let body = form(&archive());
    let headers = |length: usize| head(&app.token, &format!("{FORM}\r\nContent-Length: {length}"));
    // Longer than what comes: the client has closed its side and waits.
    let mut connection = RawConnection::open(app.address).await;
    connection.send(headers(body.len() + 1)).await;
    connection.send(&body[..body.len() - 9]).await;
    connection.close_writing().await;
    let answer = connection.read_to_close().await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("\"code\":\"incomplete\""), "{answer}");
    // Shorter: the rest of the body is read as the next request, which is not a valid one.
    let request = [headers(body.len() - 9).into_bytes(), body].concat();
    let answer = answer_to(&app, request).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(!answer.contains("HTTP/1.1 2"), "{answer}");
    nothing_is_stored(&app).await;
}

/// Headers that two readers could read differently; LENGTH stands for the right length.
const AMBIGUOUS_HEADERS: [&str; 10] = [
    "Content-Length: LENGTH\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: LENGTH",
    "Content-Length: LENGTH\r\nContent-Length: 5",
    "Content-Length: +LENGTH",
    "Content-Length: 99999999999999999999999",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunked, gzip",
    "X-Header: a\r\n b\r\nContent-Length: LENGTH",
    "X-Header: a\0b\r\nContent-Length: LENGTH",
    "Content-Length : LENGTH",
];

/// The same of lines before a chunk; LENGTH stands for the right length in hexadecimal.
const AMBIGUOUS_CHUNKS: [&str; 4] = ["+LENGTH\r\n", "fffffffffffffffff\r\n", "LENGTH\n", "\r\n"];

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_two_readers_could_read_differently_are_refused() {
    let app = App::start().await;
    let body = form(&archive());
    for headers in AMBIGUOUS_HEADERS {
        let headers = headers.replace("LENGTH", &body.len().to_string());
        let head = head(&app.token, &format!("{FORM}\r\n{headers}"));
        let answer = answer_to(&app, [head.as_bytes(), &body].concat()).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{headers}: {answer}");
        assert!(!answer.contains("HTTP/1.1 2"), "{headers}: {answer}");
    }
    nothing_is_stored(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_that_two_readers_could_read_differently_are_refused() {
    let app = App::start().await;
    let body = form(&archive());
    let head = head(&app.token, &format!("{FORM}\r\nTransfer-Encoding: chunked"));
    let request = |line: &str| {
        let line = line.replace("LENGTH", &format!("{:x}", body.len()));
        [head.as_bytes(), line.as_bytes(), &body, b"\r\n0\r\n\r\n"].concat()
    };
    for line in AMBIGUOUS_CHUNKS {
        // The connection may be closed without an answer, since it is unclear which request it would answer.
        let answer = answer_to(&app, request(line)).await;
        let is_refused = answer.is_empty() || answer.starts_with("HTTP/1.1 400");
        assert!(is_refused, "{line:?}: {answer}");
        assert!(!answer.contains("HTTP/1.1 2"), "{line:?}: {answer}");
    }
    nothing_is_stored(&app).await;
    let mut connection = RawConnection::open(app.address).await;
    connection.send(request("LENGTH\r\n")).await;
    let answer = connection.read_head().await;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_post_uploads() {
    let app = App::start().await;
    for path in ["/upload/", "/upload"] {
        for method in ["GET", "HEAD", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"] {
            let request =
                format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            let answer = answer_to(&app, request).await;
            assert!(answer.starts_with("HTTP/1.1 405"), "{method}: {answer}");
            assert!(answer.contains("allow: POST"), "{method}: {answer}");
            assert!(
                method == "HEAD"
                    || answer.contains(&format!("Method Not Allowed ({method}): {path}")),
                "{answer}"
            );
        }
    }
    let answer = answer_to(&app, "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_phase_of_a_request_ends() {
    let app = App::with(|config| {
        config.server.head = Duration::from_secs(1);
        config.server.keep_alive = Duration::from_millis(200);
        config.upload.idle = Duration::from_millis(200);
    })
    .await;
    let get = "GET /__lbheartbeat__ HTTP/1.1\r\nHost: x\r\n";
    let body = format!("{FORM}\r\nContent-Length: 1000");
    for (name, request, answer) in [
        ("silence", String::new(), ""),
        ("half a head", get.to_owned(), "HTTP/1.1 408"),
        (
            "half a second head",
            format!("{get}\r\n{get}"),
            "HTTP/1.1 200",
        ),
        ("no second head", format!("{get}\r\n"), "HTTP/1.1 200"),
        (
            "half a body",
            head(&app.token, &body) + "--x\r\n",
            "HTTP/1.1 408",
        ),
        ("no body", head(&app.token, &body), "HTTP/1.1 408"),
    ] {
        let got = answer_to(&app, request).await;
        assert!(got.starts_with(answer), "{name}: {got}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dribbling_ends() {
    let app = App::with(|config| {
        config.server.head = Duration::from_secs(1);
        config.upload.idle = Duration::from_millis(200);
        config.upload.rate = ByteSize::kib(100);
    })
    .await;
    let body = head(&app.token, &format!("{FORM}\r\nContent-Length: 1000000")) + "--x";
    let text = "\r\nContent-Disposition: form-data; name=\"a.zip\"; filename=\"a.zip\"\r\n\r\n";
    for request in ["GET / HTTP/1.1\r\nX: ".to_owned(), body + text] {
        let mut connection = RawConnection::open(app.address).await;
        connection.send(request).await;
        eventually("the server has closed the connection", async || {
            connection.is_closed()
        })
        .await;
    }
    nothing_is_stored(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_not_read_ends() {
    let app = App::with(|config| config.server.write_idle = Duration::from_millis(200)).await;
    let name = format!("big.pdb/{ID}/big.pd_");
    let bytes = random_bytes(60 << 20, 1);
    let answer = app.upload(Zip::new().stored(&name, &bytes)).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let mut connection = RawConnection::open(app.address).await;
    let request = format!("GET /{name} HTTP/1.1\r\nHost: x\r\n\r\n");
    connection.send(request).await;
    eventually("the server has closed the connection", async || {
        connection.is_closed()
    })
    .await;
    let patient = app.beside(|_| {}).await;
    assert_eq!(patient.fetch(&name).await, bytes, "others get theirs");
}
