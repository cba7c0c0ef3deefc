//! Symbols that were asked for and not found.

use std::fmt::Debug;

use std::time::Duration;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::DbError;
pub use crate::counting::BatchId;
use symbols::is_windows_name;

/// A symbol that was asked for: the row's identity. Two requests that differ in any part are two rows, unless the debug
/// file is that of a Windows module and they differ in letter case alone. An empty code file or code id is the same as
/// none, and is read back as none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MissingSymbol {
    /// The debug file's name.
    pub debug_file: String,
    /// The debug id, upper case.
    pub debug_id: String,
    /// The file's name.
    pub file_name: String,
    /// The code file's name that the client added, if any.
    pub code_file: Option<String>,
    /// The code id that the client added, if any.
    pub code_id: Option<String>,
}

impl MissingSymbol {
    /// The symbol with all its letters of ASCII in lower case, if it is of a Windows module and they are not so yet;
    /// all spellings of a symbol have the same. The debug id stays as it is, since its letters are always upper case.
    #[must_use]
    pub fn folded(&self) -> Option<Self> {
        let texts = [
            Some(&self.debug_file),
            Some(&self.file_name),
            self.code_file.as_ref(),
            self.code_id.as_ref(),
        ];
        let has_upper = |text: &String| text.bytes().any(|byte| byte.is_ascii_uppercase());
        if !is_windows_name(&self.debug_file) || !texts.into_iter().flatten().any(has_upper) {
            return None;
        }
        let fold = |text: &String| text.to_ascii_lowercase();
        Some(Self {
            debug_file: fold(&self.debug_file),
            debug_id: self.debug_id.clone(),
            file_name: fold(&self.file_name),
            code_file: self.code_file.as_ref().map(fold),
            code_id: self.code_id.as_ref().map(fold),
        })
    }
}

/// How often one symbol was asked for since the last time it was written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingCount {
    /// The symbol that was asked for.
    pub symbol: MissingSymbol,
    /// How often.
    pub count: u64,
    /// When last.
    pub last_asked: OffsetDateTime,
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingRecord {
    /// The row's number.
    pub id: i64,
    /// The symbol that was asked for.
    pub symbol: MissingSymbol,
    /// How often, in all.
    pub count: u64,
    /// When first.
    pub created_at: OffsetDateTime,
    /// When last.
    pub modified_at: OffsetDateTime,
    /// When an upload brought the file, if that was after the symbol was last asked for, or so shortly before that the
    /// question was answered by a node that had not heard of it, see [`ARRIVAL_NEWS`]. Only uploads of regular symbols
    /// count.
    pub resolved_at: Option<OffsetDateTime>,
}

/// How long after an upload a node may still have answered that its files are missing: all nodes know within a second,
/// and their clocks differ a little.
pub const ARRIVAL_NEWS: Duration = Duration::from_secs(2);

/// The columns by which pages are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingOrder {
    /// By the time last asked for.
    #[default]
    ModifiedAt,
    /// By the time first asked for.
    CreatedAt,
    /// By how often.
    Count,
}

/// From where to where a value may lie; both ends may be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds<T> {
    /// This much or more.
    pub from: Option<T>,
    /// Less than this.
    pub before: Option<T>,
}

impl<T> Default for Bounds<T> {
    fn default() -> Self {
        Self {
            from: None,
            before: None,
        }
    }
}

/// Which rows of the table are wanted. Texts match anywhere in the column, ASCII letter case ignored; wildcards of
/// SQL are plain characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MissingFilter {
    /// Part of the debug file's name.
    pub debug_file: Option<String>,
    /// Part of the debug id.
    pub debug_id: Option<String>,
    /// Part of the file's name.
    pub file_name: Option<String>,
    /// When last asked for.
    pub modified: Bounds<OffsetDateTime>,
    /// When first asked for.
    pub created: Bounds<OffsetDateTime>,
    /// How often asked for.
    pub count: Bounds<u64>,
    /// Whether the file has arrived since; `None` selects both kinds of rows.
    pub is_resolved: Option<bool>,
}

/// How often and when the symbol of a row was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingDemand {
    /// The row's number.
    pub id: i64,
    /// How often, in all.
    pub count: u64,
    /// When first.
    pub created_at: OffsetDateTime,
    /// When last.
    pub modified_at: OffsetDateTime,
}

impl MissingDemand {
    /// The row's place among all rows.
    #[must_use]
    pub fn place(&self) -> MissingPlace {
        MissingPlace {
            modified_at: self.modified_at,
            id: self.id,
        }
    }
}

/// A place among the rows, ordered by when they were last asked for and then by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MissingPlace {
    /// When last asked for.
    pub modified_at: OffsetDateTime,
    /// The row's number.
    pub id: i64,
}

impl MissingPlace {
    /// The place before all rows.
    pub const START: Self = Self {
        modified_at: OffsetDateTime::UNIX_EPOCH,
        id: 0,
    };
}

/// A page of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingPage {
    /// How many rows pass the filter in all.
    pub total: u64,
    /// The rows of this page.
    pub records: Vec<MissingRecord>,
}

/// Which page is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// The column that orders the rows; rows of equal value are ordered by number in the same direction.
    pub order: MissingOrder,
    /// Whether the largest come first.
    pub descending: bool,
    /// How many rows are passed over.
    pub offset: u64,
    /// How many rows are wanted at most.
    pub limit: u32,
}

impl PageRequest {
    /// The terms of `ORDER BY`, which are the same in every engine.
    pub(super) fn order_terms(self) -> String {
        let column = match self.order {
            MissingOrder::ModifiedAt => "modified_at",
            MissingOrder::CreatedAt => "created_at",
            MissingOrder::Count => "count",
        };
        let direction = if self.descending { "DESC" } else { "ASC" };
        format!("{column} {direction}, id {direction}")
    }
}

/// The missing-symbols table.
#[async_trait]
pub trait MissingRecords: Debug + Send + Sync {
    /// Adds every count to its row, making rows that do not exist, by atomic UPSERTs in one transaction: all counts are
    /// added or none. The counts name each symbol at most once, whatever its spelling; a row keeps its first spelling.
    ///
    /// A batch of this number or a higher one of the same writer is left as it is: it has been added before.
    async fn add_missing(&self, batch: BatchId, counts: &[MissingCount]) -> Result<(), DbError>;

    /// A page of the rows that pass the filter.
    async fn missing_page(
        &self,
        filter: &MissingFilter,
        page: PageRequest,
    ) -> Result<MissingPage, DbError>;

    /// At most `limit` rows last asked for at `since` or later, with a number above `after`, by number: how all of
    /// them are read, some at a time.
    async fn missing_since(
        &self,
        since: OffsetDateTime,
        after: i64,
        limit: u32,
    ) -> Result<Vec<MissingRecord>, DbError>;

    /// Deletes rows last asked for before the given time and returns how many there were. Writers whose last batch is
    /// as old are forgotten, too.
    async fn expire_missing(&self, before: OffsetDateTime) -> Result<u64, DbError>;

    /// How many rows there are.
    async fn missing_total(&self) -> Result<u64, DbError>;

    /// At most `limit` rows behind a place, the one last asked for longest ago first.
    async fn missing_by_age(
        &self,
        after: MissingPlace,
        limit: u32,
    ) -> Result<Vec<MissingDemand>, DbError>;

    /// Deletes these rows, but none that was asked for since it was read. Returns how many were deleted. Other writers
    /// wait meanwhile, so callers name a few hundred at a time.
    async fn remove_missing(&self, rows: &[MissingDemand]) -> Result<u64, DbError>;
}
