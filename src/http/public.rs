//! What everybody may read, scripts of any site included: browsers' profilers fetch symbols.

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, ResponseError};

use super::error::ApiError;

const ALLOWED: &str = "GET, HEAD, OPTIONS";

/// How long a browser may keep the answer to a preflight, in seconds.
const PREFLIGHT_AGE: &str = "86400";

/// What scripts may send.
const REQUEST_HEADERS: &str = "accept, accept-encoding, authorization, content-type, debug, dnt, if-match, \
    if-modified-since, if-none-match, if-range, if-unmodified-since, origin, range, user-agent";

/// What scripts may read beside what every script may.
const ANSWER_HEADERS: &str =
    "accept-ranges, content-encoding, content-length, content-range, debug-time, etag";

/// Answers GET and HEAD with what `read` makes, OPTIONS with what a script may do, and refuses other methods.
pub(super) async fn answer(
    request: &HttpRequest,
    read: impl Future<Output = HttpResponse>,
) -> HttpResponse {
    let response = match *request.method() {
        Method::GET | Method::HEAD => read.await,
        Method::OPTIONS => HttpResponse::NoContent()
            .insert_header((header::ALLOW, ALLOWED))
            .insert_header((header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE))
            .finish(),
        _ => {
            let path = request.uri().path();
            ApiError::method_not_allowed(request.method(), path, ALLOWED).error_response()
        }
    };
    readable(response)
}

/// Lets scripts of any site read an answer.
pub(super) fn readable(mut response: HttpResponse) -> HttpResponse {
    let headers = response.headers_mut();
    let values = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, ALLOWED),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, ANSWER_HEADERS),
        (header::CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin"),
    ];
    for (name, value) in values {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // What an answer does not allow explicitly, caches might do by rules of their own: a missing file can be uploaded
    // at any moment, and every request for it counts.
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}
