//! How values are kept in columns, and what the errors of SQLite mean.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Error, ErrorCode};
use time::OffsetDateTime;

use crate::db::DbError;

const NANOSECONDS_IN_A_MICROSECOND: i128 = 1_000;

/// A time, kept as microseconds since the Unix epoch. What is finer is cut off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time(pub(super) OffsetDateTime);

impl ToSql for Time {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let microseconds = self
            .0
            .unix_timestamp_nanos()
            .div_euclid(NANOSECONDS_IN_A_MICROSECOND);
        let microseconds = i64::try_from(microseconds)
            .map_err(|error| Error::ToSqlConversionFailure(Box::new(error)))?;
        Ok(microseconds.into())
    }
}

impl FromSql for Time {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let nanoseconds = i128::from(value.as_i64()?) * NANOSECONDS_IN_A_MICROSECOND;
        OffsetDateTime::from_unix_timestamp_nanos(nanoseconds)
            .map(Self)
            .map_err(FromSqlError::other)
    }
}

/// A list of texts, kept as a JSON array.
#[derive(Clone, Debug)]
pub(super) struct Texts<T>(pub(super) T);

impl ToSql for Texts<&[String]> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let json = serde_json::to_string(self.0)
            .map_err(|error| Error::ToSqlConversionFailure(Box::new(error)))?;
        Ok(json.into())
    }
}

impl FromSql for Texts<Vec<String>> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?)
            .map(Self)
            .map_err(FromSqlError::other)
    }
}

impl From<Error> for DbError {
    /// A locked or full database and a failing disk are away; SQLite's own words are kept.
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::InvalidColumnType(..)
            | Error::Utf8Error(..) => Self::Corrupt(text),
            Error::ToSqlConversionFailure(..) => Self::Conflict(text),
            _ => match error.sqlite_error_code() {
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt(text),
                Some(ErrorCode::ConstraintViolation) => Self::Conflict(text),
                _ => Self::Unavailable(text),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusqlite::Connection;
    use time::macros::datetime;

    use super::*;

    fn microseconds(time: OffsetDateTime) -> i64 {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .query_row("SELECT ?1", [Time(time)], |row| row.get(0))
            .unwrap()
    }

    #[test]
    fn times_are_microseconds_rounded_down() {
        assert_eq!(microseconds(datetime!(1970-01-01 00:00 UTC)), 0);
        assert_eq!(
            microseconds(datetime!(1970-01-01 01:00:00.000_001_999 +1)),
            1
        );
        assert_eq!(
            microseconds(datetime!(1969-12-31 23:59:59.999_999_001 UTC)),
            -1
        );
    }

    #[test]
    fn a_time_beyond_the_calendar_is_refused() {
        let connection = Connection::open_in_memory().unwrap();
        let read = connection.query_row("SELECT ?1", [i64::MAX], |row| row.get::<_, Time>(0));
        assert!(matches!(
            read.map_err(DbError::from),
            Err(DbError::Corrupt(_))
        ));
    }

    proptest! {
        #[test]
        fn any_microsecond_survives(microseconds in -377_705_116_800_000_000..=253_402_300_799_999_999_i64) {
            let time = Time::column_result(ValueRef::Integer(microseconds)).unwrap();
            let ToSqlOutput::Owned(stored) = time.to_sql().unwrap() else { panic!("not owned") };
            prop_assert_eq!(stored, rusqlite::types::Value::Integer(microseconds));
        }

        #[test]
        fn any_list_of_texts_survives(texts: Vec<String>) {
            let list = Texts(texts.as_slice());
            let ToSqlOutput::Owned(rusqlite::types::Value::Text(json)) = list.to_sql().unwrap() else {
                panic!("not a text")
            };
            let Texts(read) = Texts::<Vec<String>>::column_result(ValueRef::Text(json.as_bytes())).unwrap();
            prop_assert_eq!(read, texts);
        }
    }
}
