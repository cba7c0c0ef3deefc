//! Lookups among stored files in PostgreSQL.

use std::collections::HashMap;

use async_trait::async_trait;
use tokio_postgres::Row;

use super::PostgresDatabase;
use super::row::TableRow;
use super::values::parameters;
use crate::db::DbError;
use crate::db::files::{FileRecords, HeldId, ModuleRecord, ReplacedFile};
use crate::db::table::UPLOAD_FILES;
use crate::db::windows_endings::windows_endings;
use symbols::{DebugId, FoldedKey, FoldedName, Store, SymbolKey};

/// The condition of the index on folded keys, which queries must repeat to use it.
const OF_WINDOWS_MODULE: &str = concat!(
    "lower(right(split_part(file.key, '/', 1), 4) COLLATE \"C\")
    IN ",
    windows_endings!(),
);

/// The condition of the index on folded code files, which queries must repeat to use it.
const IS_WINDOWS_CODE_FILE: &str = concat!(
    "lower(right(file.code_file, 4) COLLATE \"C\")
    IN ",
    windows_endings!(),
);

#[async_trait]
impl FileRecords for PostgresDatabase {
    async fn module_by_debug_id(
        &self,
        debug_file: &str,
        debug_id: &DebugId,
        store: Store,
    ) -> Result<Option<ModuleRecord>, DbError> {
        self.newest_module(
            "file.debug_file = $1 AND file.debug_id = $2",
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
            "file.code_file = $1 AND file.code_id = $2",
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
        let condition = format!(
            "lower(file.code_file COLLATE \"C\") = $1 AND file.code_id = $2 AND {IS_WINDOWS_CODE_FILE}"
        );
        let names = (code_file.as_str(), code_id.as_str());
        self.newest_module(&condition, names, store).await
    }

    async fn key_by_folded(
        &self,
        key: &FoldedKey,
        store: Store,
    ) -> Result<Option<SymbolKey>, DbError> {
        let rows = self
            .query(
                format!(
                    "SELECT file.id, file.key
                     FROM upload_files AS file JOIN uploads AS upload ON upload.id = file.upload_id
                     WHERE lower(file.key COLLATE \"C\") = $1 AND {OF_WINDOWS_MODULE}
                         AND upload.is_try = $2 AND upload.completed_at IS NOT NULL
                     ORDER BY file.id DESC LIMIT 1"
                ),
                parameters![key.as_str().to_owned(), store.is_try()],
            )
            .await?;
        let key = |row| TableRow::new(UPLOAD_FILES, row).parse("key");
        rows.first().map(key).transpose()
    }

    async fn debug_ids(
        &self,
        debug_file: &str,
        store: Store,
        limit: u32,
    ) -> Result<Vec<HeldId>, DbError> {
        let rows = self
            .query(
                "SELECT file.debug_id, max(file.stored_at) AS stored_at, max(file.id) AS id
                 FROM upload_files AS file JOIN uploads AS upload ON upload.id = file.upload_id
                 WHERE file.debug_file = $1 AND file.debug_id IS NOT NULL
                     AND upload.is_try = $2 AND upload.completed_at IS NOT NULL
                 GROUP BY file.debug_id ORDER BY max(file.id) DESC LIMIT $3",
                parameters![debug_file.to_owned(), store.is_try(), i64::from(limit)],
            )
            .await?;
        let held = |row: &Row| {
            let row = TableRow::new(UPLOAD_FILES, row);
            Ok(HeldId {
                debug_id: row.parse("debug_id")?,
                store,
                stored_at: row.get("stored_at")?,
            })
        };
        rows.iter().map(held).collect()
    }

    async fn last_uploaders(
        &self,
        store: Store,
        keys: &[SymbolKey],
    ) -> Result<HashMap<SymbolKey, String>, DbError> {
        let keys: Vec<String> = keys.iter().map(SymbolKey::to_string).collect();
        let rows = self
            .query(
                "SELECT DISTINCT ON (file.key) file.id, file.key, upload.uploader
                 FROM upload_files AS file JOIN uploads AS upload ON upload.id = file.upload_id
                 WHERE file.key = ANY ($2) AND upload.is_try = $1 AND NOT file.was_held
                 ORDER BY file.key, file.id DESC",
                parameters![store.is_try(), keys],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let row = TableRow::new(UPLOAD_FILES, row);
                Ok((row.parse("key")?, row.get("uploader")?))
            })
            .collect()
    }

    async fn replaced_files(&self, upload: i64) -> Result<Vec<ReplacedFile>, DbError> {
        let rows = self
            .query(
                "SELECT DISTINCT ON (file.id) file.id, file.key, earlier.upload_id, of.uploader, earlier.stored_at
                 FROM upload_files AS file
                     JOIN uploads AS mine ON mine.id = file.upload_id
                     JOIN upload_files AS earlier ON earlier.key = file.key AND earlier.id < file.id
                         AND earlier.sha256 = file.replaced_sha256 AND NOT earlier.was_held
                     JOIN uploads AS of ON of.id = earlier.upload_id AND of.is_try = mine.is_try
                 WHERE file.upload_id = $1
                 ORDER BY file.id, earlier.id DESC",
                parameters![upload],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let row = TableRow::new(UPLOAD_FILES, row);
                Ok(ReplacedFile {
                    key: row.parse("key")?,
                    upload: row.get("upload_id")?,
                    user: row.get("uploader")?,
                    stored_at: row.get("stored_at")?,
                })
            })
            .collect()
    }
}

impl PostgresDatabase {
    async fn newest_module(
        &self,
        condition: &str,
        (name, id): (&str, &str),
        store: Store,
    ) -> Result<Option<ModuleRecord>, DbError> {
        let rows = self
            .query(
                format!(
                    "SELECT file.id, file.key, file.debug_file, file.debug_id, file.code_file, file.code_id,
                         file.generator
                     FROM upload_files AS file JOIN uploads AS upload ON upload.id = file.upload_id
                     WHERE {condition} AND file.debug_file IS NOT NULL AND file.debug_id IS NOT NULL
                         AND upload.is_try = $3 AND upload.completed_at IS NOT NULL
                     ORDER BY file.id DESC LIMIT 1"
                ),
                parameters![name.to_owned(), id.to_owned(), store.is_try()],
            )
            .await?;
        rows.first().map(module_record).transpose()
    }
}

fn module_record(row: &Row) -> Result<ModuleRecord, DbError> {
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
