//! Waiting files in SQLite.

use async_trait::async_trait;
use rusqlite::{Row, named_params};
use time::OffsetDateTime;

use super::SqliteDatabase;
use super::row::TableRow;
use super::values::Time;
use crate::db::DbError;
use crate::db::table::WAITING_FILES;
use crate::db::waiting::{WaitingFile, WaitingRecords};
use symbols::Sha256;

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
                    ":key_hash": file.key_hash.to_string(),
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

    async fn waiting_file(&self, key_hash: &Sha256) -> Result<Option<WaitingFile>, DbError> {
        let key_hash = key_hash.to_string();
        self.read(move |transaction| {
            let file = transaction
                .prepare_cached("SELECT * FROM waiting_files WHERE key_hash = ?1")?
                .query_and_then([key_hash], waiting_file)?
                .next()
                .transpose()?;
            Ok(file)
        })
        .await
    }

    async fn waiting_since(
        &self,
        before: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<Sha256>, DbError> {
        self.read(move |transaction| {
            let hashes = transaction
                .prepare_cached(
                    "SELECT key_hash FROM waiting_files WHERE created_at < ?1 ORDER BY created_at LIMIT ?2",
                )?
                .query_and_then((Time(before), limit), |row| {
                    TableRow::new(WAITING_FILES, row).parse("key_hash")
                })?
                .collect::<Result<Vec<_>, DbError>>()?;
            Ok(hashes)
        })
        .await
    }

    async fn end_waiting(&self, key_hash: &Sha256) -> Result<(), DbError> {
        let key_hash = key_hash.to_string();
        self.write(move |transaction| {
            transaction.execute("DELETE FROM waiting_files WHERE key_hash = ?1", [key_hash])?;
            Ok(())
        })
        .await
    }
}

fn waiting_file(row: &Row<'_>) -> Result<WaitingFile, DbError> {
    let row = TableRow::new(WAITING_FILES, row);
    Ok(WaitingFile {
        key_hash: row.parse("key_hash")?,
        user: row.get("user")?,
        token_id: row.get("token_id")?,
        created_at: row.get::<Time>("created_at")?.0,
    })
}
