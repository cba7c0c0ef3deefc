//! What the errors of services become.

use std::sync::Arc;

use actix_web::http::StatusCode;

use super::api_error::ApiError;
use crate::auth::AuthError;
use crate::breakpad::BreakpadError;
use crate::catalog::{BuildsError, CatalogError, ModulesError};
use crate::db::DbError;
use crate::debuginfod::DebuginfodError;
use crate::download::{DownloadError, UnpackError};
use crate::storage::StorageError;
use crate::symbolication::SymbolicationError;
use crate::upload::{FetchError, ReceiveError, RecordError, Refusal, StoreError, UploadError};

/// After how many seconds a client whose symbols were not ready in time should ask again.
const SYMBOLS_RETRY: u8 = 5;

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        let code = match &error {
            AuthError::Missing => "token_missing",
            AuthError::Unknown => "token_unknown",
            AuthError::Expired => "token_expired",
            AuthError::Revoked => "token_revoked",
            AuthError::NotPermitted(_) => "not_permitted",
            AuthError::Database(_) => {
                let sentence = "The token cannot be checked right now. Try again later";
                return Self::unavailable("database_unavailable", sentence, error);
            }
        };
        Self::new(StatusCode::FORBIDDEN, code, error.to_string())
    }
}

impl From<&BreakpadError> for ApiError {
    fn from(error: &BreakpadError) -> Self {
        let status = match error {
            BreakpadError::Upload(error) => return error.into(),
            BreakpadError::UnknownKey => StatusCode::NOT_FOUND,
            BreakpadError::TooManyWaiting(_) => StatusCode::TOO_MANY_REQUESTS,
            BreakpadError::Lacks(_)
            | BreakpadError::Name { .. }
            | BreakpadError::Type(_)
            | BreakpadError::NotServed(_)
            | BreakpadError::Module(_)
            | BreakpadError::NothingPut => StatusCode::BAD_REQUEST,
        };
        Self::new(status, error.code(), error.to_string())
    }
}

impl From<&UploadError> for ApiError {
    fn from(error: &UploadError) -> Self {
        let code = error.code();
        let refuse = |status| Self::new(status, code, error.to_string());
        // The service has logged the failure with the upload; the client gets a general sentence.
        let fail = |status, sentence: &str| Self::new(status, code, sentence);
        match error {
            UploadError::Receive(ReceiveError::Temporary(_))
            | UploadError::Store(
                StoreError::Temporary(_) | StoreError::Storage(StorageError::Full { .. }),
            ) => fail(
                StatusCode::INSUFFICIENT_STORAGE,
                "The server has no room for this upload. Try again later",
            ),
            UploadError::Receive(error) => refuse(receive_status(error)),
            UploadError::Archive(archive) if archive.is_unreadable() => fail(
                StatusCode::SERVICE_UNAVAILABLE,
                "The archive could not be read back. Try again later",
            ),
            UploadError::Archive(archive) if archive.is_too_large() => {
                refuse(StatusCode::PAYLOAD_TOO_LARGE)
            }
            UploadError::Archive(_) => refuse(StatusCode::BAD_REQUEST),
            UploadError::Contended | UploadError::Store(StoreError::Busy) => {
                refuse(StatusCode::SERVICE_UNAVAILABLE)
            }
            UploadError::Store(StoreError::AlreadyExists(_)) => refuse(StatusCode::CONFLICT),
            UploadError::Store(StoreError::Storage(_)) => fail(
                StatusCode::SERVICE_UNAVAILABLE,
                "The storage is unavailable. Try again later; files that are stored already will be skipped",
            ),
            UploadError::Store(StoreError::Database(_)) => fail(
                StatusCode::SERVICE_UNAVAILABLE,
                "The database is unavailable. Try again later; files that are stored already will be skipped",
            ),
            UploadError::Panicked(_)
            | UploadError::Task(_)
            | UploadError::Store(StoreError::Panicked(_)) => {
                fail(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
            }
        }
    }
}

fn receive_status(error: &ReceiveError) -> StatusCode {
    match error {
        ReceiveError::Busy => StatusCode::SERVICE_UNAVAILABLE,
        ReceiveError::TokenBusy(_) => StatusCode::TOO_MANY_REQUESTS,
        ReceiveError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        ReceiveError::Encoded => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ReceiveError::Stalled(_) => StatusCode::REQUEST_TIMEOUT,
        ReceiveError::Temporary(_) => StatusCode::INSUFFICIENT_STORAGE,
        ReceiveError::Fetch(FetchError::Remote(..) | FetchError::Unreachable(_)) => {
            StatusCode::BAD_GATEWAY
        }
        ReceiveError::Fetch(FetchError::Timeout(_)) => StatusCode::GATEWAY_TIMEOUT,
        ReceiveError::NoFile
        | ReceiveError::NotAForm
        | ReceiveError::SecondFile
        | ReceiveError::FileAndUrl
        | ReceiveError::Form
        | ReceiveError::Contradiction(_)
        | ReceiveError::Boundary
        | ReceiveError::Extension(_)
        | ReceiveError::Incomplete
        | ReceiveError::Fetch(_) => StatusCode::BAD_REQUEST,
    }
}

impl From<RecordError> for ApiError {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::NotPermitted(permission) => AuthError::NotPermitted(permission).into(),
            RecordError::Database(error) => error.into(),
        }
    }
}

impl From<DownloadError> for ApiError {
    fn from(error: DownloadError) -> Self {
        let refuse = |code| Self::new(StatusCode::NOT_FOUND, code, error.to_string());
        match error {
            DownloadError::Ignored => refuse("ignored"),
            DownloadError::NotFound => refuse("not_found"),
            DownloadError::IllegalName(_) => Self::bad_request("illegal_name", error.to_string()),
            DownloadError::ModuleUnknown(error) => error.into(),
            DownloadError::Unpack(error) => error.into(),
            DownloadError::Busy => {
                let sentence = "Too many explanations are in progress. Try again later";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", sentence)
            }
            DownloadError::Damaged(reason) => Self::damaged(reason),
            DownloadError::Unavailable(error) if error.is_damage() => Self::damaged(error.0),
            DownloadError::Unavailable(CatalogError(reason)) => {
                let sentence = "The storage is unavailable. Try again later";
                Self::unavailable("storage_unavailable", sentence, reason)
            }
        }
    }
}

impl From<Arc<UnpackError>> for ApiError {
    fn from(error: Arc<UnpackError>) -> Self {
        let (code, sentence) = match &*error {
            // Debuggers then request the cabinet itself.
            UnpackError::Cabinet(_) | UnpackError::TooLarge(_) => {
                return Self::new(StatusCode::NOT_FOUND, "cabinet_refused", error.to_string());
            }
            UnpackError::Busy => ("busy", "Too many files are being unpacked. Try again later"),
            UnpackError::Read(reason) if reason.is_damage() => return Self::damaged(error),
            UnpackError::Read(_) => (
                "storage_unavailable",
                "The storage is unavailable. Try again later",
            ),
            UnpackError::Temporary(_) => (
                "disk_full",
                "The server has no room for unpacking this file. Try again later",
            ),
        };
        Self::unavailable(code, sentence, error)
    }
}

impl From<ModulesError> for ApiError {
    fn from(ModulesError(error): ModulesError) -> Self {
        Self::without_database(error)
    }
}

impl From<DebuginfodError> for ApiError {
    fn from(error: DebuginfodError) -> Self {
        if error.is_damage() {
            return Self::damaged(error);
        }
        let code = error.code();
        let refuse = |status| Self::new(status, code, error.to_string());
        let sentence = match error {
            // Clients treat these refusals as absence and request the whole file instead.
            DebuginfodError::NotFound
            | DebuginfodError::NotExtracted(_)
            | DebuginfodError::Damaged(_) => return refuse(StatusCode::NOT_FOUND),
            DebuginfodError::TooLarge { .. } => return refuse(StatusCode::NOT_ACCEPTABLE),
            DebuginfodError::Busy => return refuse(StatusCode::SERVICE_UNAVAILABLE),
            DebuginfodError::Builds(BuildsError(error)) => return Self::without_database(error),
            DebuginfodError::Panicked(panic) => {
                let sentence = "Internal Server Error";
                return Self::new(StatusCode::INTERNAL_SERVER_ERROR, code, sentence).because(panic);
            }
            DebuginfodError::Timeout
            | DebuginfodError::Storage(_)
            | DebuginfodError::Catalog(_) => "The storage is unavailable. Try again later",
            DebuginfodError::Temporary(_) => {
                "The server has no room to read this file. Try again later"
            }
        };
        Self::unavailable(code, sentence, error)
    }
}

impl From<SymbolicationError> for ApiError {
    fn from(error: SymbolicationError) -> Self {
        let code = error.code();
        let sentence = match &error {
            SymbolicationError::TooLarge => {
                return Self::new(StatusCode::PAYLOAD_TOO_LARGE, code, error.to_string());
            }
            SymbolicationError::Late => {
                let sentence = "The symbols are not ready yet. Try again later";
                return Self::unavailable(code, sentence, error).after(SYMBOLS_RETRY);
            }
            SymbolicationError::Busy => "The server is busy with other stacks. Try again later",
            SymbolicationError::Unavailable(_) | SymbolicationError::Failed(_) => {
                "The symbols are unavailable. Try again later"
            }
        };
        Self::unavailable(code, sentence, error)
    }
}

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        Self::without_database(error)
    }
}
