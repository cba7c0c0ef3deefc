//! The one table from the services' errors to status codes and sentences.
//!
//! Every error becomes JSON `{"error": "<sentence>", "code": "<stable name>"}`. Symbol requests are answered in plain
//! text instead, as debuggers expect. For a failure on our side the client gets a general sentence. The conversion
//! keeps the cause, and [`ApiError::head`] logs it when it builds the response; nothing else here logs. Errors of
//! uploads carry no cause: an upload may outlive its request, so its service has logged the failure already.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;

use crate::auth::AuthError;
use crate::breakpad::BreakpadError;
use crate::catalog::{BuildsError, CatalogError, ModulesError};
use crate::db::DbError;
use crate::debuginfod::DebuginfodError;
use crate::download::{DownloadError, UnpackError};
use crate::storage::StorageError;
use crate::upload::{FetchError, ReceiveError, RecordError, Refusal, StoreError, UploadError};

/// The type of plain sentences.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// How long refused clients wait before they retry, in seconds; random, so that they do not return together.
const RETRY_AFTER: std::ops::RangeInclusive<u8> = 2..=9;

/// An error as the client sees it, with its cause for the log.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    /// Boxed, so that results with an error stay small.
    body: Box<ErrorJson>,
    allow: Option<&'static str>,
    /// The failure on our side, if it has not been logged yet.
    cause: Option<Box<dyn Error>>,
}

/// The JSON of an error.
#[derive(Debug, Serialize)]
struct ErrorJson {
    code: &'static str,
    error: String,
    /// The problems of each field of a query.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<BTreeMap<&'static str, Vec<String>>>,
    /// The path that was not found.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, sentence: impl Into<String>) -> Self {
        Self {
            status,
            body: Box::new(ErrorJson {
                code,
                error: sentence.into(),
                errors: None,
                path: None,
            }),
            allow: None,
            cause: None,
        }
    }

    /// The query, the path or a header is invalid.
    pub(crate) fn bad_request(code: &'static str, sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, sentence)
    }

    /// Fields of a query are invalid, each with its problems, in Tecken's shape.
    pub(crate) fn bad_fields(problems: BTreeMap<&'static str, Vec<String>>) -> Self {
        let mut error = Self::bad_request("bad_query", "Some fields of the query are invalid");
        error.body.errors = Some(problems);
        error
    }

    /// There is nothing at this path, in Tecken's words.
    pub(crate) fn not_found(path: &str) -> Self {
        let mut error = Self::new(StatusCode::NOT_FOUND, "not_found", "Not Found");
        error.body.path = Some(path.to_owned());
        error
    }

    /// The path does not support this method, in Tecken's words.
    pub(crate) fn method_not_allowed(method: &Method, path: &str, allow: &'static str) -> Self {
        let sentence = format!("Method Not Allowed ({method}): {path}");
        let status = StatusCode::METHOD_NOT_ALLOWED;
        let mut error = Self::new(status, "method_not_allowed", sentence);
        error.allow = Some(allow);
        error
    }

    /// The file is not the version that the request's conditions name.
    pub(crate) fn precondition_failed() -> Self {
        let sentence = "The file is not the version that the request's conditions name. Request it without them";
        let status = StatusCode::PRECONDITION_FAILED;
        Self::new(status, "precondition_failed", sentence)
    }

    /// The requested range starts after the end of the file, whose length is in bytes.
    pub(crate) fn range_not_satisfiable(length: u64) -> Self {
        let sentence =
            format!("The range starts after the end of the file, which is {length} bytes long");
        let status = StatusCode::RANGE_NOT_SATISFIABLE;
        Self::new(status, "range_not_satisfiable", sentence)
    }

    /// No upload names this module, in Tecken's words.
    pub(crate) fn no_such_module() -> Self {
        let sentence = "Code file / id Not Found";
        Self::new(StatusCode::NOT_FOUND, "not_found", sentence)
    }

    /// The database could not be queried.
    fn without_database(cause: impl Error + 'static) -> Self {
        let sentence = "The database is unavailable. Try again later";
        Self::unavailable("database_unavailable", sentence, cause)
    }

    /// The stored object is damaged. It stays so until it is uploaded again.
    fn damaged(cause: impl Error + 'static) -> Self {
        let sentence = "The stored file is damaged. Upload it again, which replaces it";
        Self::unavailable("object_damaged", sentence, cause)
    }

    /// A dependency failed: the client gets the sentence, the log the cause.
    fn unavailable(code: &'static str, sentence: &str, cause: impl Error + 'static) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, sentence).because(cause)
    }

    fn because(mut self, cause: impl Error + 'static) -> Self {
        self.cause = Some(Box::new(cause));
        self
    }

    /// Begins the response with its status and headers, and logs the cause.
    fn head(&self) -> HttpResponseBuilder {
        if let Some(reason) = &self.cause {
            let code = self.body.code;
            tracing::error!(event = "request_failed", code, %reason, "could not answer a request");
        }
        let mut response = HttpResponse::build(self.status);
        if let Some(allow) = self.allow {
            response.insert_header((header::ALLOW, allow));
        }
        if is_worth_a_retry(self.status) {
            response.insert_header((header::RETRY_AFTER, retry_after()));
        }
        if self.status.is_server_error() {
            response.insert_header((header::CACHE_CONTROL, "no-store"));
        }
        response
    }

    /// The answer as plain text, for symbol requests.
    pub(crate) fn text_response(self) -> HttpResponse {
        self.head()
            .insert_header((header::CONTENT_TYPE, TEXT))
            .body(self.body.error)
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.body.error)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        self.head().json(&self.body)
    }
}

/// Returns whether the same request may succeed later. Mozilla's uploaders retry after these statuses.
fn is_worth_a_retry(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
        )
}

fn retry_after() -> String {
    let mut byte = [0];
    // Without random bytes all clients come back together, which is no reason to fail.
    getrandom::fill(&mut byte).unwrap_or_default();
    let span = RETRY_AFTER.end() - RETRY_AFTER.start() + 1;
    (RETRY_AFTER.start() + byte[0] % span).to_string()
}

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

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        Self::without_database(error)
    }
}
