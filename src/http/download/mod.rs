//! Symbols by path.
//!
//! Whatever no other route matches ends here: a path of a symbol's form is looked up, anything else is not found.
//! [`file::send`] answers with a file that was found, in the way of a good static server (RFC 9110): `representation`
//! says what of it a client gets and under which headers, `precondition` and `range` read what the request demands,
//! `encoding` whether gzip is welcome, and `body` sends the bytes.

mod body;
mod encoding;
mod file;
mod precondition;
mod range;
mod representation;

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, ResponseError};

use super::error::ApiError;
use super::extract::{SymbolPath, SymbolQuery};
use super::public;
use super::symbol_url::{path_of, query_of};
use crate::clock::{SharedClock, Stopwatch};
use crate::download::{DownloadError, DownloadService, Place};
use symbols::{Stores, SymbolKey};

pub(super) use file::send;

const DEBUG: HeaderName = HeaderName::from_static("debug");

const DEBUG_TIME: HeaderName = HeaderName::from_static("debug-time");

/// Answers whatever has no route of its own.
pub(super) async fn symbol(
    request: HttpRequest,
    downloads: Data<DownloadService>,
    clock: Data<SharedClock>,
) -> HttpResponse {
    let path = request.uri().path();
    let Some(symbol) = SymbolPath::read(path) else {
        return public::readable(ApiError::not_found(path).error_response());
    };
    if let Some(response) = public::without_reading(&request) {
        return response;
    }
    public::readable(timed_answer(&request, &symbol, &downloads, &clock).await)
}

/// Answers a lookup and tells how long it took to those who ask with a `Debug` header.
async fn timed_answer(
    request: &HttpRequest,
    symbol: &SymbolPath<'_>,
    downloads: &DownloadService,
    clock: &SharedClock,
) -> HttpResponse {
    let stopwatch = wants_time(request.headers()).then(|| Stopwatch::start(clock.as_ref()));
    let result = answer(request, symbol, downloads).await;
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
        // It is an answer to this one question.
        headers.insert(header::CACHE_CONTROL, public::NO_STORE);
    }
    response
}

async fn answer(
    request: &HttpRequest,
    symbol: &SymbolPath<'_>,
    downloads: &DownloadService,
) -> Result<HttpResponse, DownloadError> {
    let query = SymbolQuery::read(request.query_string());
    let mut lookup = query.lookup();
    lookup.stores = lookup.stores.union(symbol.stores);
    // A client that only looks, or goes on with what it began, is not one more that misses the file.
    let is_get = request.method() != Method::HEAD;
    let is_counted = is_get && !range::is_continuation(request.headers());
    if is_get && let Some(parameter) = query.with_nul() {
        let error = ApiError::bad_request(
            "nul",
            format!("{parameter}: Null characters are not allowed."),
        );
        return Ok(error.text_response());
    }
    let code = is_counted.then_some(&query.code);
    let place = downloads.find(&symbol.wanted, lookup, code).await?;
    match &place {
        Place::Held(found) => send(request, downloads, found).await,
        Place::Packed(cabinet) => {
            let wanted = &symbol.wanted;
            Box::pin(file::send_unpacked(request, downloads, cabinet, wanted)).await
        }
        Place::Renamed(key) => Ok(renamed_response(request, key, symbol.stores)),
    }
}

/// Sends a client that asked by code id to the debug id, with the query that it came with. The next upload may change
/// the answer.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What a handler's future takes beside that of the handler itself, in bytes: the request and what it is called with.
    const AROUND: usize = 112;

    /// The most that glibc gives out without looking for room, in bytes (`malloc.c`: its thread caches end there).
    const AT_ONCE: usize = 1032;

    #[test]
    fn the_future_of_an_answer_is_small() {
        fn size_of_future<F>(
            _: impl Fn(HttpRequest, Data<DownloadService>, Data<SharedClock>) -> F,
        ) -> usize {
            size_of::<F>()
        }
        let size = size_of_future(symbol) + AROUND;
        assert!(size <= AT_ONCE, "{size}");
    }
}
