//! What every engine must do with build ids.

use super::uploads::{bare_upload, hold, other_file};
use super::{build_id, debug_id, key, minute, sha256};
use crate::db::Database;
use crate::db::build_ids::{BuildIdRecord, KeyRange, MOST_ANSWERS, ModuleFolder};
use crate::db::uploads::{FileRecord, NewUpload, Outcome};
use symbols::Store::{self, Regular, Try};

const BUILD_ID: &str = "fee69e4391068b3a8c807970a942f34d9cba0afd";

pub(super) async fn check_all(database: &dyn Database) {
    files_are_found_by_build_id(database).await;
    a_file_recorded_again_is_known_as_it_is_now(database).await;
    the_newest_files_come_first_and_not_too_many(database).await;
    only_completed_uploads_count(database).await;
    modules_of_elf_files_are_found_by_build_id(database).await;
    files_are_read_in_the_order_of_their_keys(database).await;
}

fn upload(kind: Store) -> NewUpload {
    NewUpload {
        store: kind,
        ..bare_upload()
    }
}

async fn store(database: &dyn Database, kind: Store, outcome: Outcome) {
    let id = database.begin_upload(&upload(kind), &hold()).await.unwrap();
    let completed = database.complete_upload(id, &outcome, minute(2)).await;
    completed.unwrap();
}

async fn store_known(database: &dyn Database, build_ids: Vec<BuildIdRecord>) {
    let outcome = Outcome {
        build_ids,
        ..Outcome::default()
    };
    store(database, Regular, outcome).await;
}

async fn files_by(database: &dyn Database, id: &str) -> Vec<BuildIdRecord> {
    database.files_by_build_id(&build_id(id)).await.unwrap()
}

async fn modules_by(database: &dyn Database, id: &str) -> Vec<ModuleFolder> {
    database.modules_by_build_id(&build_id(id)).await.unwrap()
}

fn known(id: &str, name: &str) -> BuildIdRecord {
    BuildIdRecord {
        build_id: build_id(id),
        key: key(&format!("{name}/AB/{name}.dbg.gz")),
        sha256: sha256("a1"),
        has_code: false,
        has_debug_info: true,
        is_gzipped: true,
        size: None,
    }
}

async fn files_are_found_by_build_id(database: &dyn Database) {
    assert_eq!(files_by(database, BUILD_ID).await, []);
    let debug = known(BUILD_ID, "汉.so");
    let code = BuildIdRecord {
        key: key("汉.so/AB/汉.so"),
        has_code: true,
        has_debug_info: false,
        is_gzipped: false,
        size: Some(1 << 40),
        ..debug.clone()
    };
    let other = known("abcd", "汉.so");
    store_known(database, vec![other, debug.clone(), code.clone()]).await;
    let found = files_by(database, BUILD_ID).await;
    assert_eq!(found, [code, debug]);
}

async fn a_file_recorded_again_is_known_as_it_is_now(database: &dyn Database) {
    let first = known("aaaa", "again.so");
    let second = BuildIdRecord {
        sha256: sha256("b2"),
        has_code: true,
        has_debug_info: false,
        is_gzipped: false,
        size: Some(7),
        ..first.clone()
    };
    store_known(database, vec![first]).await;
    store_known(database, vec![second.clone()]).await;
    let found = files_by(database, "aaaa").await;
    assert_eq!(found, [second]);
}

async fn the_newest_files_come_first_and_not_too_many(database: &dyn Database) {
    for number in 0..=MOST_ANSWERS {
        store_known(database, vec![known("bbbb", &format!("{number}.so"))]).await;
    }
    let found = files_by(database, "bbbb").await;
    let expected: Vec<BuildIdRecord> = (1..=MOST_ANSWERS)
        .rev()
        .map(|number| known("bbbb", &format!("{number}.so")))
        .collect();
    assert_eq!(found, expected);
}

async fn only_completed_uploads_count(database: &dyn Database) {
    let id = database
        .begin_upload(&upload(Regular), &hold())
        .await
        .unwrap();
    database
        .fail_upload(id, "the storage is away")
        .await
        .unwrap();
    let outcome = Outcome {
        build_ids: vec![known("cccc", "failed.so")],
        ..Outcome::default()
    };
    let completed = database.complete_upload(id, &outcome, minute(2)).await;
    assert!(completed.is_err());
    assert_eq!(files_by(database, "cccc").await, []);
}

async fn files_are_read_in_the_order_of_their_keys(database: &dyn Database) {
    let files = [
        known("e1aa", "range.so"),
        known("e2aa", "range.so"),
        known("e1aa", "rangeZ.so"),
        known("e1aa", "range汉.so"),
        known("e1aa", "rangy.so"),
    ];
    let mut shuffled = files.to_vec();
    shuffled.reverse();
    store_known(database, shuffled).await;
    let mut range = KeyRange::new("range".to_owned(), format!("range{}", char::MAX));
    for expected in [&files[..2], &files[2..4], &[]] {
        let found = database.files_in_range(&range, 2).await.unwrap();
        assert_eq!(found, expected);
        if let Some(last) = found.last() {
            range.continue_after(last);
        }
    }
}

/// A `.sym` file with this header.
fn sym(debug_file: &str, code_file: Option<&str>, code_id: &str) -> FileRecord {
    FileRecord {
        debug_file: Some(debug_file.to_owned()),
        debug_id: Some(debug_id("AB0")),
        code_file: code_file.map(str::to_owned),
        code_id: Some(debug_id(code_id)),
        ..other_file(&format!("{debug_file}/AB0/{debug_file}.sym"))
    }
}

async fn modules_of_elf_files_are_found_by_build_id(database: &dyn Database) {
    let elf = sym("libxul.so", None, "DDDD");
    let windows = sym("xul.pdb", Some("xul.dll"), "DDDD");
    let other = sym("other.so", None, "DDDDDD");
    let of_try = sym("try.so", None, "DDDD");
    for (kind, file) in [
        (Regular, elf.clone()),
        (Regular, elf),
        (Regular, windows),
        (Regular, other),
        (Try, of_try),
    ] {
        let outcome = Outcome {
            files: vec![file],
            ..Outcome::default()
        };
        store(database, kind, outcome).await;
    }
    let folder = ModuleFolder {
        debug_file: "libxul.so".to_owned(),
        debug_id: debug_id("AB0"),
    };
    let found = modules_by(database, "dddd").await;
    assert_eq!(found, [folder]);
    assert_eq!(modules_by(database, "dddddd00").await, []);
}
