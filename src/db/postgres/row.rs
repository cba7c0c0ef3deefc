//! Rows whose values are checked when they are read.

use std::fmt::Display;
use std::str::FromStr;

use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use super::failure;
use crate::db::DbError;
use crate::db::table::Table;

/// A row of a table. A value that cannot be read is [`DbError::Corrupt`], with its table, row and column.
#[derive(Clone, Copy)]
pub(super) struct TableRow<'row> {
    table: Table,
    row: &'row Row,
}

impl<'row> TableRow<'row> {
    /// Names the table that a row is of.
    pub(super) fn new(table: Table, row: &'row Row) -> Self {
        Self { table, row }
    }

    /// A value as the engine keeps it.
    pub(super) fn get<T: FromSql<'row>>(self, column: &str) -> Result<T, DbError> {
        self.row
            .try_get(column)
            .map_err(|error| self.corrupt(column, failure::describe(&error)))
    }

    /// A number that is not negative.
    pub(super) fn natural(self, column: &str) -> Result<u64, DbError> {
        self.unsigned(column, self.get(column)?)
    }

    /// A number that is not negative, or NULL.
    pub(super) fn natural_optional(self, column: &str) -> Result<Option<u64>, DbError> {
        let number: Option<i64> = self.get(column)?;
        number
            .map(|number| self.unsigned(column, number))
            .transpose()
    }

    /// A value that is kept as text.
    pub(super) fn parse<T>(self, column: &str) -> Result<T, DbError>
    where
        T: FromStr<Err: Display>,
    {
        self.parsed(column, self.get(column)?)
    }

    /// A value that is kept as text, or NULL.
    pub(super) fn parse_optional<T>(self, column: &str) -> Result<Option<T>, DbError>
    where
        T: FromStr<Err: Display>,
    {
        let text: Option<&str> = self.get(column)?;
        text.map(|text| self.parsed(column, text)).transpose()
    }

    fn parsed<T>(self, column: &str, text: &str) -> Result<T, DbError>
    where
        T: FromStr<Err: Display>,
    {
        text.parse().map_err(|error| self.corrupt(column, error))
    }

    fn unsigned(self, column: &str, number: i64) -> Result<u64, DbError> {
        u64::try_from(number).map_err(|_| self.corrupt(column, format!("is {number}")))
    }

    fn corrupt(self, column: &str, reason: impl Display) -> DbError {
        let value = |column: &&str| {
            let number = self
                .row
                .try_get(*column)
                .map(|number: i64| number.to_string());
            let text = || {
                self.row
                    .try_get(*column)
                    .map(|text: &str| format!("{text:?}"))
            };
            number
                .or_else(|_| text())
                .unwrap_or_else(|_| "unknown".to_owned())
        };
        let row: Vec<String> = self.table.key.iter().map(value).collect();
        self.table.corrupt(&row, column, reason)
    }
}
