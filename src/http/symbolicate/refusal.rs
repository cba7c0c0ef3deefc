//! Why a request gets no answer, as its client sees it.

use actix_web::HttpRequest;

use super::body::BodyError;
use super::request::RequestError;
use crate::http::error::{ApiError, BodyStatus};
use crate::symbolication::SymbolicationError;

/// Why a request gets no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Service(#[from] SymbolicationError),
}

impl Refusal {
    /// The stable name of the reason, for clients and metrics.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Body(BodyError::TooLarge) => "too_large",
            Self::Body(BodyError::Encoding) => "bad_encoding",
            Self::Body(BodyError::Late | BodyError::Cut | BodyError::Damaged) => "bad_body",
            Self::Request(error) => error.code(),
            Self::Service(error) => error.code(),
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let (code, sentence) = (refusal.code(), refusal.to_string());
        let bad_body = |status, sentence| Self::bad_body(status, code, sentence);
        let error = match refusal {
            Refusal::Body(BodyError::TooLarge) | Refusal::Request(RequestError::TooMany(..)) => {
                bad_body(BodyStatus::TooLarge, sentence)
            }
            Refusal::Body(BodyError::Encoding) => bad_body(BodyStatus::Encoding, sentence),
            Refusal::Body(BodyError::Late) => bad_body(BodyStatus::Late, sentence),
            Refusal::Body(BodyError::Cut | BodyError::Damaged) | Refusal::Request(_) => {
                Self::bad_request(code, sentence)
            }
            Refusal::Service(error) => error.into(),
        };
        error.titled()
    }
}

/// The refusal of a method, in Eliot's words.
pub(super) fn method_not_allowed(request: &HttpRequest) -> ApiError {
    let (method, path) = (request.method(), request.path());
    let error = ApiError::method_not_allowed(method, path, "POST, OPTIONS");
    error.titled_as("405 Method Not Allowed")
}

/// The refusal of a version that does not exist, in Eliot's words.
pub(super) fn not_found(request: &HttpRequest) -> ApiError {
    ApiError::not_found(request.path()).titled_as("404 Not Found")
}
