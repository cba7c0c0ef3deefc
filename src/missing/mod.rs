//! Counts the symbols that were asked for and not found.
//!
//! A request adds to a count in memory (see [`crate::counting`]), and a worker writes the counts within a second. The
//! number of different symbols in memory is limited. While the database cannot be reached, new symbols beyond the limit
//! are dropped, and the drops counted. The rows in the database are limited, too, see `pruner`. [`report`] reads the
//! written counts.

mod cab_pairs;
mod guard;
mod pruner;
pub mod report;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::cache::CacheKey;
use crate::clock::SharedClock;
use crate::counting::{Buffer, Count, Full};
use crate::db::missing::MissingSymbol;
use crate::metrics::Metrics;
use crate::section::{Section, Violation, violations};
use symbols::{SymbolKey, packed_name, plain_name};

use cab_pairs::CabPairs;
use guard::Guard;
pub use report::MissingReport;
pub use worker::MissingWorker;

/// The longest text in a column, in characters.
const LONGEST_PART: usize = 150;

/// How many requests a guard remembers.
const GUARD_CAPACITY: u64 = 200_000;

/// How missing symbols are counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MissingConfig {
    /// The same request counts only once within this time; zero counts every one.
    #[serde(with = "humantime_serde")]
    pub repeat_window: Duration,
    /// How often counts are written to the database.
    #[serde(with = "humantime_serde")]
    pub flush_every: Duration,
    /// How many different symbols may wait to be written.
    pub pending_limit: usize,
    /// Symbols that were not asked for within this time are deleted.
    #[serde(with = "humantime_serde")]
    pub keep: Duration,
    /// How many rows are kept. Beyond that, the least asked for and oldest are deleted; every node may add a twentieth
    /// until it looks.
    pub max_rows: u64,
}

impl Default for MissingConfig {
    fn default() -> Self {
        Self {
            repeat_window: Duration::ZERO,
            flush_every: Duration::from_millis(500),
            pending_limit: 100_000,
            keep: Duration::from_hours(30 * 24),
            max_rows: 1_000_000,
        }
    }
}

impl Section for MissingConfig {
    fn violations(&self) -> Vec<Violation> {
        violations(
            "missing",
            &[
                (
                    "flush_every",
                    !self.flush_every.is_zero(),
                    "must be longer than zero",
                ),
                ("max_rows", self.max_rows > 0, "must be more than zero"),
            ],
        )
    }
}

/// A client's information about the module whose symbols it asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodeInfo {
    /// The code file's name.
    pub code_file: Option<String>,
    /// The code id.
    pub code_id: Option<String>,
}

/// How often one symbol was asked for since it was last written.
#[derive(Clone, Debug)]
struct Asked {
    times: u64,
    last: OffsetDateTime,
    /// The first spelling, if the names of the symbol are folded and this one differs.
    spelling: Option<Box<MissingSymbol>>,
}

impl Count for Asked {
    fn merge(&mut self, other: Self) {
        self.times += other.times;
        self.last = self.last.max(other.last);
    }

    fn events(&self) -> u64 {
        self.times
    }
}

/// Notes missing symbols. Clones share the counts.
#[derive(Clone, Debug)]
pub struct MissingLog {
    counts: Arc<Buffer<MissingSymbol, Asked>>,
    guard: Option<Arc<Guard>>,
    pairs: Arc<CabPairs>,
    clock: SharedClock,
    metrics: Metrics,
}

impl MissingLog {
    /// Makes an empty log.
    #[must_use]
    pub fn new(config: &MissingConfig, clock: SharedClock, metrics: Metrics) -> Self {
        let guard = (!config.repeat_window.is_zero()).then(|| {
            Arc::new(Guard::new(
                config.repeat_window,
                GUARD_CAPACITY,
                Arc::clone(&clock),
            ))
        });
        Self {
            counts: Arc::new(Buffer::new(config.pending_limit)),
            guard,
            pairs: Arc::new(CabPairs::new(Arc::clone(&clock))),
            clock,
            metrics,
        }
    }

    /// Counts one request for a missing symbol. Never waits.
    ///
    /// A Windows file and its cabinet are one symbol, counted under the cabinet's name, which is what builds upload.
    /// Requests for both names within a few seconds count once.
    ///
    /// Requests for a file of Windows that differ only in letter case are for one symbol, which keeps the spelling of
    /// the first.
    ///
    /// Symbols with a name or id of more than 150 characters are not counted, as in Tecken, since no real module has
    /// one.
    pub fn note(&self, key: &SymbolKey, code: &CodeInfo) {
        let packed_name = packed_name(key.file_name());
        let is_packed = plain_name(key.file_name()).is_some();
        let has_two_names = packed_name.is_some() || is_packed;
        let symbol = MissingSymbol {
            debug_file: key.debug_file().to_owned(),
            debug_id: key.id().as_str().to_owned(),
            file_name: packed_name.unwrap_or_else(|| key.file_name().to_owned()),
            code_file: code.code_file.clone(),
            code_id: code.code_id.clone(),
        };
        if !is_storable(&symbol) {
            return;
        }
        let (symbol, spelling) = fold(symbol);
        if self.is_repeated(&symbol) {
            return;
        }
        if has_two_names && self.pairs.completes(&symbol, is_packed) {
            return;
        }
        let asked = Asked {
            times: 1,
            last: self.clock.now(),
            spelling,
        };
        match self.counts.add(symbol, asked) {
            Ok(()) => self.metrics.missing_noted.inc(),
            Err(Full) => self.metrics.missing_dropped.inc(),
        };
    }

    fn is_repeated(&self, symbol: &MissingSymbol) -> bool {
        let Some(guard) = &self.guard else {
            return false;
        };
        let code_file = symbol.code_file.as_deref().unwrap_or_default();
        let code_id = symbol.code_id.as_deref().unwrap_or_default();
        let arguments = [
            &symbol.debug_file,
            &symbol.debug_id,
            &symbol.file_name,
            code_file,
            code_id,
        ];
        !guard.is_first(CacheKey::new("missing", &arguments))
    }
}

/// Folds the names of a symbol, and returns what it was before if that is another spelling.
fn fold(symbol: MissingSymbol) -> (MissingSymbol, Option<Box<MissingSymbol>>) {
    match symbol.folded() {
        Some(folded) => (folded, Some(Box::new(symbol))),
        None => (symbol, None),
    }
}

fn is_storable(symbol: &MissingSymbol) -> bool {
    let parts = [
        Some(&symbol.debug_file),
        Some(&symbol.debug_id),
        Some(&symbol.file_name),
        symbol.code_file.as_ref(),
        symbol.code_id.as_ref(),
    ];
    parts
        .into_iter()
        .flatten()
        .all(|part| part.len() <= LONGEST_PART || part.chars().nth(LONGEST_PART).is_none())
}
