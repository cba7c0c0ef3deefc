//! What every engine must do when it is asked who stored files.

use std::collections::HashMap;

use super::uploads::{bare_upload, hold, other_file};
use super::{key, minute, sha256};
use crate::db::Database;
use crate::db::files::ReplacedFile;
use crate::db::uploads::{FileRecord, NewUpload, Outcome};
use symbols::Store::{self, Regular, Try};
use symbols::SymbolKey;

pub(super) async fn check_all(database: &dyn Database) {
    the_last_uploader_of_a_key_is_the_one_of_the_last_completed_upload(database).await;
    try_uploads_are_asked_for_apart(database).await;
    any_number_of_keys_can_be_asked_for(database).await;
    what_an_upload_replaced_is_told_with_its_uploader(database).await;
}

async fn store(database: &dyn Database, user: &str, kind: Store, keys: &[&str]) -> i64 {
    let id = begin(database, user, kind).await;
    complete(database, id, keys).await;
    id
}

async fn begin(database: &dyn Database, user: &str, kind: Store) -> i64 {
    let upload = NewUpload {
        user: user.to_owned(),
        store: kind,
        ..bare_upload()
    };
    database.begin_upload(&upload, &hold()).await.unwrap()
}

async fn complete(database: &dyn Database, id: i64, keys: &[&str]) {
    let outcome = Outcome {
        files: keys.iter().map(|key| other_file(key)).collect(),
        ..Outcome::default()
    };
    database
        .complete_upload(id, &outcome, minute(3))
        .await
        .unwrap();
}

async fn last(database: &dyn Database, kind: Store, keys: &[&str]) -> HashMap<SymbolKey, String> {
    let keys: Vec<SymbolKey> = keys.iter().map(|text| key(text)).collect();
    database.last_uploaders(kind, &keys).await.unwrap()
}

fn uploaders(pairs: &[(&str, &str)]) -> HashMap<SymbolKey, String> {
    let owned = |(text, user): &(&str, &str)| (key(text), (*user).to_owned());
    pairs.iter().map(owned).collect()
}

async fn the_last_uploader_of_a_key_is_the_one_of_the_last_completed_upload(
    database: &dyn Database,
) {
    let (one, both, none) = ("one.so/AB/one;--.so", "both.so/AB/both.so", "none/AB/none");
    let early = begin(database, "early@example.com", Regular).await;
    store(database, "a@example.com", Regular, &[one, both]).await;
    let failed = begin(database, "failed@example.com", Regular).await;
    database.fail_upload(failed, "no room").await.unwrap();
    begin(database, "pending@example.com", Regular).await;
    assert_eq!(
        last(database, Regular, &[none, both, one]).await,
        uploaders(&[(one, "a@example.com"), (both, "a@example.com")])
    );
    complete(database, early, &[both]).await;
    assert_eq!(
        last(database, Regular, &[one, both]).await,
        uploaders(&[(one, "a@example.com"), (both, "early@example.com")]),
        "it began first and was completed last"
    );
}

async fn try_uploads_are_asked_for_apart(database: &dyn Database) {
    let apart = "apart.so/AB/apart.so";
    store(database, "release@example.com", Regular, &[apart]).await;
    store(database, "try@example.com", Try, &[apart]).await;
    for (kind, user) in [(Regular, "release@example.com"), (Try, "try@example.com")] {
        assert_eq!(
            last(database, kind, &[apart]).await,
            uploaders(&[(apart, user)])
        );
    }
}

async fn any_number_of_keys_can_be_asked_for(database: &dyn Database) {
    assert_eq!(last(database, Regular, &[]).await, HashMap::new());
    let many: Vec<String> = (0..10_000)
        .map(|number| format!("{number}/AB/{number}"))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    store(database, "many@example.com", Regular, &many).await;
    assert_eq!(last(database, Regular, &many).await.len(), many.len());
}

async fn what_an_upload_replaced_is_told_with_its_uploader(database: &dyn Database) {
    let digests = [sha256("d1"), sha256("d2"), sha256("d3")];
    let version = |key: &str, digest: usize, replaced: Option<usize>, at| FileRecord {
        is_update: replaced.is_some(),
        sha256: digests[digest],
        replaced_sha256: replaced.map(|replaced| digests[replaced]),
        stored_at: minute(at),
        ..other_file(key)
    };
    let (known, unknown) = ("versions/AB/v", "versions/AB/unknown");
    let mut ids = Vec::new();
    for (user, kind, files) in [
        ("one@example.com", Regular, vec![version(known, 0, None, 1)]),
        (
            "two@example.com",
            Regular,
            vec![version(known, 1, Some(0), 2)],
        ),
        ("try@example.com", Try, vec![version(known, 1, None, 3)]),
        (
            "one@example.com",
            Regular,
            vec![version(known, 0, Some(1), 4)],
        ),
        (
            "two@example.com",
            Regular,
            vec![
                version(unknown, 1, Some(2), 5),
                version(known, 2, Some(0), 5),
            ],
        ),
    ] {
        let id = begin(database, user, kind).await;
        let outcome = Outcome {
            files,
            ..Outcome::default()
        };
        let completed = database.complete_upload(id, &outcome, minute(9)).await;
        completed.unwrap();
        ids.push(id);
    }
    for (upload, expected) in [
        (0, None),
        (1, Some((0, "one@example.com", 1))),
        (2, None),
        (3, Some((1, "two@example.com", 2))),
        (4, Some((3, "one@example.com", 4))),
    ] {
        let expected = expected.map(|(upload, user, at)| ReplacedFile {
            key: key(known),
            upload: ids[upload],
            user: user.to_owned(),
            stored_at: minute(at),
        });
        let replaced = database.replaced_files(ids[upload]).await.unwrap();
        assert_eq!(replaced, Vec::from_iter(expected), "upload {upload}");
    }
}
