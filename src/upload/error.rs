//! Why an upload was refused, or could not be finished.

use std::fmt::Display;

use super::receive::ReceiveError;
use super::store::StoreError;
use super::verify::{ArchiveError, VerifyError};
use crate::background::TaskPanicked;
use crate::cpu::JobPanicked;
use crate::db::DbError;

/// The error of an upload that was not stored, as metrics and the log need it.
pub trait Refusal: Display {
    /// Returns whether the fault is this server's or a dependency's, so that the same upload may succeed later.
    fn is_ours(&self) -> bool;

    /// A short name of the refusal that does not change, for programs and for metrics.
    fn code(&self) -> &'static str;
}

/// The errors of the modules that an upload passes. The sentences are for the client.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// It was refused before it had fully arrived.
    #[error(transparent)]
    Receive(#[from] ReceiveError),
    /// The archive breaks a rule.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Another upload of one of the files is in progress.
    #[error("Another upload of one of these files is under way. Try again when it has ended")]
    Contended,
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A job on the CPU pool panicked, which is a bug.
    #[error(transparent)]
    Panicked(#[from] JobPanicked),
    /// A background task panicked, which is a bug.
    #[error(transparent)]
    Task(#[from] TaskPanicked),
}

impl UploadError {
    /// Returns whether trying again later may succeed because a limit of this server was reached.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(
            self,
            Self::Receive(ReceiveError::Busy | ReceiveError::TokenBusy(_))
                | Self::Store(StoreError::Busy)
                | Self::Contended
        )
    }
}

impl Refusal for UploadError {
    fn is_ours(&self) -> bool {
        match self {
            Self::Receive(error) => error.is_ours(),
            Self::Archive(error) => error.is_unreadable(),
            Self::Contended => false,
            Self::Store(error) => error.is_ours(),
            Self::Panicked(_) | Self::Task(_) => true,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Receive(error) => error.code(),
            Self::Archive(error) => error.code(),
            Self::Contended => "contended",
            Self::Store(error) => error.code(),
            Self::Panicked(_) | Self::Task(_) => "internal",
        }
    }
}

impl From<VerifyError> for UploadError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Archive(error) => error.into(),
            VerifyError::Panicked(error) => error.into(),
        }
    }
}

impl From<DbError> for UploadError {
    fn from(error: DbError) -> Self {
        StoreError::Database(error).into()
    }
}
