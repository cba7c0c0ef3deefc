//! Starting a server on a free port, with everything under a temporary directory.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::backends;
use futures_util::TryStreamExt;
use reqwest::multipart::{Form, Part};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use symbold::auth::{AuthService, Permission, TokenRequest};
use symbold::clock::{Clock, ManualClock, SystemClock};
use symbold::config::Config;
use symbold::db::Database;
use symbold::first_run;
use symbold::server::{Adaptors, Server};
use symbold::storage::{Fetched, Storage};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long anything that is waited for may take, on a machine that is busy with other things too.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// A running server.
pub(crate) struct App {
    pub(crate) address: SocketAddr,
    /// The administrator's token, which may upload.
    pub(crate) token: String,
    pub(crate) client: Client,
    /// The storage itself, without anything that remembers.
    pub(crate) storage: Arc<dyn Storage>,
    auth: AuthService,
    database: Arc<dyn Database>,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
    data: Arc<TempDir>,
}

impl App {
    /// Starts a server with the embedded defaults.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// Starts a server with some settings changed.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::launch(
            Arc::new(tempfile::tempdir().unwrap()),
            Arc::new(SystemClock::new()),
            change,
            |adaptors| adaptors,
        )
        .await
    }

    /// Starts a server on adaptors that the test has wrapped into others.
    pub(crate) async fn wrapped(
        change: impl FnOnce(&mut Config),
        wrap: impl FnOnce(Adaptors) -> Adaptors,
    ) -> Self {
        let data = Arc::new(tempfile::tempdir().unwrap());
        Self::launch(data, Arc::new(SystemClock::new()), change, wrap).await
    }

    /// Starts a server whose clock the test moves.
    pub(crate) async fn with_clock(clock: Arc<ManualClock>) -> Self {
        Self::with_clock_and(clock, |_| {}).await
    }

    /// As [`Self::with_clock`], with some settings changed.
    pub(crate) async fn with_clock_and(
        clock: Arc<ManualClock>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let data = Arc::new(tempfile::tempdir().unwrap());
        Self::launch(data, clock, change, |adaptors| adaptors).await
    }

    /// Starts another server on the same data, as a second node.
    pub(crate) async fn beside(&self, change: impl FnOnce(&mut Config)) -> Self {
        let clock = Arc::new(SystemClock::new());
        Self::launch(Arc::clone(&self.data), clock, change, |adaptors| adaptors).await
    }

    /// Stops the server and starts another one on the same data.
    pub(crate) async fn restart(self) -> Self {
        let data = self.shut_down_keeping_data().await;
        Self::launch(
            data,
            Arc::new(SystemClock::new()),
            |_| {},
            |adaptors| adaptors,
        )
        .await
    }

    async fn launch(
        data: Arc<TempDir>,
        clock: Arc<dyn Clock>,
        change: impl FnOnce(&mut Config),
        wrap: impl FnOnce(Adaptors) -> Adaptors,
    ) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut config = Config {
            data_dir: data.path().display().to_string(),
            ..Config::default()
        };
        "127.0.0.1:0".clone_into(&mut config.server.listen);
        config.server.workers = 1;
        config.missing.flush_every = Duration::from_millis(5);
        config.database.timeout = PATIENCE / 2;
        // What is refused is refused at once; the tests of the waiting set it.
        config.upload.slot_wait = Duration::ZERO;
        backends::arrange(&mut config, data.path()).await;
        change(&mut config);
        let adaptors = wrap(Adaptors::open(&config).await.unwrap());
        let database = Arc::clone(&adaptors.database);
        let storage = Arc::clone(&adaptors.storage);
        let server = Server::new(config, adaptors, clock).unwrap();
        let auth = server.auth().clone();
        let token = administrators_token(&auth, data.path()).await;
        let address = server.address().unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(server.run(stop.clone()));
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .tls_certs_only([])
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .unwrap();
        Self {
            address,
            token,
            client,
            storage,
            auth,
            database,
            stop,
            task,
            data,
        }
    }

    /// Tells the server to stop and waits until it has.
    pub(crate) async fn shut_down(self) {
        self.stop.cancel();
        drop(self.client);
        self.task.await.unwrap().unwrap();
    }

    /// As [`Self::shut_down`]; the data stay as long as the value returned.
    pub(crate) async fn shut_down_keeping_data(self) -> Arc<TempDir> {
        let data = Arc::clone(&self.data);
        self.shut_down().await;
        data
    }

    pub(crate) fn data_dir(&self) -> &Path {
        self.data.path()
    }

    /// How many temporary files of uploads are open. They have no name, so this process's own table is asked.
    pub(crate) fn temporary_files(&self) -> usize {
        let incoming = self.data.path().join("incoming");
        let Ok(open) = std::fs::read_dir("/proc/self/fd") else {
            return 0;
        };
        open.flatten()
            .filter_map(|entry| std::fs::read_link(entry.path()).ok())
            .filter(|path| {
                path.starts_with(&incoming) && path.to_string_lossy().contains("(deleted)")
            })
            .count()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("http://{}{path}", self.address))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// What a client gets that can inflate.
    pub(crate) async fn get_gzipped(&self, path: &str) -> Response {
        let request = self.request(Method::GET, path);
        let request = request.header("accept-encoding", "gzip");
        request.send().await.unwrap()
    }

    pub(crate) async fn head(&self, path: &str) -> Response {
        self.request(Method::HEAD, path).send().await.unwrap()
    }

    pub(crate) async fn status(&self, path: &str) -> StatusCode {
        self.get(path).await.status()
    }

    /// The body of a symbol, as a client without gzip gets it.
    pub(crate) async fn fetch(&self, key: &str) -> Vec<u8> {
        let response = self.get(&format!("/{key}")).await;
        assert_eq!(response.status(), StatusCode::OK, "{key}");
        response.bytes().await.unwrap().to_vec()
    }

    /// Uploads an archive as the administrator.
    pub(crate) async fn upload(&self, archive: impl Into<Vec<u8>>) -> Answer {
        self.upload_form(&self.token, form(archive)).await
    }

    /// Uploads an archive with a token of its own.
    pub(crate) async fn upload_as(&self, token: &str, archive: impl Into<Vec<u8>>) -> Answer {
        self.upload_form(token, form(archive)).await
    }

    pub(crate) async fn upload_form(&self, token: &str, form: Form) -> Answer {
        let request = self
            .request(Method::POST, "/upload/")
            .header("Auth-Token", token)
            .multipart(form);
        Answer::of(request.send().await.unwrap()).await
    }

    /// Makes a token.
    pub(crate) async fn token(&self, email: &str, permissions: &[Permission], days: u32) -> String {
        let request = TokenRequest {
            email: email.to_owned(),
            permissions: permissions.to_vec(),
            days,
            note: String::new(),
        };
        self.auth.create(request).await.unwrap().reveal().to_owned()
    }

    /// Makes a token that has ended already.
    pub(crate) async fn expired_token(&self, email: &str) -> String {
        let past = SystemClock::new().now() - Duration::from_hours(48);
        let clock = Arc::new(ManualClock::at(past));
        let auth = AuthService::new(Arc::clone(&self.database) as _, clock);
        let permissions = vec![Permission::UploadSymbols];
        let request = TokenRequest {
            email: email.to_owned(),
            permissions,
            days: 1,
            note: String::new(),
        };
        auth.create(request).await.unwrap().reveal().to_owned()
    }

    pub(crate) fn auth(&self) -> &AuthService {
        &self.auth
    }

    /// The record of an upload, as the administrator sees it.
    pub(crate) async fn record(&self, id: &Value) -> Value {
        let request = self
            .request(Method::GET, &format!("/api/uploads/upload/{id}"))
            .header("Auth-Token", &self.token);
        Answer::of(request.send().await.unwrap()).await.json["upload"].clone()
    }

    /// The value of a metric with its labels, as in `symbold_downloads_total{result="found"}`; 0 if it never moved.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics").await.text().await.unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0, |value| value.parse().unwrap())
    }

    /// How often a storage was called for an operation, whatever came of it.
    pub(crate) async fn storage_calls(&self, operation: &str) -> u64 {
        self.metric(&format!(
            "symbold_storage_call_seconds_count{{operation=\"{operation}\"}}"
        ))
        .await
    }

    /// The missing symbols in the database, once everything noted has been written.
    pub(crate) async fn missing(&self) -> Vec<Value> {
        eventually("all counts are written", async || {
            let noted = self.metric("symbold_missing_noted_total").await;
            self.metric("symbold_missing_written_total").await == noted
        })
        .await;
        let page: Value = self
            .get("/missingsymbols/?sort=created_at")
            .await
            .json()
            .await
            .unwrap();
        page["records"].as_array().unwrap().clone()
    }
}

/// The token of the first start, or another one of the same owner where the first start was that of another server on
/// the same database.
async fn administrators_token(auth: &AuthService, data_dir: &Path) -> String {
    first_run::ensure_token(auth, data_dir).await.unwrap();
    if let Ok(token) = std::fs::read_to_string(data_dir.join(first_run::TOKEN_FILE)) {
        return token.trim().to_owned();
    }
    let request = TokenRequest {
        email: "admin@localhost".to_owned(),
        permissions: vec![Permission::UploadSymbols, Permission::ViewAllUploads],
        days: 1,
        note: String::new(),
    };
    auth.create(request).await.unwrap().reveal().to_owned()
}

fn form(archive: impl Into<Vec<u8>>) -> Form {
    Form::new().part(
        "symbols.zip",
        Part::bytes(archive.into()).file_name("symbols.zip"),
    )
}

/// An answer that was read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) json: Value,
    pub(crate) retry_after: Option<String>,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let status = response.status();
        let retry_after = response
            .headers()
            .get("retry-after")
            .map(|value| value.to_str().unwrap().to_owned());
        let text = response.text().await.unwrap();
        let json =
            serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status} is not JSON: {text}"));
        Self {
            status,
            json,
            retry_after,
        }
    }

    pub(crate) fn error(&self) -> &str {
        self.json["error"].as_str().unwrap_or_default()
    }

    pub(crate) fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or_default()
    }
}

/// Waits until something holds; fails loudly if it never does.
pub(crate) async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(
        tokio::time::timeout(PATIENCE, waiting).await.is_ok(),
        "waited in vain until {what}"
    );
}

/// Reads an object to its end.
pub(crate) async fn bytes_of(fetched: Fetched) -> Vec<u8> {
    let pieces: Vec<_> = fetched.bytes.into_stream().try_collect().await.unwrap();
    pieces.concat()
}
