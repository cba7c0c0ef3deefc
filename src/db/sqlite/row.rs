//! Rows whose values are checked when they are read.

use std::fmt::Display;
use std::str::FromStr;

use rusqlite::Row;
use rusqlite::types::{FromSql, ValueRef};

use crate::db::DbError;
use crate::db::table::Table;

/// A row of a table. A value that cannot be read is [`DbError::Corrupt`], with its table, row and column.
#[derive(Clone, Copy)]
pub(super) struct TableRow<'row> {
    table: Table,
    row: &'row Row<'row>,
}

impl<'row> TableRow<'row> {
    /// Names the table that a row is of.
    pub(super) fn new(table: Table, row: &'row Row<'row>) -> Self {
        Self { table, row }
    }

    /// A value as the engine keeps it.
    pub(super) fn get<T: FromSql>(self, column: &str) -> Result<T, DbError> {
        self.row
            .get(column)
            .map_err(|error| match DbError::from(error) {
                DbError::Corrupt(reason) => self.corrupt(column, reason),
                other => other,
            })
    }

    /// A value that is kept as text.
    pub(super) fn parse<T>(self, column: &str) -> Result<T, DbError>
    where
        T: FromStr<Err: Display>,
    {
        self.parsed(column, &self.get::<String>(column)?)
    }

    /// A value that is kept as text, or NULL.
    pub(super) fn parse_optional<T>(self, column: &str) -> Result<Option<T>, DbError>
    where
        T: FromStr<Err: Display>,
    {
        let text: Option<String> = self.get(column)?;
        text.map(|text| self.parsed(column, &text)).transpose()
    }

    fn parsed<T>(self, column: &str, text: &str) -> Result<T, DbError>
    where
        T: FromStr<Err: Display>,
    {
        text.parse().map_err(|error| self.corrupt(column, error))
    }

    fn corrupt(self, column: &str, reason: impl Display) -> DbError {
        let value = |column: &&str| match self.row.get_ref(*column) {
            Ok(ValueRef::Integer(number)) => number.to_string(),
            Ok(ValueRef::Text(text)) => format!("{:?}", String::from_utf8_lossy(text)),
            _ => "unknown".to_owned(),
        };
        let row: Vec<String> = self.table.key.iter().map(value).collect();
        self.table.corrupt(&row, column, reason)
    }
}
