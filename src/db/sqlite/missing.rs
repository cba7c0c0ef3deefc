//! Missing symbols in SQLite.

use async_trait::async_trait;
use rusqlite::{Row, ToSql, named_params};
use time::OffsetDateTime;

use super::SqliteDatabase;
use super::values::Time;
use crate::db::DbError;
use crate::db::missing::{
    ARRIVAL_NEWS, BatchId, MissingCount, MissingDemand, MissingFilter, MissingPage, MissingPlace,
    MissingRecord, MissingRecords, MissingSymbol, PageRequest,
};
use crate::db::windows_endings::windows_endings;
use symbols::is_windows_name;

/// How many rows are deleted at once: some 20 ms of work, for which an upload may have to wait.
const EXPIRED_AT_ONCE: usize = 500;

/// When the file of a row arrived, if it did: `:arrival_news` is the microseconds by which the news may be late.
/// A file of a Windows module may have arrived under another spelling; the condition is that of the index.
const RESOLVED_AT: &str = concat!(
    "(SELECT max((SELECT upload.completed_at FROM uploads AS upload
         WHERE upload.id = arrived.upload_id AND NOT upload.is_try
           AND upload.completed_at + :arrival_news >= missing.modified_at))
     FROM (
         SELECT file.upload_id FROM upload_files AS file
         WHERE file.key = missing.debug_file || '/' || missing.debug_id || '/' || missing.file_name
         UNION ALL
         SELECT file.upload_id FROM upload_files AS file
         WHERE lower(file.key) = lower(missing.debug_file || '/' || missing.debug_id || '/' || missing.file_name)
           AND lower(substr(file.key, instr(file.key, '/') - 4, 4))
               IN ",
    windows_endings!(),
    "
     ) AS arrived)"
);

/// Adds to the row of any spelling of a symbol of a Windows module, if there is one; the condition is that of the
/// index.
const ADD_TO_SPELLING: &str = concat!(
    "UPDATE missing_symbols
     SET count = count + :count, modified_at = max(modified_at, :last_asked)
     WHERE id = (SELECT id FROM missing_symbols
         WHERE lower(debug_file) = lower(:debug_file) AND debug_id = :debug_id
           AND lower(substr(debug_file, -4))
               IN ",
    windows_endings!(),
    "
           AND lower(file_name) = lower(:file_name)
           AND lower(code_file) = lower(:code_file) AND lower(code_id) = lower(:code_id)
         ORDER BY id LIMIT 1)"
);

/// An empty text is part of every other.
const MATCHING: &str = "instr(lower(debug_file), lower(:debug_file)) > 0
     AND instr(lower(debug_id), lower(:debug_id)) > 0
     AND instr(lower(file_name), lower(:file_name)) > 0
     AND modified_at >= ifnull(:modified_from, modified_at) AND modified_at < ifnull(:modified_before, modified_at + 1)
     AND created_at >= ifnull(:created_from, created_at) AND created_at < ifnull(:created_before, created_at + 1)
     AND count >= ifnull(:count_from, count) AND count < ifnull(:count_before, count + 1)
     AND (:is_resolved IS NULL OR :is_resolved = (resolved_at IS NOT NULL))";

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
            let mut add_to_spelling = transaction.prepare_cached(ADD_TO_SPELLING)?;
            for MissingCount { symbol, count, last_asked } in &counts {
                let values = named_params! {
                    ":debug_file": symbol.debug_file,
                    ":debug_id": symbol.debug_id,
                    ":file_name": symbol.file_name,
                    ":code_file": symbol.code_file.as_deref().unwrap_or_default(),
                    ":code_id": symbol.code_id.as_deref().unwrap_or_default(),
                    ":count": count,
                    ":last_asked": Time(*last_asked),
                };
                let is_of_windows = is_windows_name(&symbol.debug_file);
                if !is_of_windows || add_to_spelling.execute(values)? == 0 {
                    upsert.execute(values)?;
                }
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
            let matching = format!(
                "FROM (SELECT *, {RESOLVED_AT} AS resolved_at FROM missing_symbols AS missing) WHERE {MATCHING}"
            );
            let values = matching_values(&filter);
            let mut values: Vec<(&str, &dyn ToSql)> =
                values.iter().map(|(name, value)| (*name, value.as_ref())).collect();
            let total = transaction
                .prepare_cached(&format!("SELECT count(*) {matching}"))?
                .query_row(&values[..], |row| row.get(0))?;
            let offset = i64::try_from(page.offset).unwrap_or(i64::MAX);
            values.extend([(":limit", &page.limit as &dyn ToSql), (":offset", &offset)]);
            let records = transaction
                .prepare_cached(&format!(
                    "SELECT * {matching} ORDER BY {} LIMIT :limit OFFSET :offset",
                    page.order_terms()
                ))?
                .query_map(&values[..], missing_record)?
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
                .prepare_cached(&format!(
                    "SELECT *, {RESOLVED_AT} AS resolved_at FROM missing_symbols AS missing
                     WHERE id > :after AND modified_at >= :since ORDER BY id LIMIT :limit"
                ))?
                .query_map(
                    named_params! {
                        ":arrival_news": arrival_news(),
                        ":after": after,
                        ":since": Time(since),
                        ":limit": limit,
                    },
                    missing_record,
                )?
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

    async fn missing_total(&self) -> Result<u64, DbError> {
        self.read(|transaction| {
            let total = transaction
                .prepare_cached("SELECT count(*) FROM missing_symbols")?
                .query_row([], |row| row.get(0))?;
            Ok(total)
        })
        .await
    }

    async fn missing_by_age(
        &self,
        after: MissingPlace,
        limit: u32,
    ) -> Result<Vec<MissingDemand>, DbError> {
        self.read(move |transaction| {
            let rows = transaction
                .prepare_cached(
                    "SELECT id, count, created_at, modified_at FROM missing_symbols
                     WHERE (modified_at, id) > (?1, ?2) ORDER BY modified_at, id LIMIT ?3",
                )?
                .query_map((Time(after.modified_at), after.id, limit), missing_demand)?
                .collect::<Result<Vec<_>, _>>()?;
            Ok(rows)
        })
        .await
    }

    async fn remove_missing(&self, rows: &[MissingDemand]) -> Result<u64, DbError> {
        let rows: Vec<_> = rows.iter().map(|row| (row.id, row.count)).collect();
        self.write(move |transaction| {
            let mut remove = transaction
                .prepare_cached("DELETE FROM missing_symbols WHERE id = ?1 AND count = ?2")?;
            let mut removed = 0;
            for row in rows {
                removed += remove.execute(row)? as u64;
            }
            Ok(removed)
        })
        .await
    }
}

/// The parameters of [`RESOLVED_AT`] and [`MATCHING`].
fn matching_values(filter: &MissingFilter) -> Vec<(&'static str, Box<dyn ToSql>)> {
    let text = |text: &Option<String>| Box::new(text.clone().unwrap_or_default());
    let time = |time: Option<OffsetDateTime>| Box::new(time.map(Time));
    vec![
        (":arrival_news", Box::new(arrival_news())),
        (":debug_file", text(&filter.debug_file)),
        (":debug_id", text(&filter.debug_id)),
        (":file_name", text(&filter.file_name)),
        (":modified_from", time(filter.modified.from)),
        (":modified_before", time(filter.modified.before)),
        (":created_from", time(filter.created.from)),
        (":created_before", time(filter.created.before)),
        (":count_from", Box::new(filter.count.from)),
        (":count_before", Box::new(filter.count.before)),
        (":is_resolved", Box::new(filter.is_resolved)),
    ]
}

/// In microseconds, as times are kept.
fn arrival_news() -> i64 {
    i64::try_from(ARRIVAL_NEWS.as_micros()).unwrap_or(i64::MAX)
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
        resolved_at: row
            .get::<_, Option<Time>>("resolved_at")?
            .map(|time| time.0),
    })
}

fn missing_demand(row: &Row<'_>) -> rusqlite::Result<MissingDemand> {
    Ok(MissingDemand {
        id: row.get("id")?,
        count: row.get("count")?,
        created_at: row.get::<_, Time>("created_at")?.0,
        modified_at: row.get::<_, Time>("modified_at")?.0,
    })
}

fn none_if_empty(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
