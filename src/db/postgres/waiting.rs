//! Waiting files in PostgreSQL.

use async_trait::async_trait;
use time::OffsetDateTime;
use tokio_postgres::Row;

use super::PostgresDatabase;
use super::row::TableRow;
use super::values::parameters;
use crate::db::DbError;
use crate::db::table::WAITING_FILES;
use crate::db::waiting::{WaitingFile, WaitingRecords};
use symbols::Sha256;

#[async_trait]
impl WaitingRecords for PostgresDatabase {
    async fn begin_waiting(&self, file: &WaitingFile, limit: u32) -> Result<bool, DbError> {
        let file = file.clone();
        let recorded = self
            .query_once(
                "INSERT INTO waiting_files (key_hash, uploader, token_id, created_at)
                 SELECT $1, $2, $3, $4
                 WHERE (SELECT count(*) FROM waiting_files WHERE uploader = $2) < $5
                 RETURNING key_hash",
                parameters![
                    file.key_hash.to_string(),
                    file.user,
                    file.token_id,
                    file.created_at,
                    i64::from(limit)
                ],
            )
            .await?;
        Ok(!recorded.is_empty())
    }

    async fn waiting_file(&self, key_hash: &Sha256) -> Result<Option<WaitingFile>, DbError> {
        let rows = self
            .query(
                "SELECT key_hash, uploader, token_id, created_at FROM waiting_files WHERE key_hash = $1",
                parameters![key_hash.to_string()],
            )
            .await?;
        rows.first().map(waiting_file).transpose()
    }

    async fn waiting_since(
        &self,
        before: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<Sha256>, DbError> {
        let rows = self
            .query(
                "SELECT key_hash FROM waiting_files WHERE created_at < $1 ORDER BY created_at LIMIT $2",
                parameters![before, i64::from(limit)],
            )
            .await?;
        rows.iter()
            .map(|row| TableRow::new(WAITING_FILES, row).parse("key_hash"))
            .collect()
    }

    async fn end_waiting(&self, key_hash: &Sha256) -> Result<(), DbError> {
        self.query(
            "DELETE FROM waiting_files WHERE key_hash = $1",
            parameters![key_hash.to_string()],
        )
        .await?;
        Ok(())
    }
}

fn waiting_file(row: &Row) -> Result<WaitingFile, DbError> {
    let row = TableRow::new(WAITING_FILES, row);
    Ok(WaitingFile {
        key_hash: row.parse("key_hash")?,
        user: row.get("uploader")?,
        token_id: row.get("token_id")?,
        created_at: row.get("created_at")?,
    })
}
