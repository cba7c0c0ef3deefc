//! What every engine must do with uploads and their files.

use std::time::Duration;

use super::{debug_id, key, minute, sha256};
use crate::db::uploads::{FileRecord, Hold, NewUpload, Outcome, UploadRecord, UploadState};
use crate::db::warnings::{Warning, WarningKind, Warnings};
use crate::db::{Database, DbError};
use symbols::Store;

pub(super) async fn check_all(database: &dyn Database) {
    an_upload_begins_as_pending(database).await;
    an_upload_is_completed_with_its_files(database).await;
    an_upload_without_files_is_completed(database).await;
    the_files_of_two_uploads_are_kept_apart(database).await;
    a_failed_upload_keeps_its_reason(database).await;
    a_completed_upload_stays_as_it_is(database).await;
    an_unknown_upload_is_none(database).await;
    a_withdrawn_upload_was_never_there(database).await;
    a_key_is_claimed_by_one_pending_upload(database).await;
    claims_of_a_withdrawn_failed_or_completed_upload_are_free(database).await;
}

fn new_upload() -> NewUpload {
    NewUpload {
        user: "build@example.com".to_owned(),
        file_name: "target.crashreporter-symbols — 'größe'.zip".to_owned(),
        size: 1 << 40,
        bucket: "symbols".to_owned(),
        store: Store::Try,
        content_hash: "70cc8bd4".repeat(4),
        download_url: Some("https://queue.example.com/a%20b".to_owned()),
        redirect_urls: vec![
            "https://b.example.com/\"quoted\"".to_owned(),
            "https://a.example.com/\\".to_owned(),
        ],
        ignored_keys: vec!["build-symbols.txt".to_owned()],
        warnings: Warnings(vec![
            Warning {
                kind: WarningKind::HeadUtf16,
                count: 1 << 40,
                keys: vec!["汉 '\"\\/AB/a.sym".to_owned(), "b/AB/b.sym".to_owned()],
            },
            Warning {
                kind: WarningKind::NotServed,
                count: 1,
                keys: Vec::new(),
            },
        ]),
        created_at: minute(0),
        received_in: Some(Duration::from_millis(1)),
        checked_in: Some(Duration::from_hours(900)),
    }
}

/// The hold of an upload that nobody else is kept from.
pub(super) fn hold() -> Hold {
    Hold {
        node: "a node".to_owned(),
        ticket: 1,
        ..Hold::default()
    }
}

fn claiming(claims: &[&str]) -> Hold {
    Hold {
        claims: claims.iter().map(|claim| key(claim)).collect(),
        ..hold()
    }
}

/// An upload of which as little is known as can be.
pub(super) fn bare_upload() -> NewUpload {
    NewUpload {
        user: "build@example.com".to_owned(),
        created_at: minute(0),
        ..NewUpload::default()
    }
}

fn sym_file(name: &str) -> FileRecord {
    FileRecord {
        is_update: true,
        is_compressed: true,
        stored_size: (1 << 40) + 1,
        original_size: (1 << 42) + 3,
        sha256: sha256("a1"),
        replaced_sha256: Some(sha256("b2")),
        debug_file: Some("汉.pdb".to_owned()),
        debug_id: Some(debug_id("44E4EC8C2F41492B9369D6B9A059577C2")),
        code_file: Some("汉.dll".to_owned()),
        code_id: Some(debug_id("5DD8A8B1A4E000")),
        generator: Some("mozilla/dump_syms 2.3.4".to_owned()),
        stored_at: minute(1),
        ..other_file(name)
    }
}

/// A file without a header, and of which as little is known as can be.
pub(super) fn other_file(name: &str) -> FileRecord {
    FileRecord {
        key: key(name),
        is_update: false,
        is_compressed: false,
        stored_size: 0,
        original_size: 0,
        sha256: sha256("c3"),
        replaced_sha256: None,
        debug_file: None,
        debug_id: None,
        code_file: None,
        code_id: None,
        generator: None,
        stored_at: minute(2),
    }
}

/// Files whose order is neither that of their keys nor of their times.
fn outcome() -> Outcome {
    Outcome {
        files: vec![
            other_file("xul.pdb/44E4EC8C2F41492B9369D6B9A059577C2/xul.pd_"),
            sym_file("汉.pdb/44E4EC8C2F41492B9369D6B9A059577C2/汉.sym"),
            other_file("a.so/ABCD/libstdc++.so.6"),
        ],
        skipped_keys: vec!["z/AB/z.sym".to_owned(), "c++filt/AB/c++filt.sym".to_owned()],
        stored_in: Some(Duration::from_millis(1234)),
        ..Outcome::default()
    }
}

async fn read(database: &dyn Database, id: i64) -> (UploadRecord, Vec<FileRecord>) {
    database
        .upload(id)
        .await
        .unwrap()
        .expect("it was just recorded")
}

async fn an_upload_begins_as_pending(database: &dyn Database) {
    for upload in [new_upload(), bare_upload()] {
        let id = database.begin_upload(&upload, &hold()).await.unwrap();
        let expected = UploadRecord {
            id,
            facts: upload,
            state: UploadState::Pending,
            skipped_keys: vec![],
            stored_in: None,
        };
        assert_eq!(read(database, id).await, (expected, vec![]));
    }
}

async fn an_upload_is_completed_with_its_files(database: &dyn Database) {
    let id = database.begin_upload(&new_upload(), &hold()).await.unwrap();
    let outcome = outcome();
    database
        .complete_upload(id, &outcome, minute(3))
        .await
        .unwrap();
    let expected = UploadRecord {
        id,
        facts: new_upload(),
        state: UploadState::Completed(minute(3)),
        skipped_keys: outcome.skipped_keys,
        stored_in: outcome.stored_in,
    };
    assert_eq!(read(database, id).await, (expected, outcome.files));
}

async fn an_upload_without_files_is_completed(database: &dyn Database) {
    let id = database
        .begin_upload(&bare_upload(), &hold())
        .await
        .unwrap();
    database
        .complete_upload(id, &Outcome::default(), minute(3))
        .await
        .unwrap();
    let (record, files) = read(database, id).await;
    assert_eq!(record.state, UploadState::Completed(minute(3)));
    assert_eq!(files, []);
}

async fn the_files_of_two_uploads_are_kept_apart(database: &dyn Database) {
    let one = database.begin_upload(&new_upload(), &hold()).await.unwrap();
    let two = database.begin_upload(&new_upload(), &hold()).await.unwrap();
    assert!(one < two, "later uploads have higher numbers");
    let of_two = Outcome {
        files: vec![other_file("a.so/ABCD/a.so")],
        ..Outcome::default()
    };
    database
        .complete_upload(two, &of_two, minute(3))
        .await
        .unwrap();
    database
        .complete_upload(one, &outcome(), minute(4))
        .await
        .unwrap();
    assert_eq!(read(database, one).await.1, outcome().files);
    assert_eq!(read(database, two).await.1, of_two.files);
}

async fn a_failed_upload_keeps_its_reason(database: &dyn Database) {
    let id = database.begin_upload(&new_upload(), &hold()).await.unwrap();
    let reason = "the storage 'symbols' is away";
    for reason in [reason, "a second reason"] {
        let was_completed = database.fail_upload(id, reason).await.unwrap();
        assert!(!was_completed);
    }
    let completed = database.complete_upload(id, &outcome(), minute(3)).await;
    assert!(
        matches!(completed, Err(DbError::Conflict(_))),
        "{completed:?}"
    );

    let (record, files) = read(database, id).await;
    assert_eq!(record.state, UploadState::Failed(reason.to_owned()));
    assert_eq!(record.skipped_keys, Vec::<String>::new());
    assert_eq!(files, []);
}

async fn a_completed_upload_stays_as_it_is(database: &dyn Database) {
    let id = database.begin_upload(&new_upload(), &hold()).await.unwrap();
    database
        .complete_upload(id, &outcome(), minute(3))
        .await
        .unwrap();
    let before = read(database, id).await;

    let again = database.complete_upload(id, &outcome(), minute(4)).await;
    assert!(matches!(again, Err(DbError::Conflict(_))), "{again:?}");
    let was_completed = database.fail_upload(id, "too late").await.unwrap();
    assert!(was_completed);
    database.withdraw_upload(id).await.unwrap();
    assert_eq!(read(database, id).await, before);
}

async fn an_unknown_upload_is_none(database: &dyn Database) {
    assert_eq!(database.upload(i64::MAX).await.unwrap(), None);
    assert_eq!(database.upload(-1).await.unwrap(), None);
    let was_completed = database.fail_upload(i64::MAX, "nobody's").await.unwrap();
    assert!(!was_completed);
    database.withdraw_upload(i64::MAX).await.unwrap();
    let completed = database
        .complete_upload(i64::MAX, &outcome(), minute(3))
        .await;
    assert!(
        matches!(completed, Err(DbError::Conflict(_))),
        "{completed:?}"
    );
}

async fn a_withdrawn_upload_was_never_there(database: &dyn Database) {
    let id = database.begin_upload(&new_upload(), &hold()).await.unwrap();
    database.withdraw_upload(id).await.unwrap();
    assert_eq!(database.upload(id).await.unwrap(), None);
    let failed = database.begin_upload(&new_upload(), &hold()).await.unwrap();
    database.fail_upload(failed, "no room").await.unwrap();
    database.withdraw_upload(failed).await.unwrap();
    assert!(database.upload(failed).await.unwrap().is_some());
}

async fn a_key_is_claimed_by_one_pending_upload(database: &dyn Database) {
    let (first, second) = ("claimed/AB/first", "claimed/AB/second");
    let claims = claiming(&[first, "claimed/AB/other"]);
    let id = database
        .begin_upload(&bare_upload(), &claims)
        .await
        .unwrap();
    let claims = claiming(&[second, first]);
    let refused = database.begin_upload(&bare_upload(), &claims).await;
    assert!(matches!(refused, Err(DbError::Conflict(_))), "{refused:?}");
    for (upload, claims) in [
        (new_upload(), claiming(&[first])),
        (bare_upload(), claiming(&[second])),
        (bare_upload(), hold()),
    ] {
        let other = database.begin_upload(&upload, &claims).await.unwrap();
        database.fail_upload(other, "done with").await.unwrap();
    }
    database.fail_upload(id, "done with").await.unwrap();
}

async fn claims_of_a_withdrawn_failed_or_completed_upload_are_free(database: &dyn Database) {
    let claims = claiming(&["free/AB/a", "free/AB/b"]);
    for end in 0..4 {
        let id = database
            .begin_upload(&bare_upload(), &claims)
            .await
            .unwrap();
        match end {
            0 => database.withdraw_upload(id).await.unwrap(),
            1 => assert!(!database.fail_upload(id, "no room").await.unwrap()),
            _ => {
                let outcome = Outcome::default();
                let completed = database.complete_upload(id, &outcome, minute(1)).await;
                completed.unwrap();
            }
        }
    }
}
