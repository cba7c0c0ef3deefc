//! Tokens in PostgreSQL.

use async_trait::async_trait;
use time::OffsetDateTime;
use tokio_postgres::Row;

use super::PostgresDatabase;
use super::values::{column, inserted_id, parameters};
use crate::db::DbError;
use crate::db::tokens::{NewToken, TokenRecord, TokenRecords};

#[async_trait]
impl TokenRecords for PostgresDatabase {
    async fn token_by_hash(&self, secret_hash: &str) -> Result<Option<TokenRecord>, DbError> {
        let rows = self
            .query(
                "SELECT id, secret_hash, email, permissions, note, created_at, expires_at, revoked_at
                 FROM tokens WHERE secret_hash = $1",
                parameters![secret_hash.to_owned()],
            )
            .await?;
        rows.first().map(token_record).transpose()
    }

    async fn insert_token(&self, token: &NewToken) -> Result<i64, DbError> {
        let token = token.clone();
        let rows = self
            .query_once(
                "INSERT INTO tokens (secret_hash, email, permissions, note, created_at, expires_at)
                 VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
                parameters![
                    token.secret_hash,
                    token.email,
                    token.permissions,
                    token.note,
                    token.created_at,
                    token.expires_at
                ],
            )
            .await?;
        inserted_id(&rows)
    }

    async fn revoke_token(&self, id: i64, at: OffsetDateTime) -> Result<bool, DbError> {
        let revoked = self
            .query_once(
                "UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING id",
                parameters![id, at],
            )
            .await?;
        Ok(!revoked.is_empty())
    }

    async fn tokens(&self) -> Result<Vec<TokenRecord>, DbError> {
        let rows = self
            .query(
                "SELECT id, secret_hash, email, permissions, note, created_at, expires_at, revoked_at
                 FROM tokens ORDER BY created_at DESC, id DESC",
                parameters![],
            )
            .await?;
        rows.iter().map(token_record).collect()
    }
}

fn token_record(row: &Row) -> Result<TokenRecord, DbError> {
    Ok(TokenRecord {
        id: column(row, "id")?,
        token: NewToken {
            secret_hash: column(row, "secret_hash")?,
            email: column(row, "email")?,
            permissions: column(row, "permissions")?,
            note: column(row, "note")?,
            created_at: column(row, "created_at")?,
            expires_at: column(row, "expires_at")?,
        },
        revoked_at: column(row, "revoked_at")?,
    })
}
