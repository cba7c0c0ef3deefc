//! The errors of databases, the same for every engine.

/// A failure of the database. Absence is not one: it is `Ok(None)`.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The database did not answer, or not in time; the same call may succeed later.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The database answered with something that this program never wrote.
    #[error("the database holds a row that cannot be read: {0}")]
    Corrupt(String),
    /// The change does not fit what the database holds, such as completing an upload twice. Repeating it is of no use.
    #[error("the change does not fit the records: {0}")]
    Conflict(String),
    /// The schema is newer than this program, or its history differs.
    #[error("{0}")]
    Schema(String),
}
