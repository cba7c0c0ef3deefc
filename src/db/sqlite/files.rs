//! Lookups among stored files in SQLite.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, Row};

use super::SqliteDatabase;
use crate::db::DbError;
use crate::db::files::{FileRecords, ModuleRecord};

#[async_trait]
impl FileRecords for SqliteDatabase {
    async fn module_by_debug_id(
        &self,
        debug_file: &str,
        debug_id: &str,
        is_try: bool,
    ) -> Result<Option<ModuleRecord>, DbError> {
        self.newest_module(
            "file.debug_file = ?1 AND file.debug_id = ?2",
            (debug_file, debug_id),
            is_try,
        )
        .await
    }

    async fn module_by_code_id(
        &self,
        code_file: &str,
        code_id: &str,
        is_try: bool,
    ) -> Result<Option<ModuleRecord>, DbError> {
        self.newest_module(
            "file.code_file = ?1 AND file.code_id = ?2",
            (code_file, code_id),
            is_try,
        )
        .await
    }
}

impl SqliteDatabase {
    async fn newest_module(
        &self,
        condition: &'static str,
        (name, id): (&str, &str),
        is_try: bool,
    ) -> Result<Option<ModuleRecord>, DbError> {
        let (name, id) = (name.to_owned(), id.to_owned());
        self.read(move |transaction| {
            let module = transaction
                .prepare_cached(&format!(
                    "SELECT file.key, file.debug_file, file.debug_id, file.code_file, file.code_id, file.generator
                     FROM upload_files AS file JOIN uploads AS upload ON upload.id = file.upload_id
                     WHERE {condition} AND file.debug_file IS NOT NULL AND file.debug_id IS NOT NULL
                         AND upload.is_try = ?3 AND upload.completed_at IS NOT NULL
                     ORDER BY file.id DESC LIMIT 1"
                ))?
                .query_row((name, id, is_try), module_record)
                .optional()?;
            Ok(module)
        })
        .await
    }
}

fn module_record(row: &Row<'_>) -> rusqlite::Result<ModuleRecord> {
    Ok(ModuleRecord {
        key: row.get("key")?,
        debug_file: row.get("debug_file")?,
        debug_id: row.get("debug_id")?,
        code_file: row.get("code_file")?,
        code_id: row.get("code_id")?,
        generator: row.get("generator")?,
    })
}
