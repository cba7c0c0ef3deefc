//! What every engine must do with lookups among stored files.

use super::uploads::{bare_upload, hold, other_file};
use super::{debug_id, key, minute, sha256};
use crate::db::Database;
use crate::db::files::ModuleRecord;
use crate::db::uploads::{FileRecord, NewUpload, Outcome};

const DEBUG_ID: &str = "44E4EC8C2F41492B9369D6B9A059577C2";
const OTHER_DEBUG_ID: &str = "DDDDEC8C2F41492B9369D6B9A059577C2";

pub(super) async fn check_all(database: &dyn Database) {
    a_module_is_found_by_either_of_its_names(database).await;
    the_newest_file_of_a_module_wins(database).await;
    try_symbols_are_kept_apart(database).await;
    only_completed_uploads_count(database).await;
    files_that_were_there_are_recorded_once(database).await;
    a_file_that_names_no_debug_file_is_no_module(database).await;
    the_ids_of_a_debug_file_are_listed(database).await;
}

fn upload(is_try: bool) -> NewUpload {
    NewUpload {
        is_try,
        ..bare_upload()
    }
}

/// A `.sym` file of a debug id; the module's names are made of `name`.
pub(super) fn file(name: &str, id: &str) -> FileRecord {
    FileRecord {
        debug_file: Some(format!("{name}.pdb")),
        debug_id: Some(debug_id(id)),
        code_file: Some(format!("{name}.dll")),
        code_id: Some(debug_id("5DD8A8B1A4E000")),
        generator: Some("mozilla/dump_syms 2.3.4".to_owned()),
        stored_at: minute(1),
        ..other_file(&format!("{name}.pdb/{id}/{name}.sym"))
    }
}

/// Records an upload that was completed at minute 2.
pub(super) async fn store(database: &dyn Database, is_try: bool, files: Vec<FileRecord>) {
    let id = database
        .begin_upload(&upload(is_try), &hold())
        .await
        .unwrap();
    let outcome = Outcome {
        files,
        ..Outcome::default()
    };
    database
        .complete_upload(id, &outcome, minute(2))
        .await
        .unwrap();
}

async fn by_code_id(database: &dyn Database, name: &str, is_try: bool) -> Option<ModuleRecord> {
    let code_file = format!("{name}.dll");
    let code_id = debug_id("5DD8A8B1A4E000");
    let found = database.module_by_code_id(&code_file, &code_id, is_try);
    found.await.unwrap()
}

async fn debug_id_of(database: &dyn Database, name: &str, is_try: bool) -> Option<String> {
    let found = by_code_id(database, name, is_try).await;
    found.map(|module| module.debug_id.to_string())
}

async fn a_module_is_found_by_either_of_its_names(database: &dyn Database) {
    store(database, false, vec![file("汉 c++", DEBUG_ID)]).await;
    let module = ModuleRecord {
        key: key(&format!("汉 c++.pdb/{DEBUG_ID}/汉 c++.sym")),
        debug_file: "汉 c++.pdb".to_owned(),
        debug_id: debug_id(DEBUG_ID),
        code_file: Some("汉 c++.dll".to_owned()),
        code_id: Some(debug_id("5DD8A8B1A4E000")),
        generator: Some("mozilla/dump_syms 2.3.4".to_owned()),
    };
    assert_eq!(
        by_code_id(database, "汉 c++", false).await,
        Some(module.clone())
    );
    let by_debug_id = |name: &'static str, id: &'static str| async move {
        let id = debug_id(id);
        database.module_by_debug_id(name, &id, false).await.unwrap()
    };
    assert_eq!(by_debug_id("汉 c++.pdb", DEBUG_ID).await, Some(module));
    assert_eq!(by_debug_id("汉 c++.pdb", "5DD8A8B1A4E000").await, None);
    assert_eq!(by_debug_id("汉 c++.dll", DEBUG_ID).await, None);
    assert_eq!(by_debug_id("汉 C++.pdb", DEBUG_ID).await, None);
}

async fn the_newest_file_of_a_module_wins(database: &dyn Database) {
    store(database, false, vec![file("newest", DEBUG_ID)]).await;
    store(database, false, vec![file("newest", OTHER_DEBUG_ID)]).await;
    let found = debug_id_of(database, "newest", false).await;
    assert_eq!(found.as_deref(), Some(OTHER_DEBUG_ID));
}

async fn try_symbols_are_kept_apart(database: &dyn Database) {
    store(database, false, vec![file("apart", DEBUG_ID)]).await;
    store(
        database,
        true,
        vec![file("apart", OTHER_DEBUG_ID), file("try", DEBUG_ID)],
    )
    .await;
    let regular = debug_id_of(database, "apart", false).await;
    assert_eq!(regular.as_deref(), Some(DEBUG_ID));
    let of_try = debug_id_of(database, "apart", true).await;
    assert_eq!(of_try.as_deref(), Some(OTHER_DEBUG_ID));
    assert_eq!(by_code_id(database, "try", false).await, None);
    let id = debug_id(DEBUG_ID);
    let regular = database.module_by_debug_id("try.pdb", &id, false);
    assert_eq!(regular.await.unwrap(), None);
}

async fn only_completed_uploads_count(database: &dyn Database) {
    let id = database
        .begin_upload(&upload(false), &hold())
        .await
        .unwrap();
    assert_eq!(by_code_id(database, "pending", false).await, None);
    let outcome = Outcome {
        files: vec![file("pending", DEBUG_ID)],
        ..Outcome::default()
    };
    database
        .complete_upload(id, &outcome, minute(2))
        .await
        .unwrap();
    assert!(by_code_id(database, "pending", false).await.is_some());
}

async fn files_that_were_there_are_recorded_once(database: &dyn Database) {
    let hold_them = async |is_try, files| {
        let id = database
            .begin_upload(&upload(is_try), &hold())
            .await
            .unwrap();
        let outcome = Outcome {
            held: files,
            ..Outcome::default()
        };
        database
            .complete_upload(id, &outcome, minute(2))
            .await
            .unwrap();
        let (_, files) = database.upload(id).await.unwrap().unwrap();
        assert_eq!(files, [], "the upload did not store them");
    };
    let keys = [file("held", DEBUG_ID).key];
    hold_them(true, vec![file("held", DEBUG_ID)]).await;
    assert_eq!(by_code_id(database, "held", false).await, None);
    hold_them(false, vec![file("held", DEBUG_ID)]).await;
    assert!(by_code_id(database, "held", false).await.is_some());
    let uploaders = database.last_uploaders(false, &keys).await.unwrap();
    assert!(uploaders.is_empty(), "nobody becomes an uploader by that");

    let replaced = FileRecord {
        sha256: sha256("b2"),
        debug_id: Some(debug_id(OTHER_DEBUG_ID)),
        ..file("held", DEBUG_ID)
    };
    store(database, false, vec![replaced]).await;
    hold_them(false, vec![file("held", DEBUG_ID)]).await;
    let newest = debug_id_of(database, "held", false).await;
    assert_eq!(
        newest.as_deref(),
        Some(OTHER_DEBUG_ID),
        "it was recorded before"
    );
    assert_eq!(
        database.last_uploaders(false, &keys).await.unwrap().len(),
        1
    );
}

async fn a_file_that_names_no_debug_file_is_no_module(database: &dyn Database) {
    let whole = file("partial", DEBUG_ID);
    let without_debug_id = FileRecord {
        debug_id: None,
        ..file("partial", OTHER_DEBUG_ID)
    };
    let without_debug_file = FileRecord {
        debug_file: None,
        ..file("partial", OTHER_DEBUG_ID)
    };
    store(database, false, vec![whole]).await;
    store(database, false, vec![without_debug_id, without_debug_file]).await;
    let found = debug_id_of(database, "partial", false).await;
    assert_eq!(found.as_deref(), Some(DEBUG_ID));
}

async fn the_ids_of_a_debug_file_are_listed(database: &dyn Database) {
    let ids = |is_try, limit| async move {
        let ids = database.debug_ids("listed.pdb", is_try, limit).await;
        let ids = ids.unwrap().into_iter();
        ids.map(|held| (held.debug_id.to_string(), held.is_try, held.stored_at))
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(false, 10).await, []);
    for id in ["AB1", "AB2", "AB1"] {
        store(database, false, vec![file("listed", id)]).await;
    }
    store(database, true, vec![file("listed", "AB3")]).await;
    let held = |id: &str, is_try| (id.to_owned(), is_try, minute(1));
    assert_eq!(
        ids(false, 10).await,
        [held("AB1", false), held("AB2", false)]
    );
    assert_eq!(ids(false, 1).await, [held("AB1", false)]);
    assert_eq!(ids(true, 10).await, [held("AB3", true)]);
}
