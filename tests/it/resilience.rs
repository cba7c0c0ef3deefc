//! Clients that leave, stall or dribble; disks that fill; processes that are told to stop.

use std::fs;
use std::path::Path;
use std::time::Duration;

use reqwest::StatusCode;

use crate::support::backends::are_services;
use crate::support::{App, ID, RawConnection, Zip, eventually, sym};

const KEY: &str = "a.pdb/44E4EC8C2F41492B9369D6B9A059577C2/a.sym";

/// The head of an upload and its whole body.
fn request(app: &App, archive: &[u8]) -> (String, Vec<u8>) {
    let mut body =
        b"--x\r\nContent-Disposition: form-data; name=\"a.zip\"; filename=\"a.zip\"\r\n\r\n"
            .to_vec();
    body.extend_from_slice(archive);
    body.extend_from_slice(b"\r\n--x--\r\n");
    let head = format!(
        "POST /upload/ HTTP/1.1\r\nHost: x\r\nAuth-Token: {}\r\nContent-Length: {}\r\n\
         Content-Type: multipart/form-data; boundary=x\r\n\r\n",
        app.token,
        body.len()
    );
    (head, body)
}

fn archive() -> Vec<u8> {
    Zip::new().file(KEY, sym("a.pdb", ID, 2000)).bytes()
}

async fn is_idle(app: &App) -> bool {
    app.metric("symbold_uploads_in_flight").await == 0
}

async fn nothing_is_left(app: &App) {
    eventually("the upload's slot is free", async || is_idle(app).await).await;
    assert_eq!(
        app.metric("symbold_upload_reserved_bytes{kind=\"archives\"}")
            .await,
        0
    );
    eventually("no temporary file is open", async || {
        app.temporary_files() == 0
    })
    .await;
    assert_eq!(app.storage_calls("put").await, 0);
    assert_eq!(app.status(&format!("/{KEY}")).await, StatusCode::NOT_FOUND);
    let folders = ["incoming", "objects/#incoming"];
    let folders = if are_services() {
        &folders[..1]
    } else {
        &folders
    };
    for folder in folders {
        let own_folder = fs::read_dir(app.data_dir().join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let files = own_folder
            .filter(|path| path.is_dir())
            .flat_map(|path| fs::read_dir(path).unwrap());
        assert!(
            files
                .map(|entry| entry.unwrap().file_name())
                .all(|name| name == "lock"),
            "{folder}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stops_arriving_is_ended() {
    let app = App::with(|config| config.upload.idle = Duration::from_millis(100)).await;
    let (head, body) = request(&app, &archive());
    let mut connection = RawConnection::open(app.address).await;
    connection.send(head).await;
    connection.send(&body[..body.len() / 2]).await;
    let answer = connection.read_to_close().await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("\"code\":\"stalled\""), "{answer}");
    nothing_is_left(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_in_the_middle_leaves_nothing() {
    let app = App::start().await;
    let (head, body) = request(&app, &archive());
    let parts = [
        0,
        10,
        body.len() / 100,
        body.len() / 2,
        body.len() * 99 / 100,
        body.len() - 3,
    ];
    for part in parts {
        let mut connection = RawConnection::open(app.address).await;
        connection.send(&head).await;
        connection.send(&body[..part]).await;
        drop(connection);
    }
    eventually("all of them have been given up", async || {
        let given_up = "symbold_uploads_total{result=\"incomplete\"}";
        let before_the_first_part = "symbold_uploads_total{result=\"no_file\"}";
        let ended = app.metric(given_up).await + app.metric(before_the_first_part).await;
        ended == parts.len() as u64
    })
    .await;
    nothing_is_left(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_at_the_end_has_uploaded() {
    let app = App::start().await;
    let (head, body) = request(&app, &archive());
    let mut connection = RawConnection::open(app.address).await;
    connection.send(head).await;
    connection.send(body).await;
    drop(connection);
    eventually("the upload is completed", async || {
        app.metric("symbold_uploads_total{result=\"completed\"}")
            .await
            > 0
            || app.head(&format!("/{KEY}?_refresh")).await.status() == StatusCode::OK
    })
    .await;
    assert_eq!(app.fetch(KEY).await, sym("a.pdb", ID, 2000));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_in_flight_is_finished_before_the_server_stops() {
    let app = App::start().await;
    let (head, body) = request(&app, &archive());
    let mut connection = RawConnection::open(app.address).await;
    connection.send(head).await;
    connection.send(&body[..body.len() / 2]).await;
    eventually("the upload has begun", async || !is_idle(&app).await).await;
    let (data, address) = (app.data_dir().join("objects/v1").join(KEY), app.address);
    let stopping = tokio::spawn(app.shut_down_keeping_data());
    eventually("nothing listens any more", async || {
        tokio::net::TcpStream::connect(address).await.is_err()
    })
    .await;
    connection.send(&body[body.len() / 2..]).await;
    let answer = connection.read_to_close().await;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let _data = stopping.await.unwrap();
    assert!(are_services() || Path::new(&data).exists());
}
