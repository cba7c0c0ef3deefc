//! Tokens in SQLite.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, Row, named_params};
use time::OffsetDateTime;

use super::SqliteDatabase;
use super::values::{Texts, Time};
use crate::db::DbError;
use crate::db::tokens::{NewToken, TokenRecord, TokenRecords};

#[async_trait]
impl TokenRecords for SqliteDatabase {
    async fn token_by_hash(&self, secret_hash: &str) -> Result<Option<TokenRecord>, DbError> {
        let secret_hash = secret_hash.to_owned();
        self.read(move |transaction| {
            let token = transaction
                .prepare_cached("SELECT * FROM tokens WHERE secret_hash = ?1")?
                .query_row([secret_hash], token_record)
                .optional()?;
            Ok(token)
        })
        .await
    }

    async fn insert_token(&self, token: &NewToken) -> Result<i64, DbError> {
        let token = token.clone();
        self.write(move |transaction| {
            transaction.execute(
                "INSERT INTO tokens (secret_hash, email, permissions, note, created_at, expires_at)
                 VALUES (:secret_hash, :email, :permissions, :note, :created_at, :expires_at)",
                named_params! {
                    ":secret_hash": token.secret_hash,
                    ":email": token.email,
                    ":permissions": Texts(token.permissions.as_slice()),
                    ":note": token.note,
                    ":created_at": Time(token.created_at),
                    ":expires_at": Time(token.expires_at),
                },
            )?;
            Ok(transaction.last_insert_rowid())
        })
        .await
    }

    async fn revoke_token(&self, id: i64, at: OffsetDateTime) -> Result<bool, DbError> {
        self.write(move |transaction| {
            let revoked = transaction.execute(
                "UPDATE tokens SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL",
                (id, Time(at)),
            )?;
            Ok(revoked > 0)
        })
        .await
    }

    async fn tokens(&self) -> Result<Vec<TokenRecord>, DbError> {
        self.read(|transaction| {
            let tokens = transaction
                .prepare("SELECT * FROM tokens ORDER BY created_at DESC, id DESC")?
                .query_map([], token_record)?
                .collect::<Result<Vec<_>, _>>()?;
            Ok(tokens)
        })
        .await
    }
}

fn token_record(row: &Row<'_>) -> rusqlite::Result<TokenRecord> {
    Ok(TokenRecord {
        id: row.get("id")?,
        token: NewToken {
            secret_hash: row.get("secret_hash")?,
            email: row.get("email")?,
            permissions: row.get::<_, Texts<_>>("permissions")?.0,
            note: row.get("note")?,
            created_at: row.get::<_, Time>("created_at")?.0,
            expires_at: row.get::<_, Time>("expires_at")?.0,
        },
        revoked_at: row
            .get::<_, Option<Time>>("revoked_at")?
            .map(|Time(time)| time),
    })
}
