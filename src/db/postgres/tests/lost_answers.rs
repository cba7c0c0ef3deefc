//! Connections that break when the server has done what it was told, and before it can say so.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use super::server::{OwnPostgres, config, database_on};
use super::*;
use crate::db::uploads::{Hold, NewUpload, UploadRecords};

const SOCKET: &str = ".s.PGSQL.5432";

/// Stands between the program and the server, and can lose an answer.
struct Proxy {
    folder: TempDir,
    loses_next: Arc<AtomicBool>,
}

impl Proxy {
    fn start(server: PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let loses_next = Arc::new(AtomicBool::new(false));
        let loses = Arc::clone(&loses_next);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = UnixStream::connect(&server).await.unwrap();
                tokio::spawn(forward(client, server, Arc::clone(&loses)));
            }
        });
        Self { folder, loses_next }
    }

    fn lose_next_answer(&self) {
        self.loses_next.store(true, Ordering::SeqCst);
    }

    fn has_lost_it(&self) -> bool {
        !self.loses_next.load(Ordering::SeqCst)
    }
}

/// Carries bytes both ways until the connection ends, or until an answer is to be lost: then it ends it.
async fn forward(client: UnixStream, server: UnixStream, loses_next: Arc<AtomicBool>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asking = tokio::spawn(async move {
        tokio::io::copy(&mut from_client, &mut to_server)
            .await
            .unwrap_or_default();
    });
    let mut answer = vec![0; 64 * 1024];
    loop {
        let length = from_server.read(&mut answer).await.unwrap_or_default();
        if length == 0 || loses_next.swap(false, Ordering::SeqCst) {
            break;
        }
        if to_client.write_all(&answer[..length]).await.is_err() {
            break;
        }
    }
    asking.abort();
}

#[tokio::test]
async fn what_was_done_is_not_done_again() {
    let Some(server) = OwnPostgres::launch() else {
        return;
    };
    let direct = database_on(&server.url()).await;
    let (address, folder) = direct.url.reveal().split_once("host=").unwrap();
    let proxy = Proxy::start(PathBuf::from(folder).join(SOCKET));
    let mut through = config(&format!("{address}host={}", proxy.folder.path().display()));
    through.connections = 1;
    let database = PostgresDatabase::open(&through).await.unwrap();
    let upload = NewUpload {
        user: "build@example.com".to_owned(),
        created_at: datetime!(2026-11-23 10:00 UTC),
        ..NewUpload::default()
    };
    let hold = Hold {
        node: "a node".to_owned(),
        ticket: 1,
        ..Hold::default()
    };
    // The first time a statement is answered twice: when it is prepared, too.
    let first = database.begin_upload(&upload, &hold).await.unwrap();
    add(&database, &counts(0..10)).await.unwrap();

    proxy.lose_next_answer();
    add(&database, &counts(0..10)).await.unwrap();
    assert!(proxy.has_lost_it());
    assert_eq!(total(&database).await, (10, 20), "sent twice, counted once");

    database.begin_upload(&upload, &hold).await.unwrap();
    proxy.lose_next_answer();
    let lost = database.begin_upload(&upload, &hold).await;
    assert!(matches!(lost, Err(DbError::Unavailable(_))), "{lost:?}");
    assert!(proxy.has_lost_it());
    let next = database.begin_upload(&upload, &hold).await.unwrap();
    assert_eq!(
        next,
        first + 3,
        "the one whose answer was lost was made once"
    );
}
