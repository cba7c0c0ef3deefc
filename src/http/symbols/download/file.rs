//! Answers with a file that was found.
//!
//! The conditions and the range of a request are checked against the version that the lookup found. An answer with
//! bytes always has the headers of the version that the bytes belong to. If the file has been replaced since the
//! lookup, the new version is sent as a whole, because the client might join a part of it with parts of the old one.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};

use super::body::{self, InflateError};
use super::encoding::accepts_gzip;
use super::precondition::{self, Verdict};
use super::range::{self, Extent};
use super::representation::Representation;
use crate::catalog::{Catalog, CatalogError, Found};
use crate::download::DownloadError;
use crate::http::error::ApiError;
use crate::http::symbols::services::SymbolServices;
use crate::storage::{Address, Fetched};

/// How long before a presigned URL expires clients should stop using it.
const REDIRECT_MARGIN: Duration = Duration::from_mins(1);

/// Answers a GET or HEAD request with a file, or redirects a GET to the storage that holds it.
pub(in crate::http::symbols) async fn send(
    request: &HttpRequest,
    services: &SymbolServices,
    found: &Found,
) -> Result<HttpResponse, DownloadError> {
    let is_get = request.method() != Method::HEAD;
    if is_get
        && can_read_stored(request, found)
        && let Some(address) = services.catalog.address(found).await?
    {
        return Ok(redirect(address, found, services.max_age));
    }
    // Boxed, so that redirects do not pay for the state of a file transfer.
    Box::pin(send_from_here(request, services, found)).await
}

/// Returns whether the client can read the object as it is stored. Storages send what is gzipped to everybody, so
/// clients that do not accept gzip get the file from this server, inflated.
fn can_read_stored(request: &HttpRequest, found: &Found) -> bool {
    !found.info.meta.is_gzipped || accepts_gzip(request)
}

async fn send_from_here(
    request: &HttpRequest,
    services: &SymbolServices,
    found: &Found,
) -> Result<HttpResponse, DownloadError> {
    let (catalog, max_age) = (&services.catalog, services.max_age);
    let accepts_gzip = accepts_gzip(request);
    let expected = Representation::of(&found.info, accepts_gzip);
    if let Some(response) = without_bytes(request, &expected, max_age) {
        return Ok(response);
    }
    if request.method() == Method::HEAD {
        let mut response = expected.head(StatusCode::OK, max_age);
        return Ok(body::send_none(&mut response, expected.length()));
    }
    let part = match range::wanted(request.headers(), &expected) {
        Extent::Whole => None,
        Extent::Part(range) => Some(range),
        Extent::Nothing(length) => return Ok(out_of_range(length)),
    };
    let fetched = open(catalog, found, part.clone()).await?;
    let actual = Representation::of(&fetched.info, accepts_gzip);
    if actual == expected {
        let is_part = part.is_some_and(|part| part == fetched.range);
        if is_part || is_whole(&fetched) {
            return with_bytes(request, &actual, fetched, is_part, max_age).await;
        }
    }
    catalog.forget(&found.source, &found.path).await;
    let fetched = if is_whole(&fetched) {
        fetched
    } else {
        open(catalog, found, None).await?
    };
    let actual = Representation::of(&fetched.info, accepts_gzip);
    match without_bytes(request, &actual, max_age) {
        Some(response) => Ok(response),
        None => with_bytes(request, &actual, fetched, false, max_age).await,
    }
}

/// Opens a file, or a range of it. It may have been removed since it was found.
async fn open(
    catalog: &Catalog,
    found: &Found,
    range: Option<Range<u64>>,
) -> Result<Fetched, DownloadError> {
    let fetched = catalog.open(found, range).await?;
    fetched.ok_or(DownloadError::NotFound)
}

/// Redirects a client to the storage. The answer must not be cached for longer than its URL is valid.
fn redirect(address: Address, found: &Found, max_age: Duration) -> HttpResponse {
    let caching = match address.good_for {
        None => format!("public, max-age={}", max_age.as_secs()),
        Some(good_for) => {
            let age = max_age.min(good_for.saturating_sub(REDIRECT_MARGIN));
            format!("private, max-age={}", age.as_secs())
        }
    };
    let mut response = HttpResponse::Found();
    response
        .insert_header((header::LOCATION, address.url))
        .insert_header((header::CACHE_CONTROL, caching));
    if found.info.meta.is_gzipped {
        response.insert_header((header::VARY, "Accept-Encoding"));
    }
    response.finish()
}

/// The answer without bytes, if the conditions of the request call for one.
pub(super) fn without_bytes(
    request: &HttpRequest,
    representation: &Representation,
    max_age: Duration,
) -> Option<HttpResponse> {
    match precondition::check(request.headers(), representation) {
        Verdict::Proceed => None,
        Verdict::NotModified => Some(representation.not_modified(max_age).finish()),
        Verdict::Failed => Some(ApiError::precondition_failed().text_response()),
    }
}

pub(super) fn out_of_range(length: u64) -> HttpResponse {
    let mut response = ApiError::range_not_satisfiable(length).text_response();
    if let Ok(value) = header::HeaderValue::from_str(&format!("bytes */{length}")) {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    response
}

fn is_whole(fetched: &Fetched) -> bool {
    fetched.range == (0..fetched.info.stored_size)
}

pub(super) async fn with_bytes(
    request: &HttpRequest,
    representation: &Representation,
    fetched: Fetched,
    is_part: bool,
    max_age: Duration,
) -> Result<HttpResponse, DownloadError> {
    let Fetched { info, range, bytes } = fetched;
    if !is_part {
        let mut response = representation.head(StatusCode::OK, max_age);
        let (form, length) = (representation.form(), representation.length());
        return Ok(body::send(request, &mut response, form, length, bytes).await?);
    }
    let mut response = representation.head(StatusCode::PARTIAL_CONTENT, max_age);
    let content_range = format!(
        "bytes {}-{}/{}",
        range.start,
        range.end - 1,
        info.stored_size
    );
    response.insert_header((header::CONTENT_RANGE, content_range));
    let length = Some(range.end - range.start);
    Ok(body::send(request, &mut response, representation.form(), length, bytes).await?)
}

impl From<InflateError> for DownloadError {
    fn from(error: InflateError) -> Self {
        match error {
            InflateError::Damaged(error) => Self::Damaged(Arc::new(error)),
            InflateError::Storage(error) => Self::Unavailable(CatalogError(Arc::new(error))),
        }
    }
}
