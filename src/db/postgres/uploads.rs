//! Uploads and their files in PostgreSQL.

use async_trait::async_trait;
use time::OffsetDateTime;
use tokio_postgres::Row;

use super::row::TableRow;
use super::statement::{Column, Rows, Values};
use super::values::{Parameter, array, inserted_id, number, numbers, parameters};
use super::{PostgresDatabase, build_ids};
use crate::db::DbError;
use crate::db::table::{UPLOAD_FILES, UPLOADS};
use crate::db::uploads::{
    FileRecord, Hold, NewUpload, Outcome, UploadRecord, UploadRecords, UploadState, duration,
    milliseconds,
};
use symbols::{Store, SymbolKey};

/// The statement that records an upload as pending. All uploads claim their keys in one order, so that none can wait
/// for another that waits for it.
fn begin(upload: &NewUpload, hold: &Hold) -> Result<(String, Vec<Parameter>), DbError> {
    let mut values = Values::default();
    let claims: Vec<String> = hold.claims.iter().map(SymbolKey::to_string).collect();
    let claims = values.add(claims);
    let (columns, row) = values.row(vec![
        ("uploader", Box::new(upload.user.clone())),
        ("file_name", Box::new(upload.file_name.clone())),
        ("size", Box::new(number(upload.size)?)),
        ("bucket", Box::new(upload.bucket.clone())),
        ("is_try", Box::new(upload.store.is_try())),
        ("content_hash", Box::new(upload.content_hash.clone())),
        ("download_url", Box::new(upload.download_url.clone())),
        ("redirect_urls", Box::new(upload.redirect_urls.clone())),
        ("ignored_keys", Box::new(upload.ignored_keys.clone())),
        ("warnings", Box::new(upload.warnings.to_string())),
        ("created_at", Box::new(upload.created_at)),
        ("received_ms", Box::new(milliseconds(upload.received_in))),
        ("checked_ms", Box::new(milliseconds(upload.checked_in))),
        ("node", Box::new(hold.node.clone())),
        ("ticket", Box::new(hold.ticket)),
    ]);
    let sql = format!(
        "WITH begun AS (
             INSERT INTO uploads ({columns}) VALUES ({row}) RETURNING id, is_try
         ), claimed AS (
             INSERT INTO upload_claims (is_try, key, upload_id)
             SELECT begun.is_try, key, begun.id FROM begun CROSS JOIN unnest({claims}::text[]) AS claim (key)
             ORDER BY key COLLATE \"C\"
         )
         SELECT id FROM begun"
    );
    Ok((sql, values.into_parameters()))
}

/// The statement that completes an upload. Its files are numbered in the order of the arrays: first those that it
/// stored, then those that were there.
fn complete(
    id: i64,
    outcome: &Outcome,
    at: OffsetDateTime,
) -> Result<(String, Vec<Parameter>), DbError> {
    let mut values = Values::default();
    let (id, at) = (values.add(id), values.add(at));
    let skipped_keys = values.add(outcome.skipped_keys.clone());
    let stored_ms = values.add(milliseconds(outcome.stored_in));
    let stored = values.add(number(outcome.files.len() as u64)?);
    let files: Vec<&FileRecord> = outcome.files.iter().chain(&outcome.held).collect();
    let Rows { columns, source } = values.rows(file_columns(&files)?);
    let build_ids = build_ids::insert(&mut values, &outcome.build_ids)?;
    let sql = format!(
        "WITH completed AS (
             UPDATE uploads SET completed_at = {at}, skipped_keys = {skipped_keys}, stored_ms = {stored_ms}
             WHERE id = {id} AND completed_at IS NULL AND failure IS NULL
             RETURNING id, is_try
         ), given_back AS (
             DELETE FROM upload_claims USING completed WHERE upload_claims.upload_id = completed.id
         ), recorded AS (
             INSERT INTO upload_files (upload_id, {columns}, was_held)
             SELECT completed.id, {columns}, place > {stored}
             FROM completed CROSS JOIN {source} WITH ORDINALITY AS file ({columns}, place)
             WHERE place <= {stored} OR NOT EXISTS (
                 SELECT 1 FROM upload_files AS known JOIN uploads AS earlier ON earlier.id = known.upload_id
                 WHERE known.key = file.key AND known.sha256 = file.sha256 AND earlier.is_try = completed.is_try)
             ORDER BY place
         ), indexed AS ({build_ids})
         SELECT id FROM completed"
    );
    Ok((sql, values.into_parameters()))
}

const FAIL: &str = "
    WITH failed AS (
        UPDATE uploads SET failure = $2 WHERE id = $1 AND completed_at IS NULL AND failure IS NULL RETURNING id
    )
    DELETE FROM upload_claims USING failed WHERE upload_claims.upload_id = failed.id";

#[async_trait]
impl UploadRecords for PostgresDatabase {
    async fn begin_upload(&self, upload: &NewUpload, hold: &Hold) -> Result<i64, DbError> {
        let (sql, parameters) = begin(upload, hold)?;
        let rows = self.query_once(sql, parameters).await?;
        inserted_id(&rows)
    }

    async fn complete_upload(
        &self,
        id: i64,
        outcome: &Outcome,
        at: OffsetDateTime,
    ) -> Result<(), DbError> {
        let (sql, parameters) = complete(id, outcome, at)?;
        let completed = self.query_once(sql, parameters).await?;
        if completed.is_empty() {
            return Err(DbError::Conflict(format!("upload {id} is not pending")));
        }
        Ok(())
    }

    async fn fail_upload(&self, id: i64, reason: &str) -> Result<bool, DbError> {
        self.query(FAIL, parameters![id, reason.to_owned()]).await?;
        // A statement of its own: one that waited for a completion does not see it.
        let completed = "SELECT id FROM uploads WHERE id = $1 AND completed_at IS NOT NULL";
        Ok(!self.query(completed, parameters![id]).await?.is_empty())
    }

    async fn withdraw_upload(&self, id: i64) -> Result<(), DbError> {
        self.query(
            "DELETE FROM uploads WHERE id = $1 AND completed_at IS NULL AND failure IS NULL",
            parameters![id],
        )
        .await?;
        Ok(())
    }

    async fn upload(&self, id: i64) -> Result<Option<(UploadRecord, Vec<FileRecord>)>, DbError> {
        let rows = self
            .query(
                "SELECT id, uploader, file_name, size, bucket, is_try, content_hash, download_url, redirect_urls,
                     ignored_keys, warnings, skipped_keys, created_at, completed_at, failure, received_ms, checked_ms,
                     stored_ms
                 FROM uploads WHERE id = $1",
                parameters![id],
            )
            .await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let upload = upload_record(row)?;
        // An upload is completed together with its files, once and for all: these two reads cannot contradict.
        if !matches!(upload.state, UploadState::Completed(_)) {
            return Ok(Some((upload, Vec::new())));
        }
        let files = self
            .query(
                "SELECT id, key, is_update, is_compressed, stored_size, original_size, sha256, replaced_sha256,
                     debug_file, debug_id, code_file, code_id, generator, stored_at
                 FROM upload_files WHERE upload_id = $1 AND NOT was_held ORDER BY id",
                parameters![id],
            )
            .await?;
        let files: Result<Vec<FileRecord>, DbError> = files.iter().map(file_record).collect();
        Ok(Some((upload, files?)))
    }
}

fn file_columns(files: &[&FileRecord]) -> Result<Vec<Column>, DbError> {
    let texts = |value: fn(&FileRecord) -> Option<String>| array(files, |file| value(file));
    let flags = |value: fn(&FileRecord) -> bool| array(files, |file| value(file));
    let sizes = |value: fn(&FileRecord) -> u64| numbers(files, |file| value(file));
    let stored_at = array(files, |file| file.stored_at);
    let columns = [
        ("key", "text", texts(|it| Some(it.key.to_string()))),
        ("is_update", "boolean", flags(|it| it.is_update)),
        ("is_compressed", "boolean", flags(|it| it.is_compressed)),
        ("stored_size", "bigint", sizes(|it| it.stored_size)?),
        ("original_size", "bigint", sizes(|it| it.original_size)?),
        ("sha256", "text", texts(|it| Some(it.sha256.to_string()))),
        (
            "replaced_sha256",
            "text",
            texts(|it| text(it.replaced_sha256.as_ref())),
        ),
        ("debug_file", "text", texts(|it| it.debug_file.clone())),
        ("debug_id", "text", texts(|it| text(it.debug_id.as_ref()))),
        ("code_file", "text", texts(|it| it.code_file.clone())),
        ("code_id", "text", texts(|it| text(it.code_id.as_ref()))),
        ("generator", "text", texts(|it| it.generator.clone())),
        ("stored_at", "timestamptz", stored_at),
    ];
    Ok(columns.map(Column::from).into())
}

fn text(value: Option<&impl ToString>) -> Option<String> {
    value.map(ToString::to_string)
}

fn upload_record(row: &Row) -> Result<UploadRecord, DbError> {
    let row = TableRow::new(UPLOADS, row);
    let completed_at: Option<OffsetDateTime> = row.get("completed_at")?;
    let failure: Option<String> = row.get("failure")?;
    let state = match (completed_at, failure) {
        (None, None) => UploadState::Pending,
        (Some(at), _) => UploadState::Completed(at),
        (None, Some(reason)) => UploadState::Failed(reason),
    };
    Ok(UploadRecord {
        id: row.get("id")?,
        facts: NewUpload {
            user: row.get("uploader")?,
            file_name: row.get("file_name")?,
            size: row.natural("size")?,
            bucket: row.get("bucket")?,
            store: Store::of(row.get("is_try")?),
            content_hash: row.get("content_hash")?,
            download_url: row.get("download_url")?,
            redirect_urls: row.get("redirect_urls")?,
            ignored_keys: row.get("ignored_keys")?,
            warnings: row.parse("warnings")?,
            created_at: row.get("created_at")?,
            received_in: duration(row.get("received_ms")?),
            checked_in: duration(row.get("checked_ms")?),
        },
        state,
        skipped_keys: row.get("skipped_keys")?,
        stored_in: duration(row.get("stored_ms")?),
    })
}

fn file_record(row: &Row) -> Result<FileRecord, DbError> {
    let row = TableRow::new(UPLOAD_FILES, row);
    Ok(FileRecord {
        key: row.parse("key")?,
        is_update: row.get("is_update")?,
        is_compressed: row.get("is_compressed")?,
        stored_size: row.natural("stored_size")?,
        original_size: row.natural("original_size")?,
        sha256: row.parse("sha256")?,
        replaced_sha256: row.parse_optional("replaced_sha256")?,
        debug_file: row.get("debug_file")?,
        debug_id: row.parse_optional("debug_id")?,
        code_file: row.get("code_file")?,
        code_id: row.parse_optional("code_id")?,
        generator: row.get("generator")?,
        stored_at: row.get("stored_at")?,
    })
}
