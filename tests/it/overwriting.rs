//! Uploads of files that are there already, and uploads that race.

use std::sync::Arc;

use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use symbold::auth::Permission;
use symbold::storage::{ObjectMeta, StorageKind};
use symbold::upload::Overwrite;

use crate::support::object_store;
use crate::support::{Answer, App, ID, Zip, random_bytes, sym};

fn key(file: &str) -> String {
    format!("a.pdb/{ID}/{file}")
}

fn one(file: &str, bytes: impl AsRef<[u8]>) -> Zip {
    Zip::new().file(&key(file), bytes)
}

async fn app(overwrite: Overwrite) -> App {
    App::with(|config| {
        config.upload.overwrite = overwrite;
        config.upload.slots = 32;
        config.upload.slots_per_token = 32;
    })
    .await
}

async fn tokens(app: &App) -> (String, String) {
    let regular = [Permission::UploadSymbols];
    let one = app.token("one@example.com", &regular, 1).await;
    (one, app.token("other@example.com", &regular, 1).await)
}

async fn record_status(app: &App, id: i64) -> StatusCode {
    let request = app.request(reqwest::Method::GET, &format!("/api/uploads/upload/{id}"));
    let request = request.header("Auth-Token", &app.token);
    request.send().await.unwrap().status()
}

/// Checks that an upload was refused because of a key, and that nothing of it is there.
async fn is_refused(app: &App, answer: &Answer, file: &str, others: &[&str], last: i64) {
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::CONFLICT, "already_exists"),
        "{answer:?}"
    );
    assert!(answer.error().contains(&key(file)), "{}", answer.error());
    for other in others {
        let path = format!("/{}", key(other));
        assert_eq!(app.status(&path).await, StatusCode::NOT_FOUND, "{other}");
    }
    for id in last + 1..last + 5 {
        assert_eq!(
            record_status(app, id).await,
            StatusCode::NOT_FOUND,
            "no row"
        );
    }
}

fn id(answer: &Answer) -> i64 {
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    answer.json["upload"]["id"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_tells_who_had_stored_what_it_replaced() {
    let app = app(Overwrite::Allow).await;
    let (one_token, other_token) = tokens(&app).await;
    let first = app.upload_as(&one_token, one("a.dl_", "first")).await;
    let second = app.upload_as(&other_token, one("a.dl_", "second")).await;
    assert_ne!(id(&first), id(&second));
    assert_eq!(app.fetch(&key("a.dl_")).await, b"second");
    let first = app.record(&first.json["upload"]["id"]).await;
    assert_eq!(first["file_uploads"][0]["replaced"], Value::Null);
    let second = app.record(&second.json["upload"]["id"]).await;
    let file = &second["file_uploads"][0];
    assert_eq!(
        (&file["update"], &file["replaced_sha256"]),
        (&json!(true), &json!(hex::encode(Sha256::digest("first"))))
    );
    let expected = json!({
        "upload": first["id"],
        "user": {"email": "one@example.com"},
        "completed_at": first["file_uploads"][0]["completed_at"],
    });
    assert_eq!(file["replaced"], expected);
    let updated = "symbold_upload_files_total{result=\"updated\"}";
    assert_eq!(app.metric(updated).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_tells_how_long_each_step_took() {
    let app = App::start().await;
    let answer = app.upload(one("a.sym", sym("a.pdb", ID, 5000))).await;
    let record = app.record(&answer.json["upload"]["id"]).await;
    let steps = record["milliseconds"].as_object().unwrap();
    assert_eq!(steps.len(), 3);
    for step in ["receiving", "checking", "storing"] {
        assert!(steps[step].as_u64().unwrap() < 60_000, "{record}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn never_means_that_no_file_is_changed() {
    let app = app(Overwrite::Never).await;
    let archive = || one("a.dl_", "first").file(&key("a.pd_"), "second");
    let last = id(&app.upload(archive()).await);
    let puts = app.storage_calls("put").await;
    let changed = one("new.dl_", "new")
        .file(&key("a.dl_"), "first")
        .file(&key("a.pd_"), "2nd");
    let answer = app.upload(changed).await;
    is_refused(&app, &answer, "a.pd_", &["new.dl_"], last).await;
    assert_eq!(app.storage_calls("put").await, puts);
    assert_eq!(app.fetch(&key("a.pd_")).await, b"second");
    let refused = "symbold_uploads_total{result=\"already_exists\"}";
    assert_eq!(app.metric(refused).await, 1);

    let same = app.upload(archive().file(&key("new.dl_"), "new")).await;
    id(&same);
    assert_eq!(
        same.json["upload"]["skipped_keys"],
        json!([key("a.dl_"), key("a.pd_")])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_uploader_may_change_only_what_it_stored_last() {
    let mut storage = None;
    let app = App::wrapped(
        |config| config.upload.overwrite = Overwrite::SameUploader,
        |adaptors| {
            storage = Some(Arc::clone(&adaptors.storage));
            adaptors
        },
    )
    .await;
    let (one_token, other_token) = tokens(&app).await;
    id(&app.upload_as(&one_token, one("a.dl_", "1")).await);
    let last = id(&app.upload_as(&one_token, one("a.dl_", "2")).await);
    let changed = one("new.dl_", "new").file(&key("a.dl_"), "3");
    let answer = app.upload_as(&other_token, changed).await;
    is_refused(&app, &answer, "a.dl_", &["new.dl_"], last).await;
    assert_eq!(app.fetch(&key("a.dl_")).await, b"2");
    id(&app.upload_as(&other_token, one("a.dl_", "2")).await);
    let answer = app.upload_as(&other_token, one("a.dl_", "3")).await;
    assert_eq!(
        answer.status,
        StatusCode::CONFLICT,
        "to skip is not to store"
    );
    id(&app.upload_as(&one_token, one("a.dl_", "3")).await);

    let foreign = format!("v1/{}", key("foreign.dl_"));
    let stored = storage.unwrap();
    let bytes = bytes::Bytes::from_static(b"foreign");
    stored
        .put(&foreign, bytes.into(), ObjectMeta::default())
        .await
        .unwrap();
    let answer = app.upload_as(&one_token, one("foreign.dl_", "4")).await;
    assert_eq!(
        answer.status,
        StatusCode::CONFLICT,
        "its uploader is unknown"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_bring_a_new_file_at_once_one_may_store_it() {
    for overwrite in [Overwrite::Never, Overwrite::SameUploader] {
        let app = app(overwrite).await;
        let mut uploaders = Vec::new();
        for number in 0..8_u32 {
            let email = format!("{number}@example.com");
            uploaders.push(app.token(&email, &[Permission::UploadSymbols], 1).await);
        }
        let archive = |number: u32| {
            let others = one(&format!("{number}.dl_"), "of its own");
            others.file(&key("a.sym"), sym("a.pdb", ID, 10 + number))
        };
        let sent = (0..).zip(&uploaders);
        let answers =
            join_all(sent.map(|(number, token)| app.upload_as(token, archive(number)))).await;
        let mut winners = Vec::new();
        for (number, answer) in (0..).zip(&answers) {
            match (answer.status, answer.code()) {
                (StatusCode::CREATED, _) => winners.push(number),
                (StatusCode::CONFLICT, "already_exists") => {}
                (StatusCode::SERVICE_UNAVAILABLE, "contended") => {
                    assert!(answer.retry_after.is_some());
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(winners.len(), 1, "{answers:?}");
        let expected = sym("a.pdb", ID, 10 + winners[0]);
        assert_eq!(app.fetch(&key("a.sym")).await, expected);
        for (number, token) in (0..).zip(&uploaders) {
            let status = app.upload_as(token, archive(number)).await.status;
            let is_winner = number == winners[0];
            let expected = if is_winner {
                StatusCode::CREATED
            } else {
                StatusCode::CONFLICT
            };
            assert_eq!(status, expected);
            let own = app
                .status(&format!("/{}", key(&format!("{number}.dl_"))))
                .await;
            assert_eq!(own == StatusCode::OK, is_winner);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_race_for_one_key_one_whole_file_stays() {
    let app = app(Overwrite::Allow).await;
    for round in 0..5 {
        let file = format!("{round}.sym");
        let versions = [20, 30].map(|functions| sym("a.pdb", ID, functions + round));
        let uploads = versions
            .iter()
            .map(|version| app.upload(one(&file, version)));
        for answer in join_all(uploads).await {
            id(&answer);
        }
        let stored = app.fetch(&key(&file)).await;
        assert!(versions.contains(&stored));
        let again = app.upload(one(&file, &stored)).await;
        assert_eq!(again.json["upload"]["skipped_keys"], json!([key(&file)]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_identical_uploads_at_once_are_one() {
    let app = app(Overwrite::Allow).await;
    let files: Vec<(String, Vec<u8>)> = (0..5)
        .map(|number| (key(&format!("{number}.pd_")), random_bytes(40_000, number)))
        .collect();
    let archive = files
        .iter()
        .fold(Zip::new(), |zip, (key, bytes)| zip.file(key, bytes));
    let archive = archive.bytes();
    let answers = join_all((0..16).map(|_| app.upload(archive.clone()))).await;
    for answer in &answers {
        id(answer);
    }
    for (key, bytes) in &files {
        assert_eq!(app.fetch(key).await, *bytes);
    }
    let puts = app.storage_calls("put").await;
    let answer = app.upload(archive).await;
    let names: Vec<&String> = files.iter().map(|(key, _)| key).collect();
    assert_eq!(answer.json["upload"]["skipped_keys"], json!(names));
    assert_eq!(app.storage_calls("put").await, puts);
}

/// Removes an object without telling the server.
async fn remove(app: &App, storage: &StorageKind, key: &str) {
    let path = format!("v1/{key}");
    match storage {
        StorageKind::S3(s3) => {
            let client = object_store::client(&s3.endpoint).await;
            let request = client.delete_object().bucket(&s3.bucket).key(path);
            request.send().await.unwrap();
        }
        StorageKind::Disk(disk) => {
            std::fs::remove_file(app.data_dir().join(&disk.directory).join(path)).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_was_removed_behind_our_back_is_stored_again() {
    let mut storage = None;
    let app = App::with(|config| storage = Some(config.storage.kind.clone())).await;
    let archive = || one("a.dl_", "first").file(&key("b.dl_"), "second");
    id(&app.upload(archive()).await);
    assert_eq!(app.fetch(&key("a.dl_")).await, b"first");
    remove(&app, &storage.unwrap(), &key("a.dl_")).await;
    let answer = app.upload(archive()).await;
    assert_eq!(answer.json["upload"]["skipped_keys"], json!([key("b.dl_")]));
    assert_eq!(app.fetch(&key("a.dl_")).await, b"first");
    let record = app.record(&answer.json["upload"]["id"]).await;
    assert_eq!(record["file_uploads"][0]["update"], json!(false));
}
