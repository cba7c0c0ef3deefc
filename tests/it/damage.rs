//! Stored objects that something has damaged, and the uploads that mend them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::support::backends::needs_embedded_storage;
use crate::support::{App, ID, Zip, random_bytes, sym};

/// Larger than what is checked before its first byte is sent.
const LARGE: usize = 3 << 20;

fn key(file: &str) -> String {
    format!("mill.pdb/{ID}/{file}")
}

fn file_of(app: &App, key: &str) -> PathBuf {
    app.data_dir().join("objects/v1").join(key)
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

async fn verdict(app: &App, key: &str) -> Value {
    let explanation = app.get(&format!("/api/explain/{key}")).await;
    let explanation: Value = explanation.json().await.unwrap();
    explanation["verdict"].clone()
}

/// What operators and clients see of one damaged object.
async fn is_shown(app: &App, key: &str) {
    assert_eq!(verdict(app, key).await, "damaged");
    let heartbeat = app.get("/__heartbeat__").await;
    assert_eq!(heartbeat.status(), StatusCode::OK);
    let heartbeat: Value = heartbeat.json().await.unwrap();
    assert_eq!(heartbeat["status"], "warning");
    assert_eq!(heartbeat["checks"]["objects"], "warning");
    assert_eq!(heartbeat["checks"]["storage"], "ok");
    assert_eq!(app.metric("symbold_storage_damaged_objects").await, 1);
    let answer = app.get(&format!("/{key}")).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let sentence = answer.text().await.unwrap();
    assert!(sentence.contains("Upload it again"), "{sentence}");
    let head = app.head(&format!("/{key}")).await;
    assert_eq!(head.status(), StatusCode::SERVICE_UNAVAILABLE);
}

async fn is_mended(app: &App, key: &str, bytes: &[u8]) {
    assert_eq!(app.fetch(key).await, bytes);
    assert_eq!(verdict(app, key).await, "held");
    assert_eq!(app.metric("symbold_storage_damaged_objects").await, 0);
    let heartbeat: Value = app.get("/__heartbeat__").await.json().await.unwrap();
    assert_eq!(heartbeat["status"], "ok");
}

/// A name, and what it does to the file of an object.
type Way = (&'static str, fn(&Path));

const WAYS: &[Way] = &[
    ("truncated", |path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() - 5]).unwrap();
    }),
    ("emptied", |path| fs::write(path, b"").unwrap()),
    ("footer", |path| {
        let length = fs::metadata(path).unwrap().len();
        flip(path, usize::try_from(length).unwrap() - 40);
    }),
    ("link", |path| {
        fs::remove_file(path).unwrap();
        symlink("/etc/hostname", path).unwrap();
    }),
    ("folder", |path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    }),
    ("folder that is not empty", |path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
        fs::write(path.join("somebody's"), b"kept").unwrap();
    }),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_mended_by_the_next_upload_of_its_key() {
    if needs_embedded_storage("what_cannot_be_read_is_mended_by_the_next_upload_of_its_key") {
        return;
    }
    let (damaged, other) = (key("mill.sym"), key("other.sym"));
    let (text, beside) = (sym("mill.pdb", ID, 20), sym("mill.pdb", ID, 3));
    for (way, damage) in WAYS {
        let app = App::start().await;
        let archive = || Zip::new().file(&damaged, text.clone());
        let first = app.upload(archive()).await;
        assert_eq!(first.status, StatusCode::CREATED);
        damage(&file_of(&app, &damaged));
        assert_eq!(
            app.status(&format!("/{damaged}")).await,
            StatusCode::SERVICE_UNAVAILABLE,
            "{way}"
        );
        is_shown(&app, &damaged).await;
        let again = app.upload(archive().file(&other, beside.clone())).await;
        assert_eq!(again.status, StatusCode::CREATED, "{way}: {}", again.json);
        assert_eq!(again.json["upload"]["skipped_keys"], serde_json::json!([]));
        is_mended(&app, &damaged, &text).await;
        assert_eq!(app.fetch(&other).await, beside);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_is_found_by_the_first_who_reads_the_whole() {
    if needs_embedded_storage("a_flipped_byte_is_found_by_the_first_who_reads_the_whole") {
        return;
    }
    let app = App::start().await;
    for (file, bytes) in [
        ("mill.sym", sym("mill.pdb", ID, 20)),
        ("mill.pd_", random_bytes(LARGE, 3)),
        ("mill.ex_", random_bytes(999, 5)),
    ] {
        let key = key(file);
        let archive = || Zip::new().file(&key, bytes.clone());
        assert_eq!(app.upload(archive()).await.status, StatusCode::CREATED);
        for _ in 0..2 {
            assert_eq!(
                app.fetch(&key).await,
                bytes,
                "unharmed, and the second time unchecked"
            );
        }
        flip(&file_of(&app, &key), 400);
        let request = app.request(Method::GET, &format!("/{key}"));
        let answer = request
            .header("accept-encoding", "gzip")
            .send()
            .await
            .unwrap();
        let is_cut = answer.status() == StatusCode::OK && answer.bytes().await.is_err();
        assert_eq!(is_cut, bytes.len() == LARGE, "{file}");
        is_shown(&app, &key).await;
        let again = app.upload(archive()).await;
        assert_eq!(again.status, StatusCode::CREATED);
        assert_eq!(again.json["upload"]["skipped_keys"], serde_json::json!([]));
        is_mended(&app, &key, &bytes).await;
    }
    assert_eq!(app.metric("symbold_storage_damage_found_total").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_was_put_back_by_hand_is_believed_again() {
    if needs_embedded_storage("a_copy_that_was_put_back_by_hand_is_believed_again") {
        return;
    }
    let app = App::start().await;
    let (key, bytes) = (key("mill.pd_"), random_bytes(999, 7));
    let archive = Zip::new().file(&key, bytes.clone());
    assert_eq!(app.upload(archive).await.status, StatusCode::CREATED);
    let path = file_of(&app, &key);
    let copy = path.with_extension("copy");
    fs::copy(&path, &copy).unwrap();
    flip(&path, 5);
    assert_eq!(
        app.status(&format!("/{key}")).await,
        StatusCode::SERVICE_UNAVAILABLE
    );
    fs::rename(&copy, &path).unwrap();
    is_mended(&app, &key, &bytes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_not_protected_from_being_replaced() {
    if needs_embedded_storage("a_damaged_file_is_not_protected_from_being_replaced") {
        return;
    }
    let app = App::with(|config| config.upload.overwrite = symbold::upload::Overwrite::Never).await;
    let (key, text) = (key("mill.sym"), sym("mill.pdb", ID, 20));
    let archive = || Zip::new().file(&key, text.clone());
    assert_eq!(app.upload(archive()).await.status, StatusCode::CREATED);
    fs::write(file_of(&app, &key), b"").unwrap();
    assert_eq!(app.upload(archive()).await.status, StatusCode::CREATED);
    is_mended(&app, &key, &text).await;
}
