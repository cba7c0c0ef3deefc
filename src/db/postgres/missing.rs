//! Missing symbols in PostgreSQL.

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use tokio_postgres::Row;

use super::PostgresDatabase;
use super::values::{Parameter, array, column, natural, number, numbers, parameters};
use crate::db::DbError;
use crate::db::missing::{
    ARRIVAL_NEWS, BatchId, MissingCount, MissingDemand, MissingFilter, MissingPage, MissingPlace,
    MissingRecord, MissingRecords, MissingSymbol, PageRequest,
};
use crate::db::windows_endings::windows_endings;

/// How many rows are deleted at once, so that no statement takes long.
const EXPIRED_AT_ONCE: u32 = 10_000;

/// Adds a batch unless it was added before: then its writer's row is not touched, and there is nothing to join with.
/// All nodes take the rows in one order, so that none can wait for another that waits for it.
const ADD: &str = "
    WITH fresh AS (
        INSERT INTO missing_writers AS writer (id, batch, written_at) VALUES ($1, $2, $3)
        ON CONFLICT (id) DO UPDATE SET batch = EXCLUDED.batch, written_at = EXCLUDED.written_at
        WHERE writer.batch < EXCLUDED.batch
        RETURNING id
    )
    INSERT INTO missing_symbols AS symbol
        (identity, debug_file, debug_id, file_name, code_file, code_id, count, created_at, modified_at)
    SELECT identity, debug_file, debug_id, file_name, code_file, code_id, count, last_asked, last_asked
    FROM fresh CROSS JOIN unnest($4::bytea[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
        $10::bigint[], $11::timestamptz[])
        AS asked (identity, debug_file, debug_id, file_name, code_file, code_id, count, last_asked)
    ORDER BY identity
    ON CONFLICT (identity) DO UPDATE SET
        count = symbol.count + EXCLUDED.count,
        modified_at = GREATEST(symbol.modified_at, EXCLUDED.modified_at)";

/// The rows and when the file of each arrived, if it did; `$1` is the time by which the news may be late. A file of a
/// Windows module may have arrived under another spelling; the condition is that of the index.
const ROWS: &str = concat!(
    "(SELECT missing.id, missing.debug_file, missing.debug_id, missing.file_name, missing.code_file,
        missing.code_id, missing.count, missing.created_at, missing.modified_at,
        (SELECT max((SELECT upload.completed_at FROM uploads AS upload
             WHERE upload.id = arrived.upload_id AND NOT upload.is_try
               AND upload.completed_at + make_interval(secs => $1) >= missing.modified_at))
         FROM (
             SELECT file.upload_id FROM upload_files AS file
             WHERE file.key = missing.debug_file || '/' || missing.debug_id || '/' || missing.file_name
             UNION ALL
             SELECT file.upload_id FROM upload_files AS file
             WHERE lower(file.key COLLATE \"C\") = lower((missing.debug_file || '/' || missing.debug_id || '/'
                     || missing.file_name) COLLATE \"C\")
               AND lower(right(split_part(file.key, '/', 1), 4) COLLATE \"C\")
                   IN ",
    windows_endings!(),
    "
         ) AS arrived) AS resolved_at
    FROM missing_symbols AS missing) AS row"
);

/// An empty text is part of every other. The C collation knows no letters but those of ASCII.
const MATCHING: &str = "position(lower($2 COLLATE \"C\") IN lower(debug_file COLLATE \"C\")) > 0
    AND position(lower($3 COLLATE \"C\") IN lower(debug_id COLLATE \"C\")) > 0
    AND position(lower($4 COLLATE \"C\") IN lower(file_name COLLATE \"C\")) > 0
    AND modified_at >= COALESCE($5::timestamptz, '-infinity')
    AND modified_at < COALESCE($6::timestamptz, 'infinity')
    AND created_at >= COALESCE($7::timestamptz, '-infinity')
    AND created_at < COALESCE($8::timestamptz, 'infinity')
    AND count >= COALESCE($9::bigint, count)
    AND count < COALESCE($10::bigint, count + 1)
    AND ($11::boolean IS NULL OR $11 = (resolved_at IS NOT NULL))";

const COLUMNS: &str = "id, debug_file, debug_id, file_name, code_file, code_id, count, created_at, modified_at, \
     resolved_at";

/// Rows that are just being asked for again are passed over: they are old no more.
const EXPIRE: &str = "
    WITH old AS (
        SELECT id FROM missing_symbols WHERE modified_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED
    )
    DELETE FROM missing_symbols USING old WHERE missing_symbols.id = old.id RETURNING old.id";

/// As [`EXPIRE`]: a row that is just being asked for, or was since it was read, stays.
const REMOVE: &str = "
    WITH unwanted AS (
        SELECT missing.id FROM missing_symbols AS missing
        JOIN unnest($1::bigint[], $2::bigint[]) AS read (id, count)
            ON missing.id = read.id AND missing.count = read.count
        FOR UPDATE OF missing SKIP LOCKED
    )
    DELETE FROM missing_symbols USING unwanted WHERE missing_symbols.id = unwanted.id RETURNING unwanted.id";

#[async_trait]
impl MissingRecords for PostgresDatabase {
    async fn add_missing(&self, batch: BatchId, counts: &[MissingCount]) -> Result<(), DbError> {
        let Some(written_at) = counts.iter().map(|count| count.last_asked).max() else {
            return Ok(());
        };
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        self.query(
            ADD,
            vec![
                Box::new(batch.writer.to_vec()),
                Box::new(i64::from(batch.number)),
                Box::new(written_at),
                array(counts, |count| identity(&count.symbol)),
                array(counts, |count| count.symbol.debug_file.clone()),
                array(counts, |count| count.symbol.debug_id.clone()),
                array(counts, |count| count.symbol.file_name.clone()),
                array(counts, |count| text(&count.symbol.code_file)),
                array(counts, |count| text(&count.symbol.code_id)),
                numbers(counts, |count| count.count)?,
                array(counts, |count| count.last_asked),
            ],
        )
        .await?;
        Ok(())
    }

    /// The total may be of a moment before the rows.
    async fn missing_page(
        &self,
        filter: &MissingFilter,
        page: PageRequest,
    ) -> Result<MissingPage, DbError> {
        let count = format!("SELECT count(*) AS total FROM {ROWS} WHERE {MATCHING}");
        let counted = self.query(count, matching_values(filter)?).await?;
        let total = counted.first().map(|row| natural(row, "total"));

        let order = page.order_terms();
        let rows = format!(
            "SELECT {COLUMNS} FROM {ROWS} WHERE {MATCHING} ORDER BY {order} LIMIT $12 OFFSET $13"
        );
        let mut parameters = matching_values(filter)?;
        let offset = i64::try_from(page.offset).unwrap_or(i64::MAX);
        parameters.extend(parameters![i64::from(page.limit), offset]);
        let rows = self.query(rows, parameters).await?;
        let records: Result<Vec<MissingRecord>, DbError> =
            rows.iter().map(missing_record).collect();
        Ok(MissingPage {
            total: total.transpose()?.unwrap_or_default(),
            records: records?,
        })
    }

    async fn missing_since(
        &self,
        since: OffsetDateTime,
        after: i64,
        limit: u32,
    ) -> Result<Vec<MissingRecord>, DbError> {
        let rows = self
            .query(
                format!(
                    "SELECT {COLUMNS} FROM {ROWS} WHERE id > $2 AND modified_at >= $3 ORDER BY id LIMIT $4"
                ),
                parameters![ARRIVAL_NEWS.as_secs_f64(), after, since, i64::from(limit)],
            )
            .await?;
        rows.iter().map(missing_record).collect()
    }

    async fn expire_missing(&self, before: OffsetDateTime) -> Result<u64, DbError> {
        let mut expired = 0;
        loop {
            let parameters = parameters![before, i64::from(EXPIRED_AT_ONCE)];
            let deleted = self.query(EXPIRE, parameters).await?;
            expired += deleted.len() as u64;
            if deleted.len() < EXPIRED_AT_ONCE as usize {
                break;
            }
        }
        let forget = "DELETE FROM missing_writers WHERE written_at < $1";
        self.query(forget, parameters![before]).await?;
        Ok(expired)
    }

    async fn missing_total(&self) -> Result<u64, DbError> {
        let total = "SELECT count(*) AS total FROM missing_symbols";
        let rows = self.query(total, parameters![]).await?;
        let total = rows.first().map(|row| natural(row, "total"));
        Ok(total.transpose()?.unwrap_or_default())
    }

    async fn missing_by_age(
        &self,
        after: MissingPlace,
        limit: u32,
    ) -> Result<Vec<MissingDemand>, DbError> {
        let rows = self
            .query(
                "SELECT id, count, created_at, modified_at FROM missing_symbols
                 WHERE (modified_at, id) > ($1, $2) ORDER BY modified_at, id LIMIT $3",
                parameters![after.modified_at, after.id, i64::from(limit)],
            )
            .await?;
        rows.iter().map(missing_demand).collect()
    }

    async fn remove_missing(&self, rows: &[MissingDemand]) -> Result<u64, DbError> {
        let parameters = vec![array(rows, |row| row.id), numbers(rows, |row| row.count)?];
        Ok(self.query(REMOVE, parameters).await?.len() as u64)
    }
}

/// SHA-256 of all parts of a symbol, each behind its length, so that no two symbols give the same bytes. All spellings
/// of a symbol of a Windows module do.
fn identity(symbol: &MissingSymbol) -> Vec<u8> {
    let folded = symbol.folded();
    let symbol = folded.as_ref().unwrap_or(symbol);
    let code_file = symbol.code_file.as_deref().unwrap_or_default();
    let code_id = symbol.code_id.as_deref().unwrap_or_default();
    let mut digest = Sha256::new();
    for part in [
        &symbol.debug_file,
        &symbol.debug_id,
        &symbol.file_name,
        code_file,
        code_id,
    ] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().to_vec()
}

/// The parameters of [`ROWS`] and [`MATCHING`].
fn matching_values(filter: &MissingFilter) -> Result<Vec<Parameter>, DbError> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let count = |count: Option<u64>| count.map(number).transpose();
    Ok(parameters![
        ARRIVAL_NEWS.as_secs_f64(),
        text(&filter.debug_file),
        text(&filter.debug_id),
        text(&filter.file_name),
        filter.modified.from,
        filter.modified.before,
        filter.created.from,
        filter.created.before,
        count(filter.count.from)?,
        count(filter.count.before)?,
        filter.is_resolved,
    ])
}

fn missing_record(row: &Row) -> Result<MissingRecord, DbError> {
    Ok(MissingRecord {
        id: column(row, "id")?,
        symbol: MissingSymbol {
            debug_file: column(row, "debug_file")?,
            debug_id: column(row, "debug_id")?,
            file_name: column(row, "file_name")?,
            code_file: none_if_empty(column(row, "code_file")?),
            code_id: none_if_empty(column(row, "code_id")?),
        },
        count: natural(row, "count")?,
        created_at: column(row, "created_at")?,
        modified_at: column(row, "modified_at")?,
        resolved_at: column(row, "resolved_at")?,
    })
}

fn missing_demand(row: &Row) -> Result<MissingDemand, DbError> {
    Ok(MissingDemand {
        id: column(row, "id")?,
        count: natural(row, "count")?,
        created_at: column(row, "created_at")?,
        modified_at: column(row, "modified_at")?,
    })
}

fn none_if_empty(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
