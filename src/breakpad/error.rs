//! Why an upload of one file was refused.

use symbols::KeyError;

use super::symbol_type::UnknownType;
use crate::catalog::SpoolError;
use crate::storage::StorageError;
use crate::upload::{ReceiveError, Refusal, StagedError, StoreError, UploadError};

/// One variant per rule that a client can break, and the errors of the upload itself. The sentences are for the client.
#[derive(Debug, thiserror::Error)]
pub enum BreakpadError {
    /// The request does not say what the file is.
    #[error("The request lacks the {0}. Send it as symupload does")]
    Lacks(&'static str),
    /// The names make no key.
    #[error("{debug_file}/{debug_id} {reason}")]
    Name {
        /// The debug file's name, as sent.
        debug_file: String,
        /// The debug id, as sent.
        debug_id: String,
        /// The rule that they break.
        reason: KeyError,
    },
    /// There is no type of this name.
    #[error(transparent)]
    Type(#[from] UnknownType),
    /// Files of this type would be stored and never found.
    #[error(
        "A file of this type is stored as {0}, which this server does not serve. Ask for its suffix to be added to the \
         setting download.serve, or upload symbols of type BREAKPAD"
    )]
    NotServed(String),
    /// The file belongs to another module than the client says.
    #[error(
        "The file's MODULE line is not that of {0}. Upload the file that dump_syms wrote for it"
    )]
    Module(String),
    /// No upload has this key, it belongs to another user, or the key has expired.
    #[error("There is no upload of this key. Begin again with uploads:create")]
    UnknownKey,
    /// The upload was completed before its file was put.
    #[error("The upload has no file yet. PUT the file to its URL first")]
    NothingPut,
    /// The user has too many uploads that were begun and not completed.
    #[error("{0} of your uploads are not completed yet. Complete them, or wait until they expire")]
    TooManyWaiting(u32),
    /// The upload was refused or failed for a reason that any upload has.
    #[error(transparent)]
    Upload(#[from] UploadError),
}

impl From<ReceiveError> for BreakpadError {
    fn from(error: ReceiveError) -> Self {
        Self::Upload(error.into())
    }
}

impl From<SpoolError> for BreakpadError {
    fn from(error: SpoolError) -> Self {
        let storage_error = match error {
            SpoolError::TooLarge(limit) => return ReceiveError::TooLarge(limit).into(),
            SpoolError::Temporary(error) => return ReceiveError::Temporary(error).into(),
            SpoolError::Panicked(error) => return Self::Upload(error.into()),
            SpoolError::Storage(error) => error,
            SpoolError::TimedOut(_) | SpoolError::Damaged(_) => StorageError::Unavailable {
                storage: "of staged files".to_owned(),
                reason: error.to_string(),
            },
        };
        Self::Upload(StoreError::Storage(storage_error).into())
    }
}

impl From<StagedError> for BreakpadError {
    fn from(error: StagedError) -> Self {
        match error {
            StagedError::UnknownKey => Self::UnknownKey,
            StagedError::NothingPut => Self::NothingPut,
            StagedError::TooMany(limit) => Self::TooManyWaiting(limit),
            StagedError::Randomness(error) => ReceiveError::Temporary(error.into()).into(),
            StagedError::Storage(error) => Self::Upload(StoreError::Storage(error).into()),
            StagedError::Database(error) => Self::Upload(StoreError::Database(error).into()),
        }
    }
}

impl Refusal for BreakpadError {
    fn is_ours(&self) -> bool {
        matches!(self, Self::Upload(error) if error.is_ours())
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Lacks(_) => "bad_form",
            Self::Name { .. } => "bad_name",
            Self::Type(_) => "bad_symbol_type",
            Self::NotServed(_) => "not_served",
            Self::Module(_) => "other_module",
            Self::UnknownKey => "upload_key_unknown",
            Self::NothingPut => "nothing_put",
            Self::TooManyWaiting(_) => "too_many_waiting",
            Self::Upload(error) => error.code(),
        }
    }
}
