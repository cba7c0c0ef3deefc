//! The numbers of a run, for people and for programs.
//!
//! A [`Report`] is printed as a table and written as JSON; [`picture`] draws it. Times in JSON are microseconds.

pub(crate) mod comparison;
pub(crate) mod picture;
mod svg;
pub(crate) mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::measure::{Latencies, Status, StatusTally, Tally, Tickets};
use table::{Align, Table, share, time};

/// How the load was made.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Setting {
    /// `download`, `upload`, …
    pub(crate) scenario: &'static str,
    /// `host:port`.
    pub(crate) server: String,
    /// In words: `closed loop`, or `open loop, 500 requests/s`.
    pub(crate) pace: String,
    /// Connections, each with one request in flight at most.
    pub(crate) connections: u16,
}

/// Lookups that the server answered from its cache, by its metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct CacheUse {
    /// Lookups answered from memory, or from the cache that nodes share.
    pub(crate) hits: u64,
    /// All lookups.
    pub(crate) lookups: u64,
}

/// How well the generator itself kept its times.
#[derive(Debug, Clone, Copy, Serialize)]
struct Generator {
    /// By how much it was late, when a connection was free.
    late_p99_microseconds: u64,
    /// Requests that were due when no connection was free.
    queued: u64,
}

/// The result of a run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    #[serde(flatten)]
    setting: Setting,
    seconds: f64,
    requests: u64,
    requests_per_second: f64,
    body_bytes: u64,
    /// Share of answers that were expected, from 0 to 1.
    expected: f64,
    /// Absent where the server does not report it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<CacheUse>,
    /// Absent in a closed loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    generator: Option<Generator>,
    statuses: Vec<Row>,
    all: Row,
    /// Why requests had no answer, or another one than a success.
    failures: BTreeMap<String, u64>,
    /// Answers in each second, by status.
    each_second: Vec<BTreeMap<String, u64>>,
}

/// The answers with one status, or all of them.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// The status, `no answer`, or `all`.
    status: String,
    count: u64,
    expected: u64,
    median_microseconds: u64,
    mean_microseconds: u64,
    p90_microseconds: u64,
    p99_microseconds: u64,
    p999_microseconds: u64,
    max_microseconds: u64,
    /// Mean of the `Debug-Time` of the answers that have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    debug_time_microseconds: Option<u64>,
    /// Share of answers and the time that they did not exceed, towards the slowest.
    percentiles: Vec<(f64, u64)>,
}

impl Report {
    /// The numbers of a run that is over.
    pub(crate) fn new(setting: Setting, tally: &Tally, tickets: &Tickets) -> Self {
        let lateness = tickets.lateness();
        let is_open = lateness.count() + tickets.queued() > 0;
        let all = StatusTally {
            latencies: tally.latencies(),
            expected: tally.expected(),
            debug_times: tally
                .statuses
                .values()
                .fold((0, Duration::ZERO), |sum, tally| {
                    (sum.0 + tally.debug_times.0, sum.1 + tally.debug_times.1)
                }),
        };
        let statuses = tally.statuses.iter();
        let each_second = tally.seconds.iter().map(|second| {
            let counts = second.iter();
            counts
                .map(|(status, count)| (name(*status), *count))
                .collect()
        });
        Self {
            setting,
            seconds: tally.elapsed.as_secs_f64(),
            requests: tally.requests(),
            requests_per_second: per_second(tally.requests(), tally.elapsed),
            body_bytes: tally.bytes,
            expected: part(tally.expected(), tally.requests()),
            cache: None,
            generator: is_open.then(|| Generator {
                late_p99_microseconds: microseconds(lateness.quantile(0.99)),
                queued: tickets.queued(),
            }),
            statuses: statuses
                .map(|(status, tally)| Row::new(name(*status), tally))
                .collect(),
            all: Row::new("all".to_owned(), &all),
            failures: tally.failures.clone(),
            each_second: each_second.collect(),
        }
    }

    /// The same report with the numbers of the server's metrics.
    pub(crate) fn with_cache(mut self, cache: Option<CacheUse>) -> Self {
        self.cache = cache;
        self
    }

    /// Share of answers that were expected, from 0 to 1.
    pub(crate) fn expected(&self) -> f64 {
        self.expected
    }

    /// The time that 99 % of the requests did not exceed, in microseconds.
    pub(crate) fn p99_microseconds(&self) -> u64 {
        self.all.p99_microseconds
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&[
            ("status", Align::Left),
            ("count", Align::Right),
            ("share", Align::Right),
            ("median", Align::Right),
            ("mean", Align::Right),
            ("p99", Align::Right),
            ("p99.9", Align::Right),
            ("max", Align::Right),
            ("Debug-Time", Align::Right),
            ("expected", Align::Right),
        ]);
        for row in self.statuses.iter().chain([&self.all]) {
            table.add([
                row.status.clone(),
                row.count.to_string(),
                share(part(row.count, self.requests)),
                time(row.median_microseconds),
                time(row.mean_microseconds),
                time(row.p99_microseconds),
                time(row.p999_microseconds),
                time(row.max_microseconds),
                row.debug_time_microseconds
                    .map_or_else(|| "-".to_owned(), time),
                share(part(row.expected, row.count)),
            ]);
        }
        table
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Setting {
            scenario,
            server,
            pace,
            connections,
        } = &self.setting;
        writeln!(
            formatter,
            "{scenario} {server}: {pace}, {connections} connections, {:.1} s",
            self.seconds
        )?;
        writeln!(formatter, "\n{}", self.table())?;
        let bytes = megabytes(self.body_bytes);
        let rate = if self.seconds > 0.0 {
            bytes / self.seconds
        } else {
            0.0
        };
        write!(
            formatter,
            "{:.1} requests/s, {rate:.1} MB/s; {} of the answers as expected",
            self.requests_per_second,
            share(self.expected),
        )?;
        if self.setting.scenario != "upload" {
            let hits = self.cache.map_or_else(
                || "not reported".to_owned(),
                |cache| share(part(cache.hits, cache.lookups)),
            );
            write!(formatter, "; lookups answered from the cache: {hits}")?;
        }
        writeln!(formatter)?;
        if let Some(Generator {
            late_p99_microseconds,
            queued,
        }) = self.generator
        {
            write!(
                formatter,
                "The generator itself was late by {} (p99)",
                time(late_p99_microseconds)
            )?;
            writeln!(
                formatter,
                "; requests that waited for a free connection: {queued}"
            )?;
            if late_p99_microseconds > 1000 {
                writeln!(
                    formatter,
                    "Over a millisecond, the machine is too busy: these latencies are void."
                )?;
            }
        }
        for (sentence, count) in &self.failures {
            writeln!(formatter, "{count} times: {sentence}")?;
        }
        Ok(())
    }
}

impl Row {
    fn new(status: String, tally: &StatusTally) -> Self {
        let latencies = &tally.latencies;
        let at = |share| microseconds(latencies.quantile(share));
        let (reported, sum) = tally.debug_times;
        let mean = u32::try_from(reported)
            .ok()
            .and_then(|reported| sum.checked_div(reported));
        Self {
            status,
            count: latencies.count(),
            expected: tally.expected,
            median_microseconds: at(0.5),
            mean_microseconds: microseconds(latencies.mean()),
            p90_microseconds: at(0.9),
            p99_microseconds: at(0.99),
            p999_microseconds: at(0.999),
            max_microseconds: microseconds(latencies.longest()),
            debug_time_microseconds: mean.map(microseconds),
            percentiles: percentiles(latencies),
        }
    }
}

/// Steps of a curve for each nine: 90 %, 99 %, 99.9 %, …
const STEPS: u32 = 20;

/// Times at shares that come ever closer to 1, as far as there are answers to tell them apart.
fn percentiles(latencies: &Latencies) -> Vec<(f64, u64)> {
    if latencies.count() == 0 {
        return Vec::new();
    }
    let nines = latencies.count().ilog10().min(6);
    let shares =
        (0..=nines * STEPS).map(|step| 1.0 - 10_f64.powf(-f64::from(step) / f64::from(STEPS)));
    shares
        .map(|share| (share, microseconds(latencies.quantile(share))))
        .collect()
}

fn name(status: Status) -> String {
    status.map_or_else(|| "no answer".to_owned(), |status| status.to_string())
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// A part of a whole; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "no run has 2^53 answers")]
pub(crate) fn part(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

#[expect(clippy::cast_precision_loss, reason = "no run has 2^53 answers")]
fn per_second(count: u64, time: Duration) -> f64 {
    if time.is_zero() {
        0.0
    } else {
        count as f64 / time.as_secs_f64()
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the last digits of a rate do not matter"
)]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
