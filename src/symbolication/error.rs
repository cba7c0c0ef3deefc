//! Why stacks get no answer.

use super::symcaches::SymcacheFailure;
use crate::cpu::JobPanicked;

/// Why stacks get no answer.
#[derive(Debug, thiserror::Error)]
pub enum SymbolicationError {
    /// The symbols of a module could not be had, so nothing is known of them.
    #[error(transparent)]
    Unavailable(#[from] SymcacheFailure),
    /// The symbols were not ready within `symbolication.deadline`. They are prepared all the same.
    #[error("the symbols were not ready in time")]
    Late,
    /// The answer would be too large.
    #[error("The answer would be too large. Send fewer stacks in each request")]
    TooLarge,
    /// Requests in progress take all the room that there is for them.
    #[error("too many stacks are being symbolicated")]
    Busy,
    /// A look-up failed unexpectedly.
    #[error(transparent)]
    Failed(#[from] JobPanicked),
}

impl SymbolicationError {
    /// The error's stable name.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "symbols_unavailable",
            Self::Late => "symbols_late",
            Self::TooLarge => "too_large",
            Self::Busy => "busy",
            Self::Failed(_) => "symbolication_failed",
        }
    }
}
