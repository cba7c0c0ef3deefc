//! The tables whose values are checked when they are read.
//!
//! A value that no version of this program can have written makes its row unreadable. The error names the table, the
//! row and the column, so that an operator finds it.

use std::fmt::Display;

use super::DbError;

/// A table, and the columns that tell its rows apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    /// Its name.
    pub(super) name: &'static str,
    /// Its primary key. Every query that reads rows of the table selects these columns.
    pub(super) key: &'static [&'static str],
}

/// The uploads.
pub(super) const UPLOADS: Table = Table {
    name: "uploads",
    key: &["id"],
};

/// The files of uploads.
pub(super) const UPLOAD_FILES: Table = Table {
    name: "upload_files",
    key: &["id"],
};

/// The files with a build id.
pub(super) const BUILD_IDS: Table = Table {
    name: "build_ids",
    key: &["build_id", "key"],
};

/// The waiting files.
pub(super) const WAITING_FILES: Table = Table {
    name: "waiting_files",
    key: &["key_hash"],
};

impl Table {
    /// The error of a value that cannot be read, in the row with these values of the primary key.
    pub(super) fn corrupt(self, row: &[String], column: &str, reason: impl Display) -> DbError {
        let (table, row) = (self.name, row.join(", "));
        DbError::Corrupt(format!(
            "table {table}, row {row}, column {column}: {reason}"
        ))
    }
}
