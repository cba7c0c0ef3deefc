//! An error as a response.

use std::collections::BTreeMap;
use std::error::Error;

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;

use super::retry::{is_worth_a_retry, retry_after};

/// The type of plain sentences.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// An error as the client sees it, with its cause for the log.
#[derive(Debug)]
pub(in crate::http) struct ApiError {
    status: StatusCode,
    /// Boxed, so that results with an error stay small.
    body: Box<ErrorJson>,
    allow: Option<&'static str>,
    /// After how many seconds to retry, where that is not left to chance.
    retry_after: Option<u8>,
    /// The failure on our side, if it has not been logged yet.
    cause: Option<Box<dyn Error>>,
}

/// What is wrong with a body as such.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum BodyStatus {
    /// It does not arrive in time.
    Late,
    /// It is too large, or asks for too much.
    TooLarge,
    /// Its `Content-Encoding` is not known.
    Encoding,
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
    /// The sentence once more, where clients know errors by this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &'static str, sentence: impl Into<String>) -> Self {
        Self {
            status,
            body: Box::new(ErrorJson {
                code,
                error: sentence.into(),
                errors: None,
                path: None,
                title: None,
            }),
            allow: None,
            retry_after: None,
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
        let mut error = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            sentence,
        );
        error.allow = Some(allow);
        error
    }

    /// The file is not the version that the request's conditions name.
    pub(crate) fn precondition_failed() -> Self {
        let sentence = "The file is not the version that the request's conditions name. Request it without them";
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition_failed",
            sentence,
        )
    }

    /// The requested range starts after the end of the file, whose length is in bytes.
    pub(crate) fn range_not_satisfiable(length: u64) -> Self {
        let sentence =
            format!("The range starts after the end of the file, which is {length} bytes long");
        Self::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "range_not_satisfiable",
            sentence,
        )
    }

    /// The body is of no use, whatever it says.
    pub(crate) fn bad_body(status: BodyStatus, code: &'static str, sentence: String) -> Self {
        let status = match status {
            BodyStatus::Late => StatusCode::REQUEST_TIMEOUT,
            BodyStatus::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            BodyStatus::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        };
        Self::new(status, code, sentence)
    }

    /// No upload names this module, in Tecken's words.
    pub(crate) fn no_such_module() -> Self {
        let sentence = "Code file / id Not Found";
        Self::new(StatusCode::NOT_FOUND, "not_found", sentence)
    }

    /// The database could not be queried.
    pub(super) fn without_database(cause: impl Error + 'static) -> Self {
        let sentence = "The database is unavailable. Try again later";
        Self::unavailable("database_unavailable", sentence, cause)
    }

    /// The stored object is damaged. It stays so until it is uploaded again.
    pub(super) fn damaged(cause: impl Error + 'static) -> Self {
        let sentence = "The stored file is damaged. Upload it again, which replaces it";
        Self::unavailable("object_damaged", sentence, cause)
    }

    /// A dependency failed: the client gets the sentence, the log the cause.
    pub(super) fn unavailable(
        code: &'static str,
        sentence: &str,
        cause: impl Error + 'static,
    ) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, sentence).because(cause)
    }

    /// Names the seconds after which to retry.
    pub(super) fn after(mut self, seconds: u8) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Gives the sentence as the title, too, by which Eliot's clients know it.
    pub(crate) fn titled(self) -> Self {
        let sentence = self.body.error.clone();
        self.titled_as(&sentence)
    }

    /// Gives Eliot's title beside the sentence.
    pub(crate) fn titled_as(mut self, title: &str) -> Self {
        self.body.title = Some(title.to_owned());
        self
    }

    pub(super) fn because(mut self, cause: impl Error + 'static) -> Self {
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
            let seconds = self.retry_after.unwrap_or_else(retry_after);
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
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
