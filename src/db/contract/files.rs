//! What every engine must do with lookups among stored files.

use super::uploads::{bare_upload, hold, other_file};
use super::{debug_id, key, minute, sha256};
use crate::db::Database;
use crate::db::files::ModuleRecord;
use crate::db::uploads::{FileRecord, NewUpload, Outcome};
use symbols::Store::{self, Regular, Try};
use symbols::{FoldedKey, FoldedName};

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
    names_of_windows_modules_are_found_under_every_spelling(database).await;
}

fn upload(kind: Store) -> NewUpload {
    NewUpload {
        store: kind,
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
pub(super) async fn store(database: &dyn Database, kind: Store, files: Vec<FileRecord>) {
    let id = database.begin_upload(&upload(kind), &hold()).await.unwrap();
    let outcome = Outcome {
        files,
        ..Outcome::default()
    };
    database
        .complete_upload(id, &outcome, minute(2))
        .await
        .unwrap();
}

async fn by_code_id(database: &dyn Database, name: &str, kind: Store) -> Option<ModuleRecord> {
    let code_file = format!("{name}.dll");
    let code_id = debug_id("5DD8A8B1A4E000");
    let found = database.module_by_code_id(&code_file, &code_id, kind);
    found.await.unwrap()
}

async fn debug_id_of(database: &dyn Database, name: &str, kind: Store) -> Option<String> {
    let found = by_code_id(database, name, kind).await;
    found.map(|module| module.debug_id.to_string())
}

async fn a_module_is_found_by_either_of_its_names(database: &dyn Database) {
    store(database, Regular, vec![file("汉 c++", DEBUG_ID)]).await;
    let module = ModuleRecord {
        key: key(&format!("汉 c++.pdb/{DEBUG_ID}/汉 c++.sym")),
        debug_file: "汉 c++.pdb".to_owned(),
        debug_id: debug_id(DEBUG_ID),
        code_file: Some("汉 c++.dll".to_owned()),
        code_id: Some(debug_id("5DD8A8B1A4E000")),
        generator: Some("mozilla/dump_syms 2.3.4".to_owned()),
    };
    assert_eq!(
        by_code_id(database, "汉 c++", Regular).await,
        Some(module.clone())
    );
    let by_debug_id = |name: &'static str, id: &'static str| async move {
        let id = debug_id(id);
        database
            .module_by_debug_id(name, &id, Regular)
            .await
            .unwrap()
    };
    assert_eq!(by_debug_id("汉 c++.pdb", DEBUG_ID).await, Some(module));
    assert_eq!(by_debug_id("汉 c++.pdb", "5DD8A8B1A4E000").await, None);
    assert_eq!(by_debug_id("汉 c++.dll", DEBUG_ID).await, None);
    assert_eq!(by_debug_id("汉 C++.pdb", DEBUG_ID).await, None);
}

async fn the_newest_file_of_a_module_wins(database: &dyn Database) {
    store(database, Regular, vec![file("newest", DEBUG_ID)]).await;
    store(database, Regular, vec![file("newest", OTHER_DEBUG_ID)]).await;
    let found = debug_id_of(database, "newest", Regular).await;
    assert_eq!(found.as_deref(), Some(OTHER_DEBUG_ID));
}

async fn try_symbols_are_kept_apart(database: &dyn Database) {
    store(database, Regular, vec![file("apart", DEBUG_ID)]).await;
    store(
        database,
        Try,
        vec![file("apart", OTHER_DEBUG_ID), file("try", DEBUG_ID)],
    )
    .await;
    let regular = debug_id_of(database, "apart", Regular).await;
    assert_eq!(regular.as_deref(), Some(DEBUG_ID));
    let of_try = debug_id_of(database, "apart", Try).await;
    assert_eq!(of_try.as_deref(), Some(OTHER_DEBUG_ID));
    assert_eq!(by_code_id(database, "try", Regular).await, None);
    let id = debug_id(DEBUG_ID);
    let regular = database.module_by_debug_id("try.pdb", &id, Regular);
    assert_eq!(regular.await.unwrap(), None);
}

async fn only_completed_uploads_count(database: &dyn Database) {
    let id = database
        .begin_upload(&upload(Regular), &hold())
        .await
        .unwrap();
    assert_eq!(by_code_id(database, "pending", Regular).await, None);
    let outcome = Outcome {
        files: vec![file("pending", DEBUG_ID)],
        ..Outcome::default()
    };
    database
        .complete_upload(id, &outcome, minute(2))
        .await
        .unwrap();
    assert!(by_code_id(database, "pending", Regular).await.is_some());
}

async fn files_that_were_there_are_recorded_once(database: &dyn Database) {
    let hold_them = async |kind, files| {
        let id = database.begin_upload(&upload(kind), &hold()).await.unwrap();
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
    hold_them(Try, vec![file("held", DEBUG_ID)]).await;
    assert_eq!(by_code_id(database, "held", Regular).await, None);
    hold_them(Regular, vec![file("held", DEBUG_ID)]).await;
    assert!(by_code_id(database, "held", Regular).await.is_some());
    let uploaders = database.last_uploaders(Regular, &keys).await.unwrap();
    assert!(uploaders.is_empty(), "nobody becomes an uploader by that");

    let replaced = FileRecord {
        sha256: sha256("b2"),
        debug_id: Some(debug_id(OTHER_DEBUG_ID)),
        ..file("held", DEBUG_ID)
    };
    store(database, Regular, vec![replaced]).await;
    hold_them(Regular, vec![file("held", DEBUG_ID)]).await;
    let newest = debug_id_of(database, "held", Regular).await;
    assert_eq!(
        newest.as_deref(),
        Some(OTHER_DEBUG_ID),
        "it was recorded before"
    );
    assert_eq!(
        database.last_uploaders(Regular, &keys).await.unwrap().len(),
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
    store(database, Regular, vec![whole]).await;
    store(
        database,
        Regular,
        vec![without_debug_id, without_debug_file],
    )
    .await;
    let found = debug_id_of(database, "partial", Regular).await;
    assert_eq!(found.as_deref(), Some(DEBUG_ID));
}

async fn the_ids_of_a_debug_file_are_listed(database: &dyn Database) {
    let ids = |kind, limit| async move {
        let ids = database.debug_ids("listed.pdb", kind, limit).await;
        let ids = ids.unwrap().into_iter();
        ids.map(|held| (held.debug_id.to_string(), held.store, held.stored_at))
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(Regular, 10).await, []);
    for id in ["AB1", "AB2", "AB1"] {
        store(database, Regular, vec![file("listed", id)]).await;
    }
    store(database, Try, vec![file("listed", "AB3")]).await;
    let held = |id: &str, kind| (id.to_owned(), kind, minute(1));
    assert_eq!(
        ids(Regular, 10).await,
        [held("AB1", Regular), held("AB2", Regular)]
    );
    assert_eq!(ids(Regular, 1).await, [held("AB1", Regular)]);
    assert_eq!(ids(Try, 10).await, [held("AB3", Try)]);
}

async fn names_of_windows_modules_are_found_under_every_spelling(database: &dyn Database) {
    let by_key = async |text: &str, kind| {
        let key = FoldedKey::of(&key(text)).unwrap();
        let found = database.key_by_folded(&key, kind).await.unwrap();
        found.map(|key| key.to_string())
    };
    let by_code_id = async |name: &str| {
        let (name, id) = (FoldedName::of(name).unwrap(), debug_id("5DD8A8B1A4E000"));
        let found = database.module_by_folded_code_id(&name, &id, Regular);
        found.await.unwrap().map(|module| module.key.to_string())
    };
    let asked = format!("SPELLŽD.pdb/{DEBUG_ID}/spellŽd.SYM");
    let stored = format!("SpellŽd.pdb/{DEBUG_ID}/SpellŽd.sym");
    assert_eq!(by_key(&asked, Regular).await, None);
    store(database, Regular, vec![file("SpellŽd", DEBUG_ID)]).await;
    assert_eq!(by_key(&asked, Regular).await.as_deref(), Some(&*stored));
    assert_eq!(by_key(&asked, Try).await, None);
    let other_letter = asked.replace('Ž', "ž");
    assert_eq!(
        by_key(&other_letter, Regular).await,
        None,
        "only ASCII letters"
    );
    assert_eq!(by_code_id("SPELLŽD.DLL").await.as_deref(), Some(&*stored));
    assert_eq!(by_code_id("spelled.dll").await, None);

    // The newest spelling wins, and files of other systems are no answer.
    store(database, Regular, vec![file("SPELLŽD", DEBUG_ID)]).await;
    let newest = format!("SPELLŽD.pdb/{DEBUG_ID}/SPELLŽD.sym");
    assert_eq!(by_key(&stored, Regular).await.as_deref(), Some(&*newest));
    let of_linux = FileRecord {
        code_file: Some("Spelled.so".to_owned()),
        ..file("of_linux", DEBUG_ID)
    };
    store(database, Regular, vec![of_linux]).await;
    assert_eq!(by_code_id("of_linux.dll").await, None);
}
