//! Uploads and their files in PostgreSQL.

use async_trait::async_trait;
use time::OffsetDateTime;
use tokio_postgres::Row;

use super::row::TableRow;
use super::values::{Parameter, array, inserted_id, number, numbers, parameters};
use super::{PostgresDatabase, build_ids};
use crate::db::DbError;
use crate::db::table::{UPLOAD_FILES, UPLOADS};
use crate::db::uploads::{
    FileRecord, Hold, NewUpload, Outcome, UploadRecord, UploadRecords, UploadState, duration,
    milliseconds,
};
use symbols::{DebugId, SymbolKey};

/// All uploads claim their keys in one order, so that none can wait for another that waits for it.
const BEGIN: &str = "
    WITH begun AS (
        INSERT INTO uploads (uploader, file_name, size, bucket, is_try, content_hash, download_url, redirect_urls,
            ignored_keys, created_at, received_ms, checked_ms, node, ticket)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) RETURNING id, is_try
    ), claimed AS (
        INSERT INTO upload_claims (is_try, key, upload_id)
        SELECT begun.is_try, key, begun.id FROM begun CROSS JOIN unnest($15::text[]) AS claim (key)
        ORDER BY key COLLATE \"C\"
    )
    SELECT id FROM begun";

/// The statement that completes an upload. The files are numbered in the order of the arrays: first those that it stored,
/// `$25` in number, then those that were there.
fn complete() -> String {
    format!(
        "{COMPLETE}, indexed AS ({} ) SELECT id FROM completed",
        build_ids::INSERT
    )
}

const COMPLETE: &str = "
    WITH completed AS (
        UPDATE uploads SET completed_at = $2, skipped_keys = $3, stored_ms = $17
        WHERE id = $1 AND completed_at IS NULL AND failure IS NULL
        RETURNING id, is_try
    ), given_back AS (
        DELETE FROM upload_claims USING completed WHERE upload_claims.upload_id = completed.id
    ), recorded AS (
        INSERT INTO upload_files (upload_id, key, is_update, is_compressed, stored_size, original_size, sha256,
            replaced_sha256, debug_file, debug_id, code_file, code_id, generator, stored_at, was_held)
        SELECT completed.id, key, is_update, is_compressed, stored_size, original_size, sha256,
            replaced_sha256, debug_file, debug_id, code_file, code_id, generator, stored_at, place > $25
        FROM completed CROSS JOIN unnest($4::text[], $5::boolean[], $6::boolean[], $7::bigint[], $8::bigint[],
            $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[],
            $16::timestamptz[]) WITH ORDINALITY
            AS file (key, is_update, is_compressed, stored_size, original_size, sha256, replaced_sha256, debug_file,
                debug_id, code_file, code_id, generator, stored_at, place)
        WHERE place <= $25 OR NOT EXISTS (
            SELECT 1 FROM upload_files AS known JOIN uploads AS earlier ON earlier.id = known.upload_id
            WHERE known.key = file.key AND known.sha256 = file.sha256 AND earlier.is_try = completed.is_try)
        ORDER BY place
    )";

const FAIL: &str = "
    WITH failed AS (
        UPDATE uploads SET failure = $2 WHERE id = $1 AND completed_at IS NULL AND failure IS NULL RETURNING id
    )
    DELETE FROM upload_claims USING failed WHERE upload_claims.upload_id = failed.id";

#[async_trait]
impl UploadRecords for PostgresDatabase {
    async fn begin_upload(&self, upload: &NewUpload, hold: &Hold) -> Result<i64, DbError> {
        let (upload, hold) = (upload.clone(), hold.clone());
        let claims: Vec<String> = hold.claims.iter().map(SymbolKey::to_string).collect();
        let rows = self
            .query_once(
                BEGIN,
                parameters![
                    upload.user,
                    upload.file_name,
                    number(upload.size)?,
                    upload.bucket,
                    upload.is_try,
                    upload.content_hash,
                    upload.download_url,
                    upload.redirect_urls,
                    upload.ignored_keys,
                    upload.created_at,
                    milliseconds(upload.received_in),
                    milliseconds(upload.checked_in),
                    hold.node,
                    hold.ticket,
                    claims
                ],
            )
            .await?;
        inserted_id(&rows)
    }

    async fn complete_upload(
        &self,
        id: i64,
        outcome: &Outcome,
        at: OffsetDateTime,
    ) -> Result<(), DbError> {
        let mut parameters = parameters![id, at, outcome.skipped_keys.clone()];
        let files: Vec<&FileRecord> = outcome.files.iter().chain(&outcome.held).collect();
        parameters.extend(arrays(&files)?);
        parameters.push(Box::new(milliseconds(outcome.stored_in)));
        parameters.extend(build_ids::arrays(&outcome.build_ids)?);
        parameters.push(Box::new(number(outcome.files.len() as u64)?));
        let completed = self.query_once(&complete(), parameters).await?;
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
                     ignored_keys, skipped_keys, created_at, completed_at, failure, received_ms, checked_ms, stored_ms
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

/// The files, column by column.
fn arrays(files: &[&FileRecord]) -> Result<Vec<Parameter>, DbError> {
    Ok(vec![
        array(files, |file| file.key.to_string()),
        array(files, |file| file.is_update),
        array(files, |file| file.is_compressed),
        numbers(files, |file| file.stored_size)?,
        numbers(files, |file| file.original_size)?,
        array(files, |file| file.sha256.to_string()),
        array(files, |file| {
            file.replaced_sha256.map(|digest| digest.to_string())
        }),
        array(files, |file| file.debug_file.clone()),
        array(files, |file| file.debug_id.as_ref().map(DebugId::to_string)),
        array(files, |file| file.code_file.clone()),
        array(files, |file| file.code_id.as_ref().map(DebugId::to_string)),
        array(files, |file| file.generator.clone()),
        array(files, |file| file.stored_at),
    ])
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
        upload: NewUpload {
            user: row.get("uploader")?,
            file_name: row.get("file_name")?,
            size: row.natural("size")?,
            bucket: row.get("bucket")?,
            is_try: row.get("is_try")?,
            content_hash: row.get("content_hash")?,
            download_url: row.get("download_url")?,
            redirect_urls: row.get("redirect_urls")?,
            ignored_keys: row.get("ignored_keys")?,
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
