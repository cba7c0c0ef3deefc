//! Symbols by path.
//!
//! [`file::send`] answers with a file that was found, as a static file server does (RFC 9110), [`unpacked::send`] with
//! one that is stored in a cabinet. `representation` chooses
//! the bytes and the headers, `precondition` and `range` read the conditions and the range of the request, `encoding`
//! decides on gzip, and `body` sends the bytes.

mod body;
mod encoding;
mod file;
mod precondition;
mod range;
mod representation;
mod unpacked;

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

use super::cors;
use super::services::SymbolServices;
use super::url::{path_of, query_of};
use crate::clock::Stopwatch;
use crate::download::{Counting, DownloadError, Place};
use crate::http::error::ApiError;
use crate::http::extract::{SymbolPath, SymbolQuery};
use symbols::{Stores, SymbolKey};

pub(super) use file::send;

const DEBUG: HeaderName = HeaderName::from_static("debug");

const DEBUG_TIME: HeaderName = HeaderName::from_static("debug-time");

/// Answers a request for a symbol. With a `Debug` header in the request, the answer says how long the lookup took.
pub(super) async fn answer(
    request: &HttpRequest,
    symbol: &SymbolPath<'_>,
    services: &SymbolServices,
) -> HttpResponse {
    let stopwatch =
        wants_time(request.headers()).then(|| Stopwatch::start(services.clock.as_ref()));
    let result = look_up(request, symbol, services).await;
    let was_looked_up = !matches!(
        result,
        Err(DownloadError::Ignored | DownloadError::IllegalName(_))
    );
    let mut response = result.unwrap_or_else(|error| ApiError::from(error).text_response());
    if let Some(stopwatch) = stopwatch {
        let seconds = if was_looked_up {
            stopwatch.seconds().to_string()
        } else {
            "0".to_owned()
        };
        let headers = response.headers_mut();
        if let Ok(value) = HeaderValue::from_str(&seconds) {
            headers.insert(DEBUG_TIME, value);
        }
        // The time is that of this one request.
        headers.insert(header::CACHE_CONTROL, cors::NO_STORE);
    }
    response
}

async fn look_up(
    request: &HttpRequest,
    symbol: &SymbolPath<'_>,
    services: &SymbolServices,
) -> Result<HttpResponse, DownloadError> {
    let query = SymbolQuery::read(request.query_string());
    let mut lookup = query.lookup();
    lookup.stores = lookup.stores.union(symbol.stores);
    // HEAD, and a range that continues a download, are not further requests for the file.
    let is_get = request.method() != Method::HEAD;
    let is_counted = is_get && !range::is_continuation(request.headers());
    if is_get && let Some(parameter) = query.with_nul() {
        let error = ApiError::bad_request(
            "nul",
            format!("{parameter}: Null characters are not allowed."),
        );
        return Ok(error.text_response());
    }
    let counting = if is_counted {
        Counting::Counted(&query.code)
    } else {
        Counting::Uncounted
    };
    let wanted = &symbol.wanted;
    let place = services.downloads.look_up(wanted, lookup, counting).await?;
    match &place {
        Place::Held(found) => send(request, services, found).await,
        Place::Packed(cabinet) => {
            Box::pin(unpacked::send(request, services, cabinet, wanted)).await
        }
        Place::Renamed(key) => Ok(renamed_response(request, key, symbol.stores)),
    }
}

/// Redirects a request by code id to the path by debug id, and keeps the query. The redirect is temporary, since the
/// next upload may change it.
fn renamed_response(request: &HttpRequest, key: &SymbolKey, stores: Stores) -> HttpResponse {
    let query = query_of(request.query_string());
    let location = format!("{}{query}", path_of(key, stores));
    HttpResponse::Found()
        .insert_header((header::LOCATION, location))
        .finish()
}

fn wants_time(headers: &HeaderMap) -> bool {
    let value = headers
        .get(DEBUG)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    ["1", "true", "yes"]
        .iter()
        .any(|yes| value.eq_ignore_ascii_case(yes))
}
