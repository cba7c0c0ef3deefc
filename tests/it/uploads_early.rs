//! Members are verified while their archive is arriving, and what comes of it is the same.

use std::io::Write;

use bytes::Bytes;
use futures_util::stream;
use reqwest::multipart::{Form, Part};
use reqwest::{Body, StatusCode};
use serde_json::json;
use tokio::sync::mpsc;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::support::{Answer, App, ID, Zip, eventually, random_bytes, sym};

const EARLY: &str = "symbold_upload_verified_total{result=\"early\"}";
const LATE: &str = "symbold_upload_verified_total{result=\"late\"}";

/// More than is gathered before it is written.
const LARGE: usize = 3 * 1024 * 1024;

fn key(name: &str) -> String {
    format!("a.pdb/{ID}/{name}")
}

/// Two files, of which the first is there before the second has begun to arrive.
fn archive() -> Vec<u8> {
    Zip::new()
        .file(&key("a.sym"), sym("a.pdb", ID, 9))
        .stored(&key("a.dl_"), random_bytes(LARGE, 1))
        .bytes()
}

/// Sends an archive up to a place, waits until the server has verified so many members, and sends the rest.
async fn upload_in_two(app: &App, first: &[u8], second: &[u8], expected: u64) -> Answer {
    let (sender, receiver) = mpsc::channel::<Result<Bytes, std::io::Error>>(2);
    let body = stream::unfold(receiver, async |mut receiver| {
        Some((receiver.recv().await?, receiver))
    });
    let length = (first.len() + second.len()) as u64;
    let part = Part::stream_with_length(Body::wrap_stream(body), length).file_name("x.zip");
    let form = Form::new().part("x.zip", part);
    let sending = async {
        sender.send(Ok(first.to_vec().into())).await.unwrap();
        let verified = async || app.metric(EARLY).await == expected;
        eventually("members are verified", verified).await;
        sender.send(Ok(second.to_vec().into())).await.unwrap();
        drop(sender);
    };
    let (answer, ()) = tokio::join!(app.upload_form(&app.token, form), sending);
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_is_verified_before_the_end_of_its_archive_has_been_sent() {
    let app = App::start().await;
    let archive = archive();
    let (first, second) = archive.split_at(archive.len() - LARGE / 2);
    let answer = upload_in_two(&app, first, second, 1).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.json);
    assert_eq!((app.metric(EARLY).await, app.metric(LATE).await), (2, 0));
    assert_eq!(app.fetch(&key("a.sym")).await, sym("a.pdb", ID, 9));
    assert_eq!(app.fetch(&key("a.dl_")).await, random_bytes(LARGE, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_verified_early_is_not_believed_against_the_directory() {
    let app = App::start().await;
    let mut archive = archive();
    // The last record's name, which the local header has in another way.
    let name = key("a.dl_");
    let place = archive
        .windows(name.len())
        .rposition(|bytes| bytes == name.as_bytes());
    archive[place.unwrap()] = b'b';
    let (first, second) = archive.split_at(archive.len() - LARGE / 2);
    let answer = upload_in_two(&app, first, second, 1).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.code(), "local_header_differs");
    assert_eq!(
        app.status(&format!("/{}", key("a.sym"))).await,
        StatusCode::NOT_FOUND
    );
    // A thread may be in the middle of the second member.
    let is_gone = async || app.temporary_files() == 0;
    eventually("the temporary file is gone", is_gone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_member_is_told_as_ever() {
    let app = App::start().await;
    let mut archive = archive();
    let place = archive.len() / 2;
    archive[place] ^= 1;
    let answer = app.upload(archive).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.code(), "crc_mismatch");
}

#[tokio::test(flavor = "multi_thread")]
async fn members_whose_sizes_come_after_them_are_verified_at_the_end() {
    let app = App::start().await;
    let mut writer = ZipWriter::new_stream(Vec::new());
    writer
        .start_file(key("a.sym"), SimpleFileOptions::default())
        .unwrap();
    writer.write_all(&sym("a.pdb", ID, 9)).unwrap();
    let archive = writer.finish().unwrap().into_inner();
    let answer = app.upload(archive).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.json);
    assert_eq!((app.metric(EARLY).await, app.metric(LATE).await), (0, 1));
    assert_eq!(app.fetch(&key("a.sym")).await, sym("a.pdb", ID, 9));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_text_that_comes_stored_is_one_gzip_member() {
    let app = App::start().await;
    let text = sym("a.pdb", ID, 30_000);
    assert!(text.len() > LARGE, "it is compressed in several chunks");
    let answer = app.upload(Zip::new().stored(&key("a.sym"), &text)).await;
    assert_eq!(answer.json["upload"]["skipped_keys"], json!([]));
    let path = format!("/{}", key("a.sym"));
    let request = app
        .request(reqwest::Method::GET, &path)
        .header("Accept-Encoding", "gzip");
    let gzipped = request.send().await.unwrap().bytes().await.unwrap();
    let mut decoder = flate2::bufread::GzDecoder::new(&gzipped[..]);
    let mut inflated = Vec::new();
    std::io::Read::read_to_end(&mut decoder, &mut inflated).unwrap();
    assert!(inflated == text && decoder.into_inner().is_empty());
}
