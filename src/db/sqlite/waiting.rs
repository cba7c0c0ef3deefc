//! Waiting files in SQLite.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, Row, named_params};
use time::OffsetDateTime;

use super::SqliteDatabase;
use super::values::Time;
use crate::db::DbError;
use crate::db::waiting::{WaitingFile, WaitingRecords};

#[async_trait]
impl WaitingRecords for SqliteDatabase {
    async fn begin_waiting(&self, file: &WaitingFile, limit: u32) -> Result<bool, DbError> {
        let file = file.clone();
        self.write(move |transaction| {
            let recorded = transaction.execute(
                "INSERT INTO waiting_files (key_hash, user, token_id, created_at)
                 SELECT :key_hash, :user, :token_id, :created_at
                 WHERE (SELECT count(*) FROM waiting_files WHERE user = :user) < :limit",
                named_params! {
                    ":key_hash": file.key_hash,
                    ":user": file.user,
                    ":token_id": file.token_id,
                    ":created_at": Time(file.created_at),
                    ":limit": limit,
                },
            )?;
            Ok(recorded > 0)
        })
        .await
    }

    async fn waiting_file(&self, key_hash: &str) -> Result<Option<WaitingFile>, DbError> {
        let key_hash = key_hash.to_owned();
        self.read(move |transaction| {
            let file = transaction
                .prepare_cached("SELECT * FROM waiting_files WHERE key_hash = ?1")?
                .query_row([key_hash], waiting_file)
                .optional()?;
            Ok(file)
        })
        .await
    }

    async fn waiting_since(
        &self,
        before: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<String>, DbError> {
        self.read(move |transaction| {
            let hashes = transaction
                .prepare_cached(
                    "SELECT key_hash FROM waiting_files WHERE created_at < ?1 ORDER BY created_at LIMIT ?2",
                )?
                .query_map((Time(before), limit), |row| row.get(0))?
                .collect::<Result<Vec<_>, _>>()?;
            Ok(hashes)
        })
        .await
    }

    async fn end_waiting(&self, key_hash: &str) -> Result<(), DbError> {
        let key_hash = key_hash.to_owned();
        self.write(move |transaction| {
            transaction.execute("DELETE FROM waiting_files WHERE key_hash = ?1", [key_hash])?;
            Ok(())
        })
        .await
    }
}

fn waiting_file(row: &Row<'_>) -> rusqlite::Result<WaitingFile> {
    Ok(WaitingFile {
        key_hash: row.get("key_hash")?,
        user: row.get("user")?,
        token_id: row.get("token_id")?,
        created_at: row.get::<_, Time>("created_at")?.0,
    })
}
