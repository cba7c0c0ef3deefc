//! Answers with their origin, for explanations.

use std::time::Duration;

use crate::cache::Remembered;
use crate::db::DbError;
use crate::storage::StorageError;

/// Where an answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This process remembered it, for this long.
    Memory(Duration),
    /// Another node remembered it.
    SharedCache,
    /// It was not remembered, so the storage or the database was asked.
    Asked,
}

/// An answer and its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sourced<T> {
    /// What was found, if anything. The error carries no reason, since explanations are shown to clients.
    pub answer: Result<Option<T>, NoAnswer>,
    /// Where the answer comes from.
    pub origin: Origin,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// The storage or the database could not be asked.
    Unknown,
    /// The storage holds the object, and it is damaged.
    Damaged,
}

impl From<StorageError> for NoAnswer {
    fn from(error: StorageError) -> Self {
        if error.is_damage() {
            Self::Damaged
        } else {
            Self::Unknown
        }
    }
}

impl From<DbError> for NoAnswer {
    fn from(_: DbError) -> Self {
        Self::Unknown
    }
}

impl<T> Sourced<T> {
    /// The remembered answer if there is one, else the result of `ask`.
    pub(super) async fn of<E: Into<NoAnswer>>(
        remembered: Option<Remembered<T>>,
        ask: impl Future<Output = Result<Option<T>, E>>,
    ) -> Self {
        match remembered {
            Some(Remembered { answer, age }) => Self {
                answer: Ok(answer),
                origin: age.map_or(Origin::SharedCache, Origin::Memory),
            },
            None => Self {
                answer: ask.await.map_err(Into::into),
                origin: Origin::Asked,
            },
        }
    }
}
