//! Values on their way to the server and back.

use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, ToSql};

use super::failure;
use crate::db::DbError;

/// A value of a statement, owned, so that a call can run as a task of its own.
pub(super) type Parameter = Box<dyn ToSql + Send + Sync>;

/// A list of values of different types.
macro_rules! parameters {
    ($($value:expr),* $(,)?) => {
        vec![$(Box::new($value) as $crate::db::postgres::values::Parameter),*]
    };
}
pub(super) use parameters;

/// A value as the driver takes it.
pub(super) fn as_sql(parameter: &Parameter) -> &(dyn ToSql + Sync) {
    parameter.as_ref()
}

/// One value of each row, as an array that the server makes rows of again.
pub(super) fn array<Row, T>(rows: &[Row], value: impl Fn(&Row) -> T) -> Parameter
where
    Vec<T>: ToSql + Send + Sync + 'static,
{
    Box::new(rows.iter().map(value).collect::<Vec<T>>())
}

/// One number of each row, as such an array.
pub(super) fn numbers<Row>(
    rows: &[Row],
    value: impl Fn(&Row) -> u64,
) -> Result<Parameter, DbError> {
    let numbers: Result<Vec<i64>, DbError> = rows.iter().map(|row| number(value(row))).collect();
    Ok(Box::new(numbers?))
}

/// A number as a column keeps it.
pub(super) fn number(value: u64) -> Result<i64, DbError> {
    i64::try_from(value).map_err(|_| DbError::Conflict(format!("{value} is too large to be kept")))
}

/// A value of a row. One that this program cannot have written is corrupt.
pub(super) fn column<'row, T: FromSql<'row>>(row: &'row Row, name: &str) -> Result<T, DbError> {
    row.try_get(name)
        .map_err(|error| DbError::Corrupt(failure::describe(&error)))
}

/// A number of a row that is not negative.
pub(super) fn natural(row: &Row, name: &str) -> Result<u64, DbError> {
    let number: i64 = column(row, name)?;
    u64::try_from(number).map_err(|_| DbError::Corrupt(format!("{name} is {number}")))
}

/// The number that an inserted row was given.
pub(super) fn inserted_id(rows: &[Row]) -> Result<i64, DbError> {
    let row = rows
        .first()
        .ok_or_else(|| DbError::Corrupt("an inserted row has no number".to_owned()))?;
    column(row, "id")
}
