//! Build ids in PostgreSQL.

use async_trait::async_trait;
use tokio_postgres::Row;

use super::PostgresDatabase;
use super::values::{Parameter, array, column, number, parameters};
use crate::db::DbError;
use crate::db::build_ids::{BuildIdRecord, BuildIdRecords, MOST_ANSWERS, ModuleFolder};

#[async_trait]
impl BuildIdRecords for PostgresDatabase {
    async fn files_by_build_id(&self, build_id: &str) -> Result<Vec<BuildIdRecord>, DbError> {
        let rows = self
            .query(
                "SELECT build_id, key, sha256, has_code, has_debug_info, is_gzipped, size FROM build_ids
                 WHERE build_id = $1 ORDER BY upload_id DESC, key LIMIT $2",
                parameters![build_id.to_owned(), MOST_ANSWERS],
            )
            .await?;
        rows.iter().map(build_id_record).collect()
    }

    async fn modules_by_build_id(&self, build_id: &str) -> Result<Vec<ModuleFolder>, DbError> {
        let rows = self
            .query(
                "SELECT DISTINCT file.debug_file, file.debug_id
                 FROM upload_files AS file JOIN uploads AS upload ON upload.id = file.upload_id
                 WHERE file.code_file IS NULL AND file.code_id = $1
                     AND file.debug_file IS NOT NULL AND file.debug_id IS NOT NULL
                     AND NOT upload.is_try AND upload.completed_at IS NOT NULL
                 ORDER BY file.debug_file, file.debug_id LIMIT $2",
                parameters![build_id.to_ascii_uppercase(), MOST_ANSWERS],
            )
            .await?;
        rows.iter().map(module_folder).collect()
    }
}

/// The part of a statement that records files, of the arrays that begin at parameter `$18`, for the rows of
/// `completed`. In an order that is always the same, so that two uploads of the same files cannot wait for each other.
pub(super) const INSERT: &str = "
        INSERT INTO build_ids (build_id, key, sha256, has_code, has_debug_info, is_gzipped, size, upload_id)
        SELECT build_id, key, sha256, has_code, has_debug_info, is_gzipped, size, completed.id
        FROM completed CROSS JOIN unnest($18::text[], $19::text[], $20::text[], $21::boolean[], $22::boolean[],
            $23::boolean[], $24::bigint[])
            AS file (build_id, key, sha256, has_code, has_debug_info, is_gzipped, size)
        ORDER BY build_id, key
        ON CONFLICT (build_id, key) DO UPDATE SET sha256 = excluded.sha256, has_code = excluded.has_code,
            has_debug_info = excluded.has_debug_info, is_gzipped = excluded.is_gzipped, size = excluded.size,
            upload_id = excluded.upload_id";

/// The files, column by column.
pub(super) fn arrays(files: &[BuildIdRecord]) -> Result<Vec<Parameter>, DbError> {
    let sizes: Result<Vec<Option<i64>>, DbError> = files
        .iter()
        .map(|file| file.size.map(number).transpose())
        .collect();
    let mut arrays = vec![
        array(files, |file| file.build_id.clone()),
        array(files, |file| file.key.clone()),
        array(files, |file| file.sha256.clone()),
        array(files, |file| file.has_code),
        array(files, |file| file.has_debug_info),
        array(files, |file| file.is_gzipped),
    ];
    arrays.extend(parameters![sizes?]);
    Ok(arrays)
}

fn build_id_record(row: &Row) -> Result<BuildIdRecord, DbError> {
    let size: Option<i64> = column(row, "size")?;
    let natural = |size| {
        u64::try_from(size).map_err(|_| DbError::Corrupt(format!("the size of a file is {size}")))
    };
    Ok(BuildIdRecord {
        build_id: column(row, "build_id")?,
        key: column(row, "key")?,
        sha256: column(row, "sha256")?,
        has_code: column(row, "has_code")?,
        has_debug_info: column(row, "has_debug_info")?,
        is_gzipped: column(row, "is_gzipped")?,
        size: size.map(natural).transpose()?,
    })
}

fn module_folder(row: &Row) -> Result<ModuleFolder, DbError> {
    Ok(ModuleFolder {
        debug_file: column(row, "debug_file")?,
        debug_id: column(row, "debug_id")?,
    })
}
