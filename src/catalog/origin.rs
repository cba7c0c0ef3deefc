//! Answers that tell where they come from, for those who ask why.

use std::time::Duration;

use crate::cache::Remembered;

/// Where an answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was remembered by this process, which learnt it that long ago.
    Memory(Duration),
    /// Another node remembered it.
    SharedCache,
    /// Nobody remembered it, so it was asked for just now.
    Asked,
}

/// An answer and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sourced<T> {
    /// What was found, if anything. The error says only that nobody could be asked: its reasons are the operator's.
    pub answer: Result<Option<T>, Unknown>,
    /// Where that is from.
    pub origin: Origin,
}

/// Nobody could be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown;

impl<T> Sourced<T> {
    /// What is remembered, or else what is found by asking.
    pub(super) async fn of<E>(
        remembered: Option<Remembered<T>>,
        ask: impl Future<Output = Result<Option<T>, E>>,
    ) -> Self {
        match remembered {
            Some(Remembered { answer, age }) => Self {
                answer: Ok(answer),
                origin: age.map_or(Origin::SharedCache, Origin::Memory),
            },
            None => Self {
                answer: ask.await.map_err(|_| Unknown),
                origin: Origin::Asked,
            },
        }
    }
}
