//! Build ids in PostgreSQL.

use async_trait::async_trait;
use tokio_postgres::Row;

use super::PostgresDatabase;
use super::row::TableRow;
use super::statement::{Column, Rows, Values};
use super::values::{array, number, parameters};
use crate::db::DbError;
use crate::db::build_ids::{BuildIdRecord, BuildIdRecords, KeyRange, MOST_ANSWERS, ModuleFolder};
use crate::db::table::{BUILD_IDS, UPLOAD_FILES};
use symbols::BuildId;

#[async_trait]
impl BuildIdRecords for PostgresDatabase {
    async fn files_by_build_id(&self, build_id: &BuildId) -> Result<Vec<BuildIdRecord>, DbError> {
        let rows = self
            .query(
                "SELECT build_id, key, sha256, has_code, has_debug_info, is_gzipped, size FROM build_ids
                 WHERE build_id = $1 ORDER BY upload_id DESC, key LIMIT $2",
                parameters![build_id.to_string(), MOST_ANSWERS],
            )
            .await?;
        rows.iter().map(build_id_record).collect()
    }

    async fn files_in_range(
        &self,
        range: &KeyRange,
        limit: usize,
    ) -> Result<Vec<BuildIdRecord>, DbError> {
        let (key, build_id) = range.after.clone();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self
            .query(
                "SELECT build_id, key, sha256, has_code, has_debug_info, is_gzipped, size FROM build_ids
                 WHERE (key COLLATE \"C\", build_id COLLATE \"C\") > ($1, $2) AND key COLLATE \"C\" < $3
                 ORDER BY key COLLATE \"C\", build_id COLLATE \"C\" LIMIT $4",
                parameters![key, build_id, range.before.clone(), limit],
            )
            .await?;
        rows.iter().map(build_id_record).collect()
    }

    async fn modules_by_build_id(&self, build_id: &BuildId) -> Result<Vec<ModuleFolder>, DbError> {
        let rows = self
            .query(
                "SELECT file.debug_file, file.debug_id, max(file.id) AS id
                 FROM upload_files AS file JOIN uploads AS upload ON upload.id = file.upload_id
                 WHERE file.code_file IS NULL AND file.code_id = $1
                     AND file.debug_file IS NOT NULL AND file.debug_id IS NOT NULL
                     AND NOT upload.is_try AND upload.completed_at IS NOT NULL
                 GROUP BY file.debug_file, file.debug_id
                 ORDER BY file.debug_file, file.debug_id LIMIT $2",
                parameters![build_id.as_str().to_ascii_uppercase(), MOST_ANSWERS],
            )
            .await?;
        rows.iter().map(module_folder).collect()
    }
}

/// The part of a statement that records files for the rows of `completed`. In an order that is always the same, so that
/// two uploads of the same files cannot wait for each other.
pub(super) fn insert(values: &mut Values, files: &[BuildIdRecord]) -> Result<String, DbError> {
    let sizes: Result<Vec<Option<i64>>, DbError> = files
        .iter()
        .map(|file| file.size.map(number).transpose())
        .collect();
    let columns = [
        (
            "build_id",
            "text",
            array(files, |file| file.build_id.to_string()),
        ),
        ("key", "text", array(files, |file| file.key.to_string())),
        (
            "sha256",
            "text",
            array(files, |file| file.sha256.to_string()),
        ),
        ("has_code", "boolean", array(files, |file| file.has_code)),
        (
            "has_debug_info",
            "boolean",
            array(files, |file| file.has_debug_info),
        ),
        (
            "is_gzipped",
            "boolean",
            array(files, |file| file.is_gzipped),
        ),
        ("size", "bigint", Box::new(sizes?)),
    ];
    let Rows { columns, source } = values.rows(columns.map(Column::from).into());
    Ok(format!(
        "INSERT INTO build_ids ({columns}, upload_id)
         SELECT {columns}, completed.id FROM completed CROSS JOIN {source} AS file ({columns})
         ORDER BY build_id, key
         ON CONFLICT (build_id, key) DO UPDATE SET sha256 = excluded.sha256, has_code = excluded.has_code,
             has_debug_info = excluded.has_debug_info, is_gzipped = excluded.is_gzipped, size = excluded.size,
             upload_id = excluded.upload_id"
    ))
}

fn build_id_record(row: &Row) -> Result<BuildIdRecord, DbError> {
    let row = TableRow::new(BUILD_IDS, row);
    Ok(BuildIdRecord {
        build_id: row.parse("build_id")?,
        key: row.parse("key")?,
        sha256: row.parse("sha256")?,
        has_code: row.get("has_code")?,
        has_debug_info: row.get("has_debug_info")?,
        is_gzipped: row.get("is_gzipped")?,
        size: row.natural_optional("size")?,
    })
}

fn module_folder(row: &Row) -> Result<ModuleFolder, DbError> {
    let row = TableRow::new(UPLOAD_FILES, row);
    Ok(ModuleFolder {
        debug_file: row.get("debug_file")?,
        debug_id: row.parse("debug_id")?,
    })
}
