//! Uploads whose server has gone before it could finish them.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use symbold::db::uploads::{Hold, NewUpload, UploadState};
use symbold::db::{Database, SqliteDatabase};
use symbold::server::Adaptors;
use time::macros::datetime;

use crate::support::faults::{Faults, wrap};
use crate::support::{App, ID, Running, Zip, eventually, sym, symbold};

const KEY: &str = "a.pdb/44E4EC8C2F41492B9369D6B9A059577C2/a.sym";

fn archive() -> Zip {
    Zip::new().file(KEY, sym("a.pdb", ID, 10))
}

/// Lets a test look at the database of a server.
fn keeping(kept: &mut Option<Arc<dyn Database>>) -> impl FnOnce(Adaptors) -> Adaptors {
    |adaptors| {
        *kept = Some(Arc::clone(&adaptors.database));
        adaptors
    }
}

async fn state(database: &dyn Database, id: i64) -> Option<UploadState> {
    let upload = database.upload(id).await.unwrap();
    upload.map(|(record, _)| record.state)
}

async fn is_pending(database: &dyn Database, id: i64) -> bool {
    state(database, id).await == Some(UploadState::Pending)
}

/// The reason for which an upload has failed, once it has.
async fn failure(database: &dyn Database, id: i64) -> String {
    eventually("the upload has failed", async || {
        matches!(state(database, id).await, Some(UploadState::Failed(_)))
    })
    .await;
    match state(database, id).await {
        Some(UploadState::Failed(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

fn folders(parent: &Path) -> usize {
    let entries = fs::read_dir(parent).unwrap();
    entries
        .filter(|entry| entry.as_ref().unwrap().path().is_dir())
        .count()
}

/// An object store that says at the start that it is there, and then nothing, which holds up uploads.
fn store_that_falls_silent() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut first = BufReader::new(listener.accept().unwrap().0);
        let mut line = String::new();
        while first.read_line(&mut line).unwrap() > 2 {
            line.clear();
        }
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        first.get_mut().write_all(answer).unwrap();
        drop(first);
        let others: Vec<_> = listener.incoming().collect();
        drop(others);
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_left_is_ended_when_the_next_one_starts() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_that_falls_silent();
    let settings = |command: &mut Command| {
        command
            .arg("serve")
            .env("SYMBOLD_SERVER__LISTEN", "127.0.0.1:0");
    };
    let mut command = symbold(folder.path());
    settings(&mut command);
    command
        .env("SYMBOLD_STORAGE__KIND", "s3")
        .env("SYMBOLD_STORAGE__BUCKET", "symbols")
        .env("SYMBOLD_STORAGE__REGION", "us-east-1")
        .env("SYMBOLD_STORAGE__ENDPOINT", format!("http://{store}"))
        .env("SYMBOLD_STORAGE__S3__LOOKUP", "1h")
        .env("SYMBOLD_STORAGE__S3__LOOKUP_ATTEMPT", "1h")
        .env("AWS_ACCESS_KEY_ID", "nobody")
        .env("AWS_SECRET_ACCESS_KEY", "nothing");
    let server = Running::start(&mut command);
    let data = folder.path().join("data");
    let token = fs::read_to_string(data.join("admin-token")).unwrap();
    let part = reqwest::multipart::Part::bytes(archive().bytes()).file_name("a.zip");
    let form = reqwest::multipart::Form::new().part("a.zip", part);
    let client = reqwest::Client::builder()
        .tls_certs_only([])
        .no_proxy()
        .build()
        .unwrap();
    let request = client
        .post(format!("{}/upload/", server.url))
        .header("Auth-Token", token.trim())
        .multipart(form);
    let sent = tokio::spawn(request.send());
    let database = SqliteDatabase::open(&data.join("symbold.sqlite"))
        .await
        .unwrap();
    eventually("the upload is pending", async || {
        is_pending(&database, 1).await
    })
    .await;
    drop(server);
    sent.await.unwrap().unwrap_err();
    assert!(is_pending(&database, 1).await);
    assert_eq!(folders(&data.join("incoming")), 1, "it could not clear up");

    let mut command = symbold(folder.path());
    settings(&mut command);
    let _server = Running::start(&mut command);
    let reason = failure(&database, 1).await;
    assert!(reason.contains("was killed"), "{reason}");
    assert_eq!(folders(&data.join("incoming")), 1, "only its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_upload_of_a_living_server_is_left_alone() {
    let (storage, mut kept) = (Faults::none(), None);
    let one = App::wrapped(
        |_| {},
        |adaptors| wrap(keeping(&mut kept)(adaptors), &storage, &Faults::none()),
    )
    .await;
    let database = kept.unwrap();
    storage.hold(true);
    let (token, client, address) = (one.token.clone(), one.client.clone(), one.address);
    let uploading = tokio::spawn(async move {
        let part = reqwest::multipart::Part::bytes(archive().bytes()).file_name("a.zip");
        let form = reqwest::multipart::Form::new().part("a.zip", part);
        let request = client.post(format!("http://{address}/upload/"));
        request
            .header("Auth-Token", token)
            .multipart(form)
            .send()
            .await
            .unwrap()
            .status()
    });
    eventually("the upload is pending", async || {
        is_pending(&*database, 1).await
    })
    .await;
    let other = one.beside(|_| {}).await;
    eventually("both live", async || {
        let nodes = database.nodes().await.unwrap();
        nodes.iter().filter(|node| node.beat > 0).count() == 2
    })
    .await;
    other.shut_down().await;
    assert!(is_pending(&*database, 1).await);
    assert_eq!(
        database.nodes().await.unwrap().len(),
        1,
        "it said that it stops"
    );
    storage.hold(false);
    assert_eq!(uploading.await.unwrap(), StatusCode::CREATED);
    assert!(matches!(
        state(&*database, 1).await,
        Some(UploadState::Completed(_))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_elsewhere_left_is_ended_when_it_has_been_silent_for_long() {
    let mut kept = None;
    let app = App::wrapped(
        |config| config.upload.abandoned_after = Duration::from_millis(200),
        keeping(&mut kept),
    )
    .await;
    let database = kept.unwrap();
    let upload = NewUpload {
        user: "build@example.com".to_owned(),
        created_at: datetime!(2026-11-23 10:00 UTC),
        ..NewUpload::default()
    };
    let hold = Hold {
        node: "elsewhere".to_owned(),
        ticket: 1,
        claims: vec![KEY.parse().unwrap()],
    };
    database.beat("elsewhere", upload.created_at).await.unwrap();
    let id = database.begin_upload(&upload, &hold).await.unwrap();
    let reason = failure(&*database, id).await;
    assert!(reason.contains("not been heard of"), "{reason}");
    assert_eq!(database.nodes().await.unwrap().len(), 1);
    assert_eq!(app.upload(archive()).await.status, StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_was_held_for_lost_is_503_and_its_repeat_converges() {
    let (storage, mut kept) = (Faults::none(), None);
    let app = App::wrapped(
        |_| {},
        |adaptors| wrap(keeping(&mut kept)(adaptors), &storage, &Faults::none()),
    )
    .await;
    let database = kept.unwrap();
    storage.hold(true);
    let uploading = app.upload(archive());
    let losing = async {
        eventually("the upload is pending", async || {
            is_pending(&*database, 1).await
        })
        .await;
        let nodes = database.nodes().await.unwrap();
        let ended = database
            .end_node(&nodes[0], "It was too slow")
            .await
            .unwrap();
        assert_eq!(ended, 1);
        storage.hold(false);
    };
    let (answer, ()) = tokio::join!(uploading, losing);
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    assert!(answer.retry_after.is_some());
    assert_eq!(
        state(&*database, 1).await,
        Some(UploadState::Failed("It was too slow".to_owned()))
    );
    let again = app.upload(archive()).await;
    assert_eq!(again.status, StatusCode::CREATED);
    assert_eq!(
        again.json["upload"]["skipped_keys"],
        serde_json::json!([KEY])
    );
}
