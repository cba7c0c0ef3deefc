//! Any site may read symbols: browsers' profilers do.

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderMap, HeaderValue};

use super::ALLOWED;

/// How long a browser may keep the answer to a preflight, in seconds.
const PREFLIGHT_AGE: &str = "86400";

/// What scripts may send.
const REQUEST_HEADERS: &str = "accept, accept-encoding, authorization, content-type, debug, dnt, if-match, \
    if-modified-since, if-none-match, if-range, if-unmodified-since, origin, range, user-agent";

/// What scripts may read beside what every script may.
const ANSWER_HEADERS: &str =
    "accept-ranges, content-encoding, content-length, content-range, debug-time, etag";

/// The answer to the question whether a script may ask.
pub(super) fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ALLOW, ALLOWED))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE))
        .finish()
}

/// Lets scripts of any site read an answer.
pub(super) fn allow_any_origin(headers: &mut HeaderMap) {
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
}
