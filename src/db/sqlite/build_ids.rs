//! Build ids in SQLite.

use async_trait::async_trait;
use rusqlite::{Row, Transaction, named_params};

use super::SqliteDatabase;
use super::row::TableRow;
use crate::db::DbError;
use crate::db::build_ids::{BuildIdRecord, BuildIdRecords, KeyRange, MOST_ANSWERS, ModuleFolder};
use crate::db::table::{BUILD_IDS, UPLOAD_FILES};
use symbols::BuildId;

#[async_trait]
impl BuildIdRecords for SqliteDatabase {
    async fn files_by_build_id(&self, build_id: &BuildId) -> Result<Vec<BuildIdRecord>, DbError> {
        let build_id = build_id.to_string();
        self.read(move |transaction| {
            let files = transaction
                .prepare_cached(
                    "SELECT build_id, key, sha256, has_code, has_debug_info, is_gzipped, size FROM build_ids
                     WHERE build_id = ?1 ORDER BY upload_id DESC, key LIMIT ?2",
                )?
                .query_and_then((build_id, MOST_ANSWERS), build_id_record)?
                .collect::<Result<Vec<_>, _>>()?;
            Ok(files)
        })
        .await
    }

    async fn files_in_range(
        &self,
        range: &KeyRange,
        limit: usize,
    ) -> Result<Vec<BuildIdRecord>, DbError> {
        let range = range.clone();
        self.read(move |transaction| {
            let (key, build_id) = range.after;
            let files = transaction
                .prepare_cached(
                    "SELECT build_id, key, sha256, has_code, has_debug_info, is_gzipped, size FROM build_ids
                     WHERE (key, build_id) > (?1, ?2) AND key < ?3 ORDER BY key, build_id LIMIT ?4",
                )?
                .query_and_then((key, build_id, range.before, limit), build_id_record)?
                .collect::<Result<Vec<_>, _>>()?;
            Ok(files)
        })
        .await
    }

    async fn modules_by_build_id(&self, build_id: &BuildId) -> Result<Vec<ModuleFolder>, DbError> {
        let code_id = build_id.as_str().to_ascii_uppercase();
        self.read(move |transaction| {
            let modules = transaction
                .prepare_cached(
                    "SELECT file.debug_file, file.debug_id, max(file.id) AS id
                     FROM upload_files AS file JOIN uploads AS upload ON upload.id = file.upload_id
                     WHERE file.code_file IS NULL AND file.code_id = ?1
                         AND file.debug_file IS NOT NULL AND file.debug_id IS NOT NULL
                         AND NOT upload.is_try AND upload.completed_at IS NOT NULL
                     GROUP BY file.debug_file, file.debug_id
                     ORDER BY file.debug_file, file.debug_id LIMIT ?2",
                )?
                .query_and_then((code_id, MOST_ANSWERS), module_folder)?
                .collect::<Result<Vec<_>, _>>()?;
            Ok(modules)
        })
        .await
    }
}

/// Records the files of an upload, instead of what was known of their keys.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    upload_id: i64,
    files: &[BuildIdRecord],
) -> Result<(), DbError> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO build_ids (build_id, key, sha256, has_code, has_debug_info, is_gzipped, size, upload_id)
         VALUES (:build_id, :key, :sha256, :has_code, :has_debug_info, :is_gzipped, :size, :upload_id)
         ON CONFLICT (build_id, key) DO UPDATE SET sha256 = excluded.sha256, has_code = excluded.has_code,
             has_debug_info = excluded.has_debug_info, is_gzipped = excluded.is_gzipped, size = excluded.size,
             upload_id = excluded.upload_id",
    )?;
    for file in files {
        insert.execute(named_params! {
            ":build_id": file.build_id.as_str(),
            ":key": file.key.to_string(),
            ":sha256": file.sha256.to_string(),
            ":has_code": file.has_code,
            ":has_debug_info": file.has_debug_info,
            ":is_gzipped": file.is_gzipped,
            ":size": file.size,
            ":upload_id": upload_id,
        })?;
    }
    Ok(())
}

fn build_id_record(row: &Row<'_>) -> Result<BuildIdRecord, DbError> {
    let row = TableRow::new(BUILD_IDS, row);
    Ok(BuildIdRecord {
        build_id: row.parse("build_id")?,
        key: row.parse("key")?,
        sha256: row.parse("sha256")?,
        has_code: row.get("has_code")?,
        has_debug_info: row.get("has_debug_info")?,
        is_gzipped: row.get("is_gzipped")?,
        size: row.get("size")?,
    })
}

fn module_folder(row: &Row<'_>) -> Result<ModuleFolder, DbError> {
    let row = TableRow::new(UPLOAD_FILES, row);
    Ok(ModuleFolder {
        debug_file: row.get("debug_file")?,
        debug_id: row.parse("debug_id")?,
    })
}
