//! Uploads and their files in SQLite.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, Row, Transaction, named_params};
use time::OffsetDateTime;

use super::SqliteDatabase;
use super::values::{Texts, Time};
use crate::db::DbError;
use crate::db::uploads::{
    FileRecord, NewUpload, Outcome, UploadRecord, UploadRecords, UploadState,
};

#[async_trait]
impl UploadRecords for SqliteDatabase {
    async fn begin_upload(&self, upload: &NewUpload) -> Result<i64, DbError> {
        let upload = upload.clone();
        self.write(move |transaction| {
            transaction.execute(
                "INSERT INTO uploads (user, file_name, size, bucket, is_try, content_hash, download_url, redirect_urls,
                     ignored_keys, created_at)
                 VALUES (:user, :file_name, :size, :bucket, :is_try, :content_hash, :download_url, :redirect_urls,
                     :ignored_keys, :created_at)",
                named_params! {
                    ":user": upload.user,
                    ":file_name": upload.file_name,
                    ":size": upload.size,
                    ":bucket": upload.bucket,
                    ":is_try": upload.is_try,
                    ":content_hash": upload.content_hash,
                    ":download_url": upload.download_url,
                    ":redirect_urls": Texts(upload.redirect_urls.as_slice()),
                    ":ignored_keys": Texts(upload.ignored_keys.as_slice()),
                    ":created_at": Time(upload.created_at),
                },
            )?;
            Ok(transaction.last_insert_rowid())
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
                "UPDATE uploads SET completed_at = ?2, skipped_keys = ?3
                 WHERE id = ?1 AND completed_at IS NULL AND failure IS NULL",
                (id, Time(at), Texts(outcome.skipped_keys.as_slice())),
            )?;
            if completed == 0 {
                return Err(DbError::Conflict(format!("upload {id} is not pending")));
            }
            insert_files(transaction, id, &outcome.files)
        })
        .await
    }

    async fn fail_upload(&self, id: i64, reason: &str) -> Result<(), DbError> {
        let reason = reason.to_owned();
        self.write(move |transaction| {
            transaction.execute(
                "UPDATE uploads SET failure = ?2 WHERE id = ?1 AND completed_at IS NULL AND failure IS NULL",
                (id, reason),
            )?;
            Ok(())
        })
        .await
    }

    async fn upload(&self, id: i64) -> Result<Option<(UploadRecord, Vec<FileRecord>)>, DbError> {
        self.read(move |transaction| {
            let upload = transaction
                .prepare_cached("SELECT * FROM uploads WHERE id = ?1")?
                .query_row([id], upload_record)
                .optional()?;
            let Some(upload) = upload else {
                return Ok(None);
            };
            let files = transaction
                .prepare_cached("SELECT * FROM upload_files WHERE upload_id = ?1 ORDER BY id")?
                .query_map([id], file_record)?
                .collect::<Result<Vec<_>, _>>()?;
            Ok(Some((upload, files)))
        })
        .await
    }
}

fn insert_files(
    transaction: &Transaction<'_>,
    upload_id: i64,
    files: &[FileRecord],
) -> Result<(), DbError> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO upload_files (upload_id, key, is_update, is_compressed, stored_size, original_size, sha256,
             replaced_sha256, debug_file, debug_id, code_file, code_id, generator, stored_at)
         VALUES (:upload_id, :key, :is_update, :is_compressed, :stored_size, :original_size, :sha256,
             :replaced_sha256, :debug_file, :debug_id, :code_file, :code_id, :generator, :stored_at)",
    )?;
    for file in files {
        insert.execute(named_params! {
            ":upload_id": upload_id,
            ":key": file.key,
            ":is_update": file.is_update,
            ":is_compressed": file.is_compressed,
            ":stored_size": file.stored_size,
            ":original_size": file.original_size,
            ":sha256": file.sha256,
            ":replaced_sha256": file.replaced_sha256,
            ":debug_file": file.debug_file,
            ":debug_id": file.debug_id,
            ":code_file": file.code_file,
            ":code_id": file.code_id,
            ":generator": file.generator,
            ":stored_at": Time(file.stored_at),
        })?;
    }
    Ok(())
}

fn upload_record(row: &Row<'_>) -> rusqlite::Result<UploadRecord> {
    let completed_at: Option<Time> = row.get("completed_at")?;
    let failure: Option<String> = row.get("failure")?;
    let state = match (completed_at, failure) {
        (None, None) => UploadState::Pending,
        (Some(Time(at)), _) => UploadState::Completed(at),
        (None, Some(reason)) => UploadState::Failed(reason),
    };
    Ok(UploadRecord {
        id: row.get("id")?,
        upload: NewUpload {
            user: row.get("user")?,
            file_name: row.get("file_name")?,
            size: row.get("size")?,
            bucket: row.get("bucket")?,
            is_try: row.get("is_try")?,
            content_hash: row.get("content_hash")?,
            download_url: row.get("download_url")?,
            redirect_urls: row.get::<_, Texts<_>>("redirect_urls")?.0,
            ignored_keys: row.get::<_, Texts<_>>("ignored_keys")?.0,
            created_at: row.get::<_, Time>("created_at")?.0,
        },
        state,
        skipped_keys: row.get::<_, Texts<_>>("skipped_keys")?.0,
    })
}

fn file_record(row: &Row<'_>) -> rusqlite::Result<FileRecord> {
    Ok(FileRecord {
        key: row.get("key")?,
        is_update: row.get("is_update")?,
        is_compressed: row.get("is_compressed")?,
        stored_size: row.get("stored_size")?,
        original_size: row.get("original_size")?,
        sha256: row.get("sha256")?,
        replaced_sha256: row.get("replaced_sha256")?,
        debug_file: row.get("debug_file")?,
        debug_id: row.get("debug_id")?,
        code_file: row.get("code_file")?,
        code_id: row.get("code_id")?,
        generator: row.get("generator")?,
        stored_at: row.get::<_, Time>("stored_at")?.0,
    })
}
