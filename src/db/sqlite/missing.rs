//! Missing symbols in SQLite.

use async_trait::async_trait;
use rusqlite::{Row, named_params};
use time::{OffsetDateTime, PrimitiveDateTime};

use super::SqliteDatabase;
use super::values::Time;
use crate::db::DbError;
use crate::db::missing::{
    BatchId, MissingCount, MissingFilter, MissingOrder, MissingPage, MissingRecord, MissingRecords,
    MissingSymbol, PageRequest,
};

/// How many rows are deleted at once, so that uploads need not wait for a long clearing.
const EXPIRED_AT_ONCE: usize = 10_000;

/// An empty text is part of every other.
const MATCHING: &str = "FROM missing_symbols
     WHERE instr(lower(debug_file), lower(?1)) > 0
       AND instr(lower(debug_id), lower(?2)) > 0
       AND instr(lower(file_name), lower(?3)) > 0
       AND modified_at >= ?4 AND modified_at < ?5";

#[async_trait]
impl MissingRecords for SqliteDatabase {
    async fn add_missing(&self, batch: BatchId, counts: &[MissingCount]) -> Result<(), DbError> {
        let Some(written_at) = counts.iter().map(|count| count.last_asked).max() else {
            return Ok(());
        };
        let counts = counts.to_vec();
        self.write(move |transaction| {
            let is_new = transaction
                .prepare_cached(
                    "INSERT INTO missing_writers (id, batch, written_at) VALUES (?1, ?2, ?3)
                     ON CONFLICT (id) DO UPDATE SET batch = excluded.batch, written_at = excluded.written_at
                     WHERE batch < excluded.batch",
                )?
                .execute((batch.writer, batch.number, Time(written_at)))?
                > 0;
            if !is_new {
                return Ok(());
            }
            let mut upsert = transaction.prepare_cached(
                "INSERT INTO missing_symbols (debug_file, debug_id, file_name, code_file, code_id, count, created_at,
                     modified_at)
                 VALUES (:debug_file, :debug_id, :file_name, :code_file, :code_id, :count, :last_asked, :last_asked)
                 ON CONFLICT (debug_file, debug_id, file_name, code_file, code_id) DO UPDATE SET
                     count = count + excluded.count,
                     modified_at = max(modified_at, excluded.modified_at)",
            )?;
            for MissingCount { symbol, count, last_asked } in &counts {
                upsert.execute(named_params! {
                    ":debug_file": symbol.debug_file,
                    ":debug_id": symbol.debug_id,
                    ":file_name": symbol.file_name,
                    ":code_file": symbol.code_file.as_deref().unwrap_or_default(),
                    ":code_id": symbol.code_id.as_deref().unwrap_or_default(),
                    ":count": count,
                    ":last_asked": Time(*last_asked),
                })?;
            }
            Ok(())
        })
        .await
    }

    async fn missing_page(
        &self,
        filter: &MissingFilter,
        page: PageRequest,
    ) -> Result<MissingPage, DbError> {
        let filter = filter.clone();
        self.read(move |transaction| {
            let debug_file = filter.debug_file.unwrap_or_default();
            let debug_id = filter.debug_id.unwrap_or_default();
            let file_name = filter.file_name.unwrap_or_default();
            let (earliest, latest) = (PrimitiveDateTime::MIN, PrimitiveDateTime::MAX);
            let from = Time(filter.modified_from.unwrap_or(earliest.assume_utc()));
            let before = Time(filter.modified_before.unwrap_or(latest.assume_utc()));
            let total = transaction
                .prepare_cached(&format!("SELECT count(*) {MATCHING}"))?
                .query_row((&debug_file, &debug_id, &file_name, from, before), |row| {
                    row.get(0)
                })?;
            let offset = i64::try_from(page.offset).unwrap_or(i64::MAX);
            let records = transaction
                .prepare_cached(&format!(
                    "SELECT * {MATCHING} ORDER BY {} LIMIT ?6 OFFSET ?7",
                    order_terms(page)
                ))?
                .query_map(
                    (
                        &debug_file,
                        &debug_id,
                        &file_name,
                        from,
                        before,
                        page.limit,
                        offset,
                    ),
                    missing_record,
                )?
                .collect::<Result<Vec<_>, _>>()?;
            Ok(MissingPage { total, records })
        })
        .await
    }

    async fn missing_since(
        &self,
        since: OffsetDateTime,
        after: i64,
        limit: u32,
    ) -> Result<Vec<MissingRecord>, DbError> {
        self.read(move |transaction| {
            let records = transaction
                .prepare_cached(
                    "SELECT * FROM missing_symbols WHERE id > ?1 AND modified_at >= ?2 ORDER BY id LIMIT ?3",
                )?
                .query_map((after, Time(since), limit), missing_record)?
                .collect::<Result<Vec<_>, _>>()?;
            Ok(records)
        })
        .await
    }

    async fn expire_missing(&self, before: OffsetDateTime) -> Result<u64, DbError> {
        let mut expired = 0;
        loop {
            let deleted = self
                .write(move |transaction| {
                    let deleted = transaction.execute(
                        "DELETE FROM missing_symbols
                         WHERE id IN (SELECT id FROM missing_symbols WHERE modified_at < ?1 LIMIT ?2)",
                        (Time(before), EXPIRED_AT_ONCE),
                    )?;
                    Ok(deleted)
                })
                .await?;
            expired += deleted as u64;
            if deleted < EXPIRED_AT_ONCE {
                break;
            }
        }
        self.write(move |transaction| {
            let forgotten = "DELETE FROM missing_writers WHERE written_at < ?1";
            transaction.execute(forgotten, [Time(before)])?;
            Ok(())
        })
        .await?;
        Ok(expired)
    }
}

fn order_terms(page: PageRequest) -> String {
    let column = match page.order {
        MissingOrder::ModifiedAt => "modified_at",
        MissingOrder::CreatedAt => "created_at",
        MissingOrder::Count => "count",
    };
    let direction = if page.descending { "DESC" } else { "ASC" };
    format!("{column} {direction}, id {direction}")
}

fn missing_record(row: &Row<'_>) -> rusqlite::Result<MissingRecord> {
    Ok(MissingRecord {
        id: row.get("id")?,
        symbol: MissingSymbol {
            debug_file: row.get("debug_file")?,
            debug_id: row.get("debug_id")?,
            file_name: row.get("file_name")?,
            code_file: none_if_empty(row.get("code_file")?),
            code_id: none_if_empty(row.get("code_id")?),
        },
        count: row.get("count")?,
        created_at: row.get::<_, Time>("created_at")?.0,
        modified_at: row.get::<_, Time>("modified_at")?.0,
    })
}

fn none_if_empty(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
