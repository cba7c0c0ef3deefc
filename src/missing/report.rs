//! Reads the counts of missing symbols.

use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream;
use time::{OffsetDateTime, Time};

use crate::clock::SharedClock;
use crate::db::missing::{MissingFilter, MissingOrder, MissingPage, MissingRecord, PageRequest};
use crate::db::{DbError, MissingRecords};
use symbols::{is_windows_name, packed_name};

/// How many rows are read at a time.
const READ_AHEAD: u32 = 1_000;

/// The period that a report covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// The last days, counted back from now to the second.
    Days(u16),
    /// Since midnight UTC.
    Today,
}

/// Reads the missing-symbols table.
#[derive(Clone, Debug)]
pub struct MissingReport {
    records: Arc<dyn MissingRecords>,
    clock: SharedClock,
}

impl MissingReport {
    /// Makes a report over the missing-symbols table.
    #[must_use]
    pub fn new(records: Arc<dyn MissingRecords>, clock: SharedClock) -> Self {
        Self { records, clock }
    }

    /// A page of rows.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn page(
        &self,
        filter: &MissingFilter,
        page: PageRequest,
    ) -> Result<MissingPage, DbError> {
        self.records.missing_page(filter, page).await
    }

    /// The rows of one file, with any code file and code id. A Windows file and its cabinet are one file, see
    /// [`MissingLog::note`](super::MissingLog::note).
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn of_file(
        &self,
        debug_file: &str,
        debug_id: &str,
        file_name: &str,
    ) -> Result<Vec<MissingRecord>, DbError> {
        let file_name = packed_name(file_name).unwrap_or_else(|| file_name.to_owned());
        let filter = MissingFilter {
            debug_file: Some(debug_file.to_owned()),
            debug_id: Some(debug_id.to_owned()),
            file_name: Some(file_name.clone()),
            ..MissingFilter::default()
        };
        let page = PageRequest {
            order: MissingOrder::default(),
            descending: true,
            offset: 0,
            limit: READ_AHEAD,
        };
        let mut rows = self.page(&filter, page).await?.records;
        // The filter also matches parts of names.
        rows.retain(|row| {
            let symbol = &row.symbol;
            let names = [&symbol.debug_file, &symbol.debug_id, &symbol.file_name];
            let asked = [debug_file, debug_id, file_name.as_str()];
            names == asked || is_windows_name(debug_file) && same_but_for_case(names, asked)
        });
        Ok(rows)
    }

    /// How many of the rows that pass the filter were asked for within the last `days` days.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn total_of_days(&self, filter: &MissingFilter, days: u16) -> Result<u64, DbError> {
        let mut filter = filter.clone();
        filter.modified.from = filter
            .modified
            .from
            .max(Some(self.start_of(Period::Days(days))));
        let nothing_but_the_total = PageRequest {
            order: MissingOrder::default(),
            descending: false,
            offset: 0,
            limit: 0,
        };
        Ok(self.page(&filter, nothing_but_the_total).await?.total)
    }

    /// The day in the name of a report: today for [`Period::Today`], else yesterday, as in Tecken.
    #[must_use]
    pub fn day_of(&self, period: Period) -> time::Date {
        let today = self.clock.now().date();
        match period {
            Period::Today => today,
            Period::Days(_) => today.previous_day().unwrap_or(today),
        }
    }

    /// All rows of a period, ordered by number, read in pages as the stream is polled.
    pub fn rows(
        &self,
        period: Period,
    ) -> impl Stream<Item = Result<Vec<MissingRecord>, DbError>> + use<> {
        let since = self.start_of(period);
        let records = Arc::clone(&self.records);
        stream::try_unfold(Some(0), move |after: Option<i64>| {
            let records = Arc::clone(&records);
            async move {
                let Some(after) = after else { return Ok(None) };
                let rows = records.missing_since(since, after, READ_AHEAD).await?;
                let last = rows
                    .last()
                    .filter(|_| rows.len() == READ_AHEAD as usize)
                    .map(|row| row.id);
                Ok(Some((rows, last)))
            }
        })
    }

    fn start_of(&self, period: Period) -> OffsetDateTime {
        let now = self.clock.now();
        match period {
            Period::Today => now.replace_time(Time::MIDNIGHT),
            Period::Days(days) => now - Duration::from_hours(24 * u64::from(days)),
        }
    }
}

fn same_but_for_case(names: [&String; 3], others: [&str; 3]) -> bool {
    let mut pairs = names.into_iter().zip(others);
    pairs.all(|(name, other)| name.eq_ignore_ascii_case(other))
}
