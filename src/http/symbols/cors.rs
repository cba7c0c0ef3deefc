//! Cross-origin requests: scripts of any site may read symbols, since the profilers of browsers do.

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, ResponseError};

use crate::http::error::ApiError;

const ALLOWED: &str = "GET, HEAD, OPTIONS";

/// How long a browser may keep the answer to a preflight, in seconds.
const PREFLIGHT_AGE: &str = "86400";

/// The CORS headers: allowed origins and methods, the headers that scripts may send, and those of the answer that they
/// may read. Constants, because making a header's value at run time checks each of its characters.
const FOR_SCRIPTS: [(HeaderName, HeaderValue); 5] = [
    (
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    ),
    (
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static(ALLOWED),
    ),
    (
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(
            "accept, accept-encoding, authorization, content-type, debug, dnt, if-match, if-modified-since, \
             if-none-match, if-range, if-unmodified-since, origin, range, user-agent",
        ),
    ),
    (
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(
            "accept-ranges, content-encoding, content-length, content-range, debug-time, etag",
        ),
    ),
    (
        header::CROSS_ORIGIN_RESOURCE_POLICY,
        HeaderValue::from_static("cross-origin"),
    ),
];

/// For answers that must not be cached.
pub(super) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// The answer to a method that reads nothing: OPTIONS gets the allowed methods, all others are refused. `None` for GET
/// and HEAD.
pub(super) fn without_reading(request: &HttpRequest) -> Option<HttpResponse> {
    let response = match *request.method() {
        Method::GET | Method::HEAD => return None,
        Method::OPTIONS => HttpResponse::NoContent()
            .insert_header((header::ALLOW, ALLOWED))
            .insert_header((header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE))
            .finish(),
        _ => {
            let path = request.uri().path();
            ApiError::method_not_allowed(request.method(), path, ALLOWED).error_response()
        }
    };
    Some(response)
}

/// The answer to `OPTIONS *`: the methods that some path of the server has.
pub(super) fn methods_of_server() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ALLOW, "GET, HEAD, OPTIONS, POST, PUT"))
        .finish()
}

/// Lets scripts of any site read an answer.
pub(super) fn allow(mut response: HttpResponse) -> HttpResponse {
    let headers = response.headers_mut();
    for (name, value) in FOR_SCRIPTS {
        headers.insert(name, value);
    }
    // Without `Cache-Control`, caches would decide by heuristics. But a missing file can be uploaded at any moment, and
    // every request for it is counted.
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, NO_STORE);
    }
    response
}
