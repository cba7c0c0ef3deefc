//! Classifies the errors of PostgreSQL.

use std::error::Error as _;
use std::time::Duration;

use deadpool_postgres::{PoolError, TimeoutType};
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::db::DbError;

/// Returns whether the server rolled a statement back in favour of another one, so that it can simply be sent again.
pub(super) fn gave_way(error: &Error) -> bool {
    matches!(
        error.code(),
        Some(&SqlState::T_R_DEADLOCK_DETECTED | &SqlState::T_R_SERIALIZATION_FAILURE)
    )
}

/// Returns whether the connection is lost, with or without a final message of the server, or no longer usable. Whether
/// the statement was carried out is then unknown.
pub(super) fn lost_connection(error: &Error) -> bool {
    match error.code().map(SqlState::code) {
        // Shutdowns and terminations; a broken connection; a standby that has become a primary, or the other way round.
        Some(code) => ["57P", "08", "25006"]
            .iter()
            .any(|start| code.starts_with(start)),
        None => true,
    }
}

/// Describes an error, with the server's message where there is one.
pub(super) fn describe(error: &Error) -> String {
    if let Some(said) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", said.message(), said.code().code());
    }
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

impl From<Error> for DbError {
    /// Rejected values become `Conflict`, damaged pages `Corrupt`; everything else is treated as transient.
    fn from(error: Error) -> Self {
        let text = describe(&error);
        let code = error.code().map_or("", SqlState::code);
        match code.get(..2) {
            // Data exceptions, the same row twice in one statement, constraints, limits of rows and indexes.
            Some("21" | "22" | "23" | "54") => Self::Conflict(text),
            _ if matches!(code, "XX001" | "XX002") => Self::Corrupt(text),
            _ => Self::Unavailable(text),
        }
    }
}

impl From<PoolError> for DbError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => cannot_connect(&error),
            PoolError::Timeout(TimeoutType::Wait) => {
                Self::Unavailable("every connection is busy".to_owned())
            }
            PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle) => {
                Self::Unavailable("no connection in time".to_owned())
            }
            other => Self::Unavailable(other.to_string()),
        }
    }
}

pub(super) fn cannot_connect(error: &Error) -> DbError {
    let mut text = format!("cannot connect: {}", describe(error));
    if text.contains("invalid peer certificate") {
        text.push_str(
            "; the parameter sslrootcert=FILE of database.url names the authority that signed the certificate",
        );
    }
    DbError::Unavailable(text)
}

pub(super) fn no_connection(time_limit: Duration) -> DbError {
    let seconds = time_limit.as_secs_f64();
    DbError::Unavailable(format!("no connection within {seconds} seconds"))
}

pub(super) fn no_answer(time_limit: Duration) -> DbError {
    let seconds = time_limit.as_secs_f64();
    DbError::Unavailable(format!("no answer within {seconds} seconds"))
}
