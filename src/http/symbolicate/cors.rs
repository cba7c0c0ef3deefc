//! Cross-origin requests, answered as Eliot does: scripts of any site may read what is answered to them.

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

/// The methods that a script may use.
const POST: HeaderValue = HeaderValue::from_static("POST");

/// For answers to every origin, and to preflights that name no header.
const ANY: HeaderValue = HeaderValue::from_static("*");

/// The headers that Eliot lets scripts read.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "accept, accept-encoding, authorization, content-type, dnt, origin, user-agent, x-csrftoken, x-requested-with",
);

/// How long a browser may keep the answer to a preflight, in seconds.
const PREFLIGHT_AGE: HeaderValue = HeaderValue::from_static("86400");

/// The answer to OPTIONS: what a preflight asks for is allowed, anyone else gets the methods.
pub(super) fn options(request: &HttpRequest) -> HttpResponse {
    let mut response = HttpResponse::Ok().content_type("application/json").finish();
    let headers = response.headers_mut();
    let asked = request.headers();
    let method = asked.get(header::ACCESS_CONTROL_REQUEST_METHOD);
    if !asked.contains_key(header::ORIGIN) || method.is_none() {
        headers.insert(header::ALLOW, POST);
        return response;
    }
    let named = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
    let allowed = named.cloned().unwrap_or(ANY);
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, POST);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE);
    response
}

/// Lets the script that asked read an answer.
pub(super) fn allow(request: &HttpRequest, mut response: HttpResponse) -> HttpResponse {
    if request.headers().contains_key(header::ORIGIN) {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    response
}
