//! Uploads and their files in SQLite.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, Row, Transaction, named_params};
use time::OffsetDateTime;

use super::row::TableRow;
use super::values::{Texts, Time};
use super::{SqliteDatabase, build_ids};
use crate::db::DbError;
use crate::db::table::{UPLOAD_FILES, UPLOADS};
use crate::db::uploads::{
    FileRecord, Hold, NewUpload, Outcome, UploadRecord, UploadRecords, UploadState, duration,
    milliseconds,
};
use symbols::{DebugId, Store, SymbolKey};

#[async_trait]
impl UploadRecords for SqliteDatabase {
    async fn begin_upload(&self, upload: &NewUpload, hold: &Hold) -> Result<i64, DbError> {
        let (upload, hold) = (upload.clone(), hold.clone());
        self.write(move |transaction| {
            transaction.execute(
                "INSERT INTO uploads (user, file_name, size, bucket, is_try, content_hash, download_url, redirect_urls,
                     ignored_keys, warnings, created_at, received_ms, checked_ms, node, ticket)
                 VALUES (:user, :file_name, :size, :bucket, :is_try, :content_hash, :download_url, :redirect_urls,
                     :ignored_keys, :warnings, :created_at, :received_ms, :checked_ms, :node, :ticket)",
                named_params! {
                    ":user": upload.user,
                    ":file_name": upload.file_name,
                    ":size": upload.size,
                    ":bucket": upload.bucket,
                    ":is_try": upload.store.is_try(),
                    ":content_hash": upload.content_hash,
                    ":download_url": upload.download_url,
                    ":redirect_urls": Texts(upload.redirect_urls.as_slice()),
                    ":ignored_keys": Texts(upload.ignored_keys.as_slice()),
                    ":warnings": upload.warnings.to_string(),
                    ":created_at": Time(upload.created_at),
                    ":received_ms": milliseconds(upload.received_in),
                    ":checked_ms": milliseconds(upload.checked_in),
                    ":node": hold.node,
                    ":ticket": hold.ticket,
                },
            )?;
            let id = transaction.last_insert_rowid();
            let claims: Vec<String> = hold.claims.iter().map(SymbolKey::to_string).collect();
            transaction
                .prepare_cached(
                    "INSERT INTO upload_claims (is_try, key, upload_id) SELECT ?1, value, ?2 FROM json_each(?3)",
                )?
                .execute((upload.store.is_try(), id, Texts(claims.as_slice())))?;
            Ok(id)
        })
        .await
    }

    async fn complete_upload(
        &self,
        id: i64,
        outcome: &Outcome,
        at: OffsetDateTime,
    ) -> Result<(), DbError> {
        let outcome = outcome.clone();
        self.write(move |transaction| {
            let completed = transaction.execute(
                "UPDATE uploads SET completed_at = ?2, skipped_keys = ?3, stored_ms = ?4
                 WHERE id = ?1 AND completed_at IS NULL AND failure IS NULL",
                (
                    id,
                    Time(at),
                    Texts(outcome.skipped_keys.as_slice()),
                    milliseconds(outcome.stored_in),
                ),
            )?;
            if completed == 0 {
                return Err(DbError::Conflict(format!("upload {id} is not pending")));
            }
            give_back_claims(transaction, id)?;
            insert_files(transaction, id, &outcome)?;
            build_ids::insert(transaction, id, &outcome.build_ids)
        })
        .await
    }

    async fn fail_upload(&self, id: i64, reason: &str) -> Result<bool, DbError> {
        let reason = reason.to_owned();
        self.write(move |transaction| {
            transaction.execute(
                "UPDATE uploads SET failure = ?2 WHERE id = ?1 AND completed_at IS NULL AND failure IS NULL",
                (id, reason),
            )?;
            give_back_claims(transaction, id)?;
            let is_completed = transaction
                .query_row(
                    "SELECT completed_at IS NOT NULL FROM uploads WHERE id = ?1",
                    [id],
                    |row| row.get(0),
                )
                .optional()?;
            Ok(is_completed.unwrap_or(false))
        })
        .await
    }

    async fn withdraw_upload(&self, id: i64) -> Result<(), DbError> {
        self.write(move |transaction| {
            transaction.execute(
                "DELETE FROM uploads WHERE id = ?1 AND completed_at IS NULL AND failure IS NULL",
                [id],
            )?;
            Ok(())
        })
        .await
    }

    async fn upload(&self, id: i64) -> Result<Option<(UploadRecord, Vec<FileRecord>)>, DbError> {
        self.read(move |transaction| {
            let upload = transaction
                .prepare_cached("SELECT * FROM uploads WHERE id = ?1")?
                .query_and_then([id], upload_record)?
                .next()
                .transpose()?;
            let Some(upload) = upload else {
                return Ok(None);
            };
            let files = transaction
                .prepare_cached(
                    "SELECT * FROM upload_files WHERE upload_id = ?1 AND NOT was_held ORDER BY id",
                )?
                .query_and_then([id], file_record)?
                .collect::<Result<Vec<_>, _>>()?;
            Ok(Some((upload, files)))
        })
        .await
    }
}

/// Lets others claim what an upload had claimed, which is pending no more.
pub(super) fn give_back_claims(transaction: &Transaction<'_>, id: i64) -> Result<(), DbError> {
    transaction
        .prepare_cached("DELETE FROM upload_claims WHERE upload_id = ?1")?
        .execute([id])?;
    Ok(())
}

fn insert_files(
    transaction: &Transaction<'_>,
    upload_id: i64,
    outcome: &Outcome,
) -> Result<(), DbError> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO upload_files (upload_id, key, is_update, is_compressed, stored_size, original_size, sha256,
             replaced_sha256, debug_file, debug_id, code_file, code_id, generator, stored_at, was_held)
         SELECT :upload_id, :key, :is_update, :is_compressed, :stored_size, :original_size, :sha256,
             :replaced_sha256, :debug_file, :debug_id, :code_file, :code_id, :generator, :stored_at, :was_held
         WHERE NOT :was_held OR NOT EXISTS (
             SELECT 1 FROM upload_files AS file
                 JOIN uploads AS upload ON upload.id = file.upload_id
                 JOIN uploads AS mine ON mine.id = :upload_id AND mine.is_try = upload.is_try
             WHERE file.key = :key AND file.sha256 = :sha256)",
    )?;
    let stored = outcome.files.iter().map(|file| (file, false));
    let held = outcome.held.iter().map(|file| (file, true));
    for (file, was_held) in stored.chain(held) {
        insert.execute(named_params! {
            ":upload_id": upload_id,
            ":key": file.key.to_string(),
            ":is_update": file.is_update,
            ":is_compressed": file.is_compressed,
            ":stored_size": file.stored_size,
            ":original_size": file.original_size,
            ":sha256": file.sha256.to_string(),
            ":replaced_sha256": file.replaced_sha256.map(|digest| digest.to_string()),
            ":debug_file": file.debug_file,
            ":debug_id": file.debug_id.as_ref().map(DebugId::as_str),
            ":code_file": file.code_file,
            ":code_id": file.code_id.as_ref().map(DebugId::as_str),
            ":generator": file.generator,
            ":stored_at": Time(file.stored_at),
            ":was_held": was_held,
        })?;
    }
    Ok(())
}

fn upload_record(row: &Row<'_>) -> Result<UploadRecord, DbError> {
    let row = TableRow::new(UPLOADS, row);
    let completed_at: Option<Time> = row.get("completed_at")?;
    let failure: Option<String> = row.get("failure")?;
    let state = match (completed_at, failure) {
        (None, None) => UploadState::Pending,
        (Some(Time(at)), _) => UploadState::Completed(at),
        (None, Some(reason)) => UploadState::Failed(reason),
    };
    Ok(UploadRecord {
        id: row.get("id")?,
        facts: NewUpload {
            user: row.get("user")?,
            file_name: row.get("file_name")?,
            size: row.get("size")?,
            bucket: row.get("bucket")?,
            store: Store::of(row.get("is_try")?),
            content_hash: row.get("content_hash")?,
            download_url: row.get("download_url")?,
            redirect_urls: row.get::<Texts<_>>("redirect_urls")?.0,
            ignored_keys: row.get::<Texts<_>>("ignored_keys")?.0,
            warnings: row.parse("warnings")?,
            created_at: row.get::<Time>("created_at")?.0,
            received_in: duration(row.get("received_ms")?),
            checked_in: duration(row.get("checked_ms")?),
        },
        state,
        skipped_keys: row.get::<Texts<_>>("skipped_keys")?.0,
        stored_in: duration(row.get("stored_ms")?),
    })
}

fn file_record(row: &Row<'_>) -> Result<FileRecord, DbError> {
    let row = TableRow::new(UPLOAD_FILES, row);
    Ok(FileRecord {
        key: row.parse("key")?,
        is_update: row.get("is_update")?,
        is_compressed: row.get("is_compressed")?,
        stored_size: row.get("stored_size")?,
        original_size: row.get("original_size")?,
        sha256: row.parse("sha256")?,
        replaced_sha256: row.parse_optional("replaced_sha256")?,
        debug_file: row.get("debug_file")?,
        debug_id: row.parse_optional("debug_id")?,
        code_file: row.get("code_file")?,
        code_id: row.parse_optional("code_id")?,
        generator: row.get("generator")?,
        stored_at: row.get::<Time>("stored_at")?.0,
    })
}
