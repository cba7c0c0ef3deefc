//! Mozilla's two uploaders, byte for byte: `upload_symbols.py` of Firefox, which is Python's `requests`, and the Rust
//! `upload-symbols`, which is `reqwest`; and what each of them reads in the answer.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::Value;
use symbold::auth::Permission;

use crate::support::remote::{Remote, empty, ok};
use crate::support::{App, ID, RawAnswer, RawConnection, Zip, sym};

/// Who uploads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    Python,
    Rust,
}

const CLIENTS: [Client; 2] = [Client::Python, Client::Rust];

impl Client {
    /// The file in the form that the client makes: Python calls its archive always so, Rust numbers them.
    fn field(self) -> &'static str {
        match self {
            Self::Python => "symbols.zip",
            Self::Rust => "symbols-0.zip",
        }
    }

    fn form(self, archive: &[u8]) -> (String, Vec<u8>) {
        let (boundary, part) = match self {
            Self::Python => (
                "2b662ee499e10fdd878088f5892faad1",
                "name=\"symbols.zip\"; filename=\"target.crashreporter-symbols.zip\"\r\n\r\n",
            ),
            Self::Rust => (
                "9bf71a3e14cb2a02-0e1e9a3c7b1d55f7-6b7d3a2a9a8c1f00-51d2b1c0f7e6a9d3",
                "name=\"symbols-0.zip\"; filename=\"symbols-0.zip\"\r\nContent-Type: application/zip\r\n\r\n",
            ),
        };
        let start = format!("--{boundary}\r\nContent-Disposition: form-data; {part}");
        let end = format!("\r\n--{boundary}--\r\n");
        let body = [start.as_bytes(), archive, end.as_bytes()].concat();
        (format!("multipart/form-data; boundary={boundary}"), body)
    }

    fn head(self, app: &App, path: &str, token: &str, content_type: &str, length: usize) -> String {
        let host = app.address;
        match self {
            Self::Python => format!(
                "POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: python-requests/2.34.2\r\n\
                 Accept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\n\
                 Auth-Token: {token}\r\nContent-Length: {length}\r\nContent-Type: {content_type}\r\n\r\n"
            ),
            Self::Rust => format!(
                "POST {path} HTTP/1.1\r\nauth-token: {token}\r\ncontent-type: {content_type}\r\n\
                 content-length: {length}\r\naccept: */*\r\nuser-agent: upload-symbols/0.1.0\r\nhost: {host}\r\n\r\n"
            ),
        }
    }

    async fn upload(self, app: &App, token: &str, archive: &[u8]) -> RawAnswer {
        let (content_type, body) = self.form(archive);
        let head = self.head(app, "/upload/", token, &content_type, body.len());
        exchange(app, &head, &body).await
    }

    /// Tells whether the client comes again after such an answer. Others than these are final.
    fn retries(self, status: u16) -> bool {
        match self {
            Self::Python => matches!(status, 408 | 429 | 500..),
            Self::Rust => matches!(status, 429 | 502..=504),
        }
    }

    /// Reads an answer as the client does: `upload.skipped_keys`, or why it failed.
    fn read(self, answer: &RawAnswer) -> Result<HashSet<String>, String> {
        assert!(!(300..400).contains(&answer.status), "{answer:?}");
        if self.retries(answer.status) {
            assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
        }
        let json = answer.json();
        if answer.status >= 400 {
            let error = json["error"].as_str();
            return Err(error.unwrap_or_else(|| panic!("{answer:?}")).to_owned());
        }
        assert!(
            json["upload"]["id"]
                .as_u64()
                .is_some_and(|id| id <= u32::MAX.into())
        );
        let keys = json["upload"]["skipped_keys"].as_array().unwrap();
        Ok(keys
            .iter()
            .map(|key| key.as_str().unwrap().to_owned())
            .collect())
    }
}

async fn exchange(app: &App, head: &str, body: &[u8]) -> RawAnswer {
    let mut connection = RawConnection::open(app.address).await;
    connection.send(head).await;
    connection.send(body).await;
    connection.read_answer().await
}

/// A token as the Rust client takes it: all hexadecimal.
fn digits(token: &str) -> &str {
    token.strip_prefix("symbold_").unwrap()
}

fn keys() -> [String; 2] {
    [format!("a.pdb/{ID}/a.sym"), format!("a.pdb/{ID}/a.pd_")]
}

fn archive() -> Vec<u8> {
    let [sym_key, cab_key] = keys();
    Zip::new()
        .file(&sym_key, sym("a.pdb", ID, 20))
        .stored(&cab_key, "MSCF, as makecab made it")
        .bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_and_its_repeat_are_read_by_both() {
    for client in CLIENTS {
        let app = App::start().await;
        let token = digits(&app.token);
        let first = client.upload(&app, token, &archive()).await;
        assert_eq!(first.status, 201, "{client:?}");
        assert_eq!(client.read(&first), Ok(HashSet::new()), "{client:?}");
        assert_eq!(first.json()["upload"]["filename"], client.field());
        let again = client.upload(&app, token, &archive()).await;
        assert_eq!(client.read(&again), Ok(HashSet::from(keys())), "{client:?}");
        assert_eq!(app.fetch(&keys()[0]).await, sym("a.pdb", ID, 20));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rust_asks_who_it_is_before_it_uploads() {
    let app = App::start().await;
    let try_only = app
        .token("try@example.com", &[Permission::UploadTrySymbols], 2)
        .await;
    for (token, is_try) in [(&app.token, false), (&try_only, true)] {
        let head = format!(
            "POST /upload/auth_info/ HTTP/1.1\r\nauth-token: {}\r\naccept: */*\r\n\
             user-agent: upload-symbols/0.1.0\r\nhost: {}\r\ncontent-length: 0\r\n\r\n",
            digits(token),
            app.address
        );
        let answer = exchange(&app, &head, b"").await;
        assert_eq!(answer.status, 200);
        let info = answer.json();
        assert!(info["email"].is_string() && info["token_expires_at"].as_u64().is_some());
        assert_eq!(info["try_symbols"], is_try);
        assert_eq!(info["upload_api_version"], 1);
        assert_eq!(info.get("opentelemetry"), None::<&Value>);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_json_with_a_sentence() {
    let app = App::with(|config| config.upload.size = bytesize::ByteSize::kib(4)).await;
    let viewer = app
        .token("viewer@example.com", &[Permission::ViewAllUploads], 1)
        .await;
    let expired = app.expired_token("late@example.com").await;
    let bad_name = Zip::new().file("a.pdb/XYZ/a.sym", "x").bytes();
    let large = vec![0; 64 * 1024];
    for client in CLIENTS {
        for (token, archive, status) in [
            (digits(&app.token), &b"no zip at all"[..], 400),
            (digits(&app.token), &bad_name[..], 400),
            (digits(&app.token), &archive()[..40], 400),
            (digits(&app.token), &large[..], 413),
            ("0123456789abcdef", &archive()[..], 403),
            (digits(&viewer), &archive()[..], 403),
            (digits(&expired), &archive()[..], 403),
        ] {
            let answer = client.upload(&app, token, archive).await;
            assert_eq!(answer.status, status, "{client:?} {answer:?}");
            assert!(!client.retries(status));
            client.read(&answer).unwrap_err();
        }
        let (content_type, body) = client.form(&archive());
        for path in ["/upload", "/upload/"] {
            let head = client.head(&app, path, digits(&app.token), &content_type, body.len());
            assert_eq!(
                exchange(&app, &head, &body).await.status,
                201,
                "{path} is no redirect"
            );
        }
        let head = client.head(&app, "/upload/", digits(&app.token), "text/plain", 1);
        client.read(&exchange(&app, &head, b"x").await).unwrap_err();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_server_says_when_to_come_back() {
    let app = App::with(|config| config.upload.slots = 0).await;
    for client in CLIENTS {
        let answer = client.upload(&app, digits(&app.token), &archive()).await;
        assert_eq!(answer.status, 503);
        assert!(client.retries(answer.status));
        client.read(&answer).unwrap_err();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn python_is_told_that_its_upload_came_too_slowly() {
    let app = App::with(|config| config.upload.idle = Duration::from_millis(100)).await;
    let (content_type, body) = Client::Python.form(&archive());
    let head = Client::Python.head(&app, "/upload/", &app.token, &content_type, body.len());
    let answer = exchange(&app, &head, &body[..100]).await;
    assert_eq!(answer.status, 408);
    Client::Python.read(&answer).unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn python_uploads_by_address() {
    let remote = Remote::start(vec![
        ("/target.zip", ok(&archive())),
        ("/broken.zip", empty("503 Service Unavailable", "")),
        ("/gone.zip", empty("404 Not Found", "")),
    ])
    .await;
    let app = App::with(|config| {
        config.upload.by_url.domains = vec!["127.0.0.1".to_owned()];
        config.upload.by_url.allow_http = true;
        config.upload.by_url.allow_private = true;
    })
    .await;
    for (path, status) in [
        ("/target.zip", 201),
        ("/broken.zip", 502),
        ("/gone.zip", 400),
    ] {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("url", &remote.url(path))
            .finish();
        let content_type = "application/x-www-form-urlencoded";
        let head = Client::Python.head(&app, "/upload/", &app.token, content_type, body.len());
        let answer = exchange(&app, &head, body.as_bytes()).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(Client::Python.read(&answer).is_ok(), status == 201);
    }
}
