//! Lookups among stored files in SQLite.

use std::collections::HashMap;

use async_trait::async_trait;
use rusqlite::Row;

use super::SqliteDatabase;
use super::row::TableRow;
use super::values::{Texts, Time};
use crate::db::DbError;
use crate::db::files::{FileRecords, HeldId, ModuleRecord, ReplacedFile};
use crate::db::table::UPLOAD_FILES;
use crate::db::windows_endings::windows_endings;
use symbols::{DebugId, FoldedKey, FoldedName, Store, SymbolKey};

/// The condition of the index on folded keys, which queries must repeat to use it.
const OF_WINDOWS_MODULE: &str = concat!(
    "lower(substr(file.key, instr(file.key, '/') - 4, 4))
    IN ",
    windows_endings!(),
);

/// The condition of the index on folded code files, which queries must repeat to use it.
const IS_WINDOWS_CODE_FILE: &str = concat!(
    "lower(substr(file.code_file, -4))
    IN ",
    windows_endings!(),
);

#[async_trait]
impl FileRecords for SqliteDatabase {
    async fn module_by_debug_id(
        &self,
        debug_file: &str,
        debug_id: &DebugId,
        store: Store,
    ) -> Result<Option<ModuleRecord>, DbError> {
        self.newest_module(
            "file.debug_file = ?1 AND file.debug_id = ?2".to_owned(),
            (debug_file, debug_id.as_str()),
            store,
        )
        .await
    }

    async fn module_by_code_id(
        &self,
        code_file: &str,
        code_id: &DebugId,
        store: Store,
    ) -> Result<Option<ModuleRecord>, DbError> {
        self.newest_module(
            "file.code_file = ?1 AND file.code_id = ?2".to_owned(),
            (code_file, code_id.as_str()),
            store,
        )
        .await
    }

    async fn module_by_folded_code_id(
        &self,
        code_file: &FoldedName,
        code_id: &DebugId,
        store: Store,
    ) -> Result<Option<ModuleRecord>, DbError> {
        self.newest_module(
            format!("lower(file.code_file) = ?1 AND file.code_id = ?2 AND {IS_WINDOWS_CODE_FILE}"),
            (code_file.as_str(), code_id.as_str()),
            store,
        )
        .await
    }

    async fn key_by_folded(
        &self,
        key: &FoldedKey,
        store: Store,
    ) -> Result<Option<SymbolKey>, DbError> {
        let key = key.as_str().to_owned();
        self.read(move |transaction| {
            let found = transaction
                .prepare_cached(&format!(
                    "SELECT file.id, file.key
                     FROM upload_files AS file JOIN uploads AS upload ON upload.id = file.upload_id
                     WHERE lower(file.key) = ?1 AND {OF_WINDOWS_MODULE}
                         AND upload.is_try = ?2 AND upload.completed_at IS NOT NULL
                     ORDER BY file.id DESC LIMIT 1"
                ))?
                .query_and_then((key, store.is_try()), |row| {
                    TableRow::new(UPLOAD_FILES, row).parse("key")
                })?
                .next()
                .transpose()?;
            Ok(found)
        })
        .await
    }

    async fn debug_ids(
        &self,
        debug_file: &str,
        store: Store,
        limit: u32,
    ) -> Result<Vec<HeldId>, DbError> {
        let debug_file = debug_file.to_owned();
        self.read(move |transaction| {
            let ids = transaction
                .prepare_cached(
                    "SELECT file.debug_id, max(file.stored_at) AS stored_at, max(file.id) AS id
                     FROM upload_files AS file JOIN uploads AS upload ON upload.id = file.upload_id
                     WHERE file.debug_file = ?1 AND file.debug_id IS NOT NULL
                         AND upload.is_try = ?2 AND upload.completed_at IS NOT NULL
                     GROUP BY file.debug_id ORDER BY max(file.id) DESC LIMIT ?3",
                )?
                .query_and_then((debug_file, store.is_try(), limit), |row| {
                    let row = TableRow::new(UPLOAD_FILES, row);
                    Ok::<_, DbError>(HeldId {
                        debug_id: row.parse("debug_id")?,
                        store,
                        stored_at: row.get::<Time>("stored_at")?.0,
                    })
                })?
                .collect::<Result<Vec<_>, _>>()?;
            Ok(ids)
        })
        .await
    }

    async fn last_uploaders(
        &self,
        store: Store,
        keys: &[SymbolKey],
    ) -> Result<HashMap<SymbolKey, String>, DbError> {
        let keys: Vec<String> = keys.iter().map(SymbolKey::to_string).collect();
        self.read(move |transaction| {
            let uploaders = transaction
                .prepare_cached(
                    "SELECT stored.id, stored.key, uploads.user
                     FROM json_each(?2) AS wanted
                         JOIN upload_files AS stored ON stored.id = (
                             SELECT file.id
                             FROM upload_files AS file JOIN uploads AS upload ON upload.id = file.upload_id
                             WHERE file.key = wanted.value AND upload.is_try = ?1 AND NOT file.was_held
                             ORDER BY file.id DESC LIMIT 1)
                         JOIN uploads ON uploads.id = stored.upload_id",
                )?
                .query_and_then((store.is_try(), Texts(keys.as_slice())), |row| {
                    let row = TableRow::new(UPLOAD_FILES, row);
                    Ok::<_, DbError>((row.parse("key")?, row.get("user")?))
                })?
                .collect::<Result<_, _>>()?;
            Ok(uploaders)
        })
        .await
    }

    async fn replaced_files(&self, upload: i64) -> Result<Vec<ReplacedFile>, DbError> {
        self.read(move |transaction| {
            // SQLite takes the other columns from the row of the maximum.
            let replaced = transaction
                .prepare_cached(
                    "SELECT file.id, file.key, max(earlier.id), earlier.upload_id, of.user, earlier.stored_at
                     FROM upload_files AS file
                         JOIN uploads AS mine ON mine.id = file.upload_id
                         JOIN upload_files AS earlier ON earlier.key = file.key AND earlier.id < file.id
                             AND earlier.sha256 = file.replaced_sha256 AND NOT earlier.was_held
                         JOIN uploads AS of ON of.id = earlier.upload_id AND of.is_try = mine.is_try
                     WHERE file.upload_id = ?1
                     GROUP BY file.id ORDER BY file.id",
                )?
                .query_and_then([upload], |row| {
                    let row = TableRow::new(UPLOAD_FILES, row);
                    Ok::<_, DbError>(ReplacedFile {
                        key: row.parse("key")?,
                        upload: row.get("upload_id")?,
                        user: row.get("user")?,
                        stored_at: row.get::<Time>("stored_at")?.0,
                    })
                })?
                .collect::<Result<Vec<_>, _>>()?;
            Ok(replaced)
        })
        .await
    }
}

impl SqliteDatabase {
    async fn newest_module(
        &self,
        condition: String,
        (name, id): (&str, &str),
        store: Store,
    ) -> Result<Option<ModuleRecord>, DbError> {
        let (name, id) = (name.to_owned(), id.to_owned());
        self.read(move |transaction| {
            let module = transaction
                .prepare_cached(&format!(
                    "SELECT file.id, file.key, file.debug_file, file.debug_id, file.code_file, file.code_id,
                         file.generator
                     FROM upload_files AS file JOIN uploads AS upload ON upload.id = file.upload_id
                     WHERE {condition} AND file.debug_file IS NOT NULL AND file.debug_id IS NOT NULL
                         AND upload.is_try = ?3 AND upload.completed_at IS NOT NULL
                     ORDER BY file.id DESC LIMIT 1"
                ))?
                .query_and_then((name, id, store.is_try()), module_record)?
                .next()
                .transpose()?;
            Ok(module)
        })
        .await
    }
}

fn module_record(row: &Row<'_>) -> Result<ModuleRecord, DbError> {
    let row = TableRow::new(UPLOAD_FILES, row);
    Ok(ModuleRecord {
        key: row.parse("key")?,
        debug_file: row.get("debug_file")?,
        debug_id: row.parse("debug_id")?,
        code_file: row.get("code_file")?,
        code_id: row.parse_optional("code_id")?,
        generator: row.get("generator")?,
    })
}
