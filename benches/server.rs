//! A server in this process, for studies of what comes over the wire.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use symbold::clock::SystemClock;
use symbold::config::Config;
use symbold::first_run;
use symbold::server::{Adaptors, Server};
use symbold::storage::{Access, ObjectMeta, Part, Payload, S3Config, StorageKind};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::{object_store, support};

/// A running server; it stops when this is dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    /// The secret of a token that may upload.
    pub(crate) token: String,
    stop: CancellationToken,
    _data: TempDir,
}

impl Running {
    /// Starts a server on a free port, on the disk or on S3, with one file of this key and length, if one is wanted.
    pub(crate) fn start(s3: Option<(Access, String)>, file: Option<(&str, usize)>) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let data = tempfile::tempdir().expect("there is room for temporary files");
        let mut config = Config {
            data_dir: data.path().display().to_string(),
            ..Config::default()
        };
        "127.0.0.1:0".clone_into(&mut config.server.listen);
        let stop = CancellationToken::new();
        let (address, token) = support::block_on(async {
            if let Some((access, endpoint)) = s3 {
                config.storage.kind = StorageKind::S3(S3Config {
                    access,
                    bucket: make_bucket(&endpoint).await,
                    endpoint,
                    ..S3Config::default()
                });
            }
            let adaptors = Adaptors::open(&config).await;
            let adaptors = adaptors.expect("storage and database open");
            if let Some((key, length)) = file {
                let path = format!("{}/{key}", config.storage.prefix);
                store(&adaptors, &path, length).await;
            }
            let clock = Arc::new(SystemClock::new());
            let server = Server::new(config, adaptors, clock).expect("the server starts");
            let token = token(&server, data.path()).await;
            let address = server.address().expect("the server listens");
            tokio::spawn(server.run(stop.clone()));
            (address, token)
        });
        Self {
            address,
            token,
            stop,
            _data: data,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Stores a file as it is when it is gzipped; its contents do not matter.
async fn store(adaptors: &Adaptors, path: &str, length: usize) {
    let meta = ObjectMeta {
        is_gzipped: true,
        content_type: Some("text/plain".to_owned()),
        ..ObjectMeta::default()
    };
    let payload = Payload::new(vec![Part::Memory(Bytes::from(vec![7; length]))]);
    let stored = adaptors.storage.put(path, payload, meta).await;
    stored.expect("the file is stored");
}

async fn token(server: &Server, folder: &Path) -> String {
    let file = first_run::ensure_token(server.auth(), folder).await;
    let file = file
        .expect("the database works")
        .expect("there is no token yet");
    let token = std::fs::read_to_string(file).expect("the token was kept");
    token.trim().to_owned()
}

/// Makes a bucket and returns its name.
async fn make_bucket(endpoint: &str) -> String {
    let client = object_store::client(endpoint).await;
    let random = getrandom::u64().expect("the system has randomness");
    let bucket = format!("bench-{random:016x}");
    let made = client.create_bucket().bucket(&bucket).send().await;
    made.expect("the store makes buckets");
    bucket
}
