//! What every engine must do with values that no version of this program has written.

use std::fmt::Debug;

use super::uploads::{bare_upload, hold, other_file};
use super::{build_id, debug_id, key, minute, sha256};
use crate::db::build_ids::BuildIdRecord;
use crate::db::uploads::{FileRecord, Outcome};
use crate::db::waiting::WaitingFile;
use crate::db::{Database, DbError};
use symbols::Store;

/// Runs the suite on an empty database; `execute` runs a statement on it.
pub(crate) async fn check_all(database: &dyn Database, execute: impl AsyncFn(String)) {
    files_of_uploads(database, &execute).await;
    files_with_a_build_id(database, &execute).await;
    waiting_files(database, &execute).await;
}

/// Expects an error that names the row and the column.
fn assert_corrupt<T: Debug>(read: Result<T, DbError>, place: &str) {
    match read {
        Err(DbError::Corrupt(reason)) if reason.starts_with(place) => {}
        other => panic!("expected {place} to be corrupt, got {other:?}"),
    }
}

async fn files_of_uploads(database: &dyn Database, execute: &impl AsyncFn(String)) {
    let file = FileRecord {
        replaced_sha256: Some(sha256("b2")),
        debug_file: Some("a.so".to_owned()),
        debug_id: Some(debug_id("AB0")),
        code_id: Some(debug_id("AAAA")),
        ..other_file("a.so/AB0/a.so.sym")
    };
    let upload = database.begin_upload(&bare_upload(), &hold()).await;
    let upload = upload.unwrap();
    let outcome = Outcome {
        files: vec![file],
        ..Outcome::default()
    };
    let completed = database.complete_upload(upload, &outcome, minute(1)).await;
    completed.unwrap();
    let sound = database.upload(upload).await.unwrap();
    for (column, sound_value, broken) in [
        ("key", "a.so/AB0/a.so.sym", "a.so/../a.so.sym"),
        ("sha256", &*sha256("c3").to_string(), "c3c3"),
        ("replaced_sha256", &*sha256("b2").to_string(), ""),
        ("debug_id", "AB0", "no id"),
        ("code_id", "AAAA", "0xAAAA"),
    ] {
        let set = |value| format!("UPDATE upload_files SET {column} = '{value}'");
        execute(set(broken)).await;
        let place = format!("table upload_files, row 1, column {column}: is not ");
        let place = place.replace("key: is not ", "key: has an id ");
        assert_corrupt(database.upload(upload).await, &place);
        match column {
            "key" => {
                let id = debug_id("AB0");
                let module = database
                    .module_by_debug_id("a.so", &id, Store::Regular)
                    .await;
                assert_corrupt(module, &place);
            }
            "debug_id" => {
                assert_corrupt(database.debug_ids("a.so", Store::Regular, 9).await, &place);
                let modules = database.modules_by_build_id(&build_id("aaaa")).await;
                assert_corrupt(modules, &place);
            }
            _ => {}
        }
        execute(set(sound_value)).await;
    }
    assert_eq!(database.upload(upload).await.unwrap(), sound);
}

async fn files_with_a_build_id(database: &dyn Database, execute: &impl AsyncFn(String)) {
    let record = BuildIdRecord {
        build_id: build_id("abcd"),
        key: key("a.so/AB0/a.so"),
        sha256: sha256("a1"),
        has_code: true,
        has_debug_info: true,
        is_gzipped: false,
        size: None,
    };
    let upload = database.begin_upload(&bare_upload(), &hold()).await;
    let outcome = Outcome {
        build_ids: vec![record],
        ..Outcome::default()
    };
    let completed = database.complete_upload(upload.unwrap(), &outcome, minute(1));
    completed.await.unwrap();
    for (column, row) in [
        ("sha256", r#""abcd", "a.so/AB0/a.so""#),
        ("key", r#""abcd", "broken""#),
    ] {
        execute(format!("UPDATE build_ids SET {column} = 'broken'")).await;
        let place = format!("table build_ids, row {row}, column {column}: is not ");
        let found = database.files_by_build_id(&build_id("abcd")).await;
        assert_corrupt(found, &place);
    }
}

async fn waiting_files(database: &dyn Database, execute: &impl AsyncFn(String)) {
    let file = WaitingFile {
        key_hash: sha256("aa"),
        user: "build@example.com".to_owned(),
        token_id: 7,
        created_at: minute(0),
    };
    assert!(database.begin_waiting(&file, 1).await.unwrap());
    execute("UPDATE waiting_files SET key_hash = 'broken'".to_owned()).await;
    let waiting = database.waiting_since(minute(1), 1).await;
    assert_corrupt(
        waiting,
        r#"table waiting_files, row "broken", column key_hash: is not 64 hexadecimal digits"#,
    );
}
