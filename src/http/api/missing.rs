//! The list of missing symbols, as CSV and as JSON.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use actix_web::http::{Method, header};
use actix_web::web::{Bytes, Data, Query};
use actix_web::{HttpResponse, Responder};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use time::macros::format_description;

use crate::db::DbError;
use crate::db::missing::{MissingOrder, MissingRecord};
use crate::http::error::ApiError;
use crate::http::extract::{Listing, MissingQuery};
use crate::http::json::json_time;
use crate::missing::MissingReport;
use crate::missing::report::Period;

/// Rows of a page of `/missingsymbols/`.
const PAGE_ROWS: u32 = 100;

/// Rows of a page of `/api/downloads/missing/`.
const SUMMARY_ROWS: u32 = 20;

const HEADING: [&str; 4] = ["debug_file", "debug_id", "code_file", "code_id"];

/// How many lines of one CSV file are remembered, so that each is written once; about 16 MiB. A longer file may repeat
/// the lines that come after them.
const REMEMBERED_LINES: usize = 1_000_000;

#[derive(Debug, Deserialize)]
pub(in crate::http) struct CsvQuery {
    today: Option<String>,
    days: Option<String>,
    all: Option<String>,
}

/// Streams the symbols that are still missing and were requested within the last day, or the requested period. Without
/// `all`, these are only those that vendors' symbol servers may have: `.sym` files of `.pdb` modules, as Tecken reports
/// them. Rows that differ only in what has no column, the file name, make one line.
pub(in crate::http) async fn csv_file(
    method: Method,
    query: Query<CsvQuery>,
    report: Data<MissingReport>,
) -> Result<impl Responder, ApiError> {
    let period = period_of(&query)?;
    let all = query.all.is_some();
    let day = report
        .day_of(period)
        .format(format_description!("[year]-[month]-[day]"))
        .unwrap_or_default();
    let mut lines = Lines::default();
    let rows = report.rows(period).map(move |rows| {
        let rows = rows.inspect_err(|error| {
            tracing::error!(event = "body_cut", %error, "a report could not be read to its end, the connection is cut");
        })?;
        let is_wanted =
            |row: &&MissingRecord| row.resolved_at.is_none() && (all || is_windows_symbol(row));
        let wanted = rows.iter().filter(is_wanted).filter(|row| lines.is_new(row));
        Ok::<_, DbError>(csv_of(wanted))
    });
    // HEAD reads no rows.
    let rows = rows.take(if method == Method::HEAD {
        0
    } else {
        usize::MAX
    });
    let heading = stream::iter([Ok(write_csv([HEADING.map(str::to_owned)]))]);
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header((
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"missing-symbols-{day}.csv\""),
        ))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .streaming(heading.chain(rows)))
}

fn period_of(query: &CsvQuery) -> Result<Period, ApiError> {
    if query.today.is_some() {
        return Ok(Period::Today);
    }
    let Some(days) = &query.days else {
        return Ok(Period::Days(1));
    };
    match days.parse() {
        Ok(days @ 1..=3650) => Ok(Period::Days(days)),
        _ => Err(ApiError::bad_request(
            "bad_days",
            "days must be a whole number from 1 to 3650",
        )),
    }
}

fn is_windows_symbol(row: &MissingRecord) -> bool {
    let ends_with = |name: &str, end: &str| name.to_ascii_lowercase().ends_with(end);
    ends_with(&row.symbol.debug_file, ".pdb") && ends_with(&row.symbol.file_name, ".sym")
}

/// The lines of a CSV file so far, by their hashes.
#[derive(Debug, Default)]
struct Lines {
    seen: HashSet<u64>,
    hasher: RandomState,
}

impl Lines {
    /// Returns whether the line of this row has not been written yet, and remembers it.
    fn is_new(&mut self, row: &MissingRecord) -> bool {
        let symbol = &row.symbol;
        let code = (&symbol.code_file, &symbol.code_id);
        let line = self
            .hasher
            .hash_one((&symbol.debug_file, &symbol.debug_id, code));
        if self.seen.len() < REMEMBERED_LINES {
            self.seen.insert(line)
        } else {
            !self.seen.contains(&line)
        }
    }
}

fn csv_of<'a>(rows: impl Iterator<Item = &'a MissingRecord>) -> Bytes {
    write_csv(rows.map(|row| {
        let symbol = row.symbol.clone();
        [
            symbol.debug_file,
            symbol.debug_id,
            symbol.code_file.unwrap_or_default(),
            symbol.code_id.unwrap_or_default(),
        ]
        .map(unformula)
    }))
}

fn write_csv(rows: impl IntoIterator<Item = [String; 4]>) -> Bytes {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    for row in rows {
        writer
            .write_record(row)
            .expect("writing to a Vec does not fail");
    }
    writer
        .into_inner()
        .expect("writing to a Vec does not fail")
        .into()
}

/// Puts an apostrophe before a cell that a spreadsheet would read as a formula (OWASP, CSV injection).
fn unformula(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{cell}")
    } else {
        cell
    }
}

/// A page of rows, in Tecken's shape.
#[derive(Debug, Serialize)]
struct PageJson<'page> {
    batch_size: u32,
    order_by: OrderJson,
    page: u64,
    records: Vec<RecordJson<'page>>,
    total_count: u64,
}

/// A shorter page of rows, and how many rows of the same filter were requested recently, in Tecken's shape.
#[derive(Debug, Serialize)]
struct SummaryJson<'page> {
    aggregates: AggregatesJson,
    batch_size: u32,
    missing: Vec<RecordJson<'page>>,
    order_by: OrderJson,
    total: u64,
}

#[derive(Debug, Serialize)]
struct AggregatesJson {
    missing: TotalsJson,
}

/// The number of rows of the filter: those requested within the last days, and all.
#[derive(Debug, Serialize)]
struct TotalsJson {
    last_10_days: u64,
    last_1_days: u64,
    last_30_days: u64,
    last_5_days: u64,
    total: u64,
}

#[derive(Debug, Serialize)]
struct OrderJson {
    reverse: bool,
    sort: &'static str,
}

#[derive(Debug, Serialize)]
struct RecordJson<'page> {
    code_file: Option<&'page str>,
    code_id: Option<&'page str>,
    count: u64,
    created_at: String,
    debugid: &'page str,
    filename: &'page str,
    id: i64,
    modified_at: String,
    resolved_at: Option<String>,
    symbol: &'page str,
}

/// Answers with a page of the list.
pub(in crate::http) async fn json_page(
    query: MissingQuery,
    report: Data<MissingReport>,
) -> Result<impl Responder, ApiError> {
    let MissingQuery { filter, listing } = query;
    let page = report.page(&filter, listing.request(PAGE_ROWS)).await?;
    Ok(HttpResponse::Ok().json(PageJson {
        batch_size: PAGE_ROWS,
        order_by: listing.into(),
        page: listing.page,
        records: page.records.iter().map(RecordJson::from).collect(),
        total_count: page.total,
    }))
}

/// Answers with a shorter page of the list and the recent totals.
pub(in crate::http) async fn summary(
    query: MissingQuery,
    report: Data<MissingReport>,
) -> Result<impl Responder, ApiError> {
    let MissingQuery { filter, listing } = query;
    let page = report.page(&filter, listing.request(SUMMARY_ROWS)).await?;
    let missing = TotalsJson {
        last_10_days: report.total_of_days(&filter, 10).await?,
        last_1_days: report.total_of_days(&filter, 1).await?,
        last_30_days: report.total_of_days(&filter, 30).await?,
        last_5_days: report.total_of_days(&filter, 5).await?,
        total: page.total,
    };
    Ok(HttpResponse::Ok().json(SummaryJson {
        aggregates: AggregatesJson { missing },
        batch_size: SUMMARY_ROWS,
        missing: page.records.iter().map(RecordJson::from).collect(),
        order_by: listing.into(),
        total: page.total,
    }))
}

impl From<Listing> for OrderJson {
    fn from(listing: Listing) -> Self {
        Self {
            reverse: listing.descending,
            sort: match listing.order {
                MissingOrder::ModifiedAt => "modified_at",
                MissingOrder::CreatedAt => "created_at",
                MissingOrder::Count => "count",
            },
        }
    }
}

impl<'page> From<&'page MissingRecord> for RecordJson<'page> {
    fn from(record: &'page MissingRecord) -> Self {
        let symbol = &record.symbol;
        Self {
            code_file: symbol.code_file.as_deref(),
            code_id: symbol.code_id.as_deref(),
            count: record.count,
            created_at: json_time(record.created_at),
            debugid: &symbol.debug_id,
            filename: &symbol.file_name,
            id: record.id,
            modified_at: json_time(record.modified_at),
            resolved_at: record.resolved_at.map(json_time),
            symbol: &symbol.debug_file,
        }
    }
}
