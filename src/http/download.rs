//! Symbols by path.
//!
//! Whatever no other route matches ends here: a path of a symbol's form is looked up, anything else is not found.

use std::time::Duration;

use actix_web::body::SizedStream;
use actix_web::http::header::{
    self, AcceptEncoding, ContentEncoding, Encoding, HeaderMap, HeaderValue,
};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError};
use async_compression::tokio::bufread::GzipDecoder;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use tokio_util::io::{ReaderStream, StreamReader};

use super::error::ApiError;
use super::extract::{SymbolPath, SymbolQuery};
use crate::catalog::Lookup;
use crate::clock::{SharedClock, Stopwatch};
use crate::download::{DownloadError, DownloadService};
use crate::storage::{Address, Fetched, ObjectInfo, ObjectStream, StorageError};

const ALLOWED: &str = "GET, HEAD, OPTIONS";

/// How long before the end of an address's life clients should stop to use it.
const REDIRECT_MARGIN: Duration = Duration::from_mins(1);

/// How much is inflated at a time, in bytes.
const PIECE: usize = 64 * 1024;

/// Answers whatever has no route of its own.
pub(super) async fn symbol(
    request: HttpRequest,
    downloads: Data<DownloadService>,
    clock: Data<SharedClock>,
) -> HttpResponse {
    let path = request.uri().path();
    let Some(symbol) = SymbolPath::read(path) else {
        let mut response = ApiError::not_found(path).error_response();
        allow_any_origin(response.headers_mut());
        return response;
    };
    let mut response = match *request.method() {
        Method::GET | Method::HEAD => timed_answer(&request, symbol, &downloads, &clock).await,
        Method::OPTIONS => HttpResponse::NoContent()
            .insert_header((header::ALLOW, ALLOWED))
            .finish(),
        _ => ApiError::method_not_allowed(request.method(), path, ALLOWED).error_response(),
    };
    allow_any_origin(response.headers_mut());
    response
}

/// Answers a lookup and tells how long it took to those who ask with a `Debug` header.
async fn timed_answer(
    request: &HttpRequest,
    symbol: SymbolPath,
    downloads: &DownloadService,
    clock: &SharedClock,
) -> HttpResponse {
    let stopwatch = Stopwatch::start(clock.as_ref());
    let result = answer(request, symbol, downloads).await;
    let was_looked_up = !matches!(
        result,
        Err(DownloadError::Ignored | DownloadError::IllegalName(_))
    );
    let mut response = result.unwrap_or_else(|error| ApiError::from(error).text_response());
    if wants_time(request.headers()) {
        let seconds = if was_looked_up {
            stopwatch.seconds().to_string()
        } else {
            "0".to_owned()
        };
        if let Ok(value) = HeaderValue::from_str(&seconds) {
            response
                .headers_mut()
                .insert(header::HeaderName::from_static("debug-time"), value);
        }
    }
    response
}

async fn answer(
    request: &HttpRequest,
    symbol: SymbolPath,
    downloads: &DownloadService,
) -> Result<HttpResponse, DownloadError> {
    let query = SymbolQuery::read(request.query_string());
    let lookup = Lookup {
        includes_try: symbol.is_try || query.includes_try,
        refreshes: query.refreshes,
    };
    if request.method() == Method::HEAD {
        let found = downloads.find(&symbol.wanted, lookup, None).await?;
        return Ok(head_response(&found.info, accepts_gzip(request)));
    }
    if let Some(parameter) = query.with_nul() {
        let error = ApiError::bad_request(
            "nul",
            format!("{parameter}: Null characters are not allowed."),
        );
        return Ok(error.text_response());
    }
    let found = downloads
        .find(&symbol.wanted, lookup, Some(query.code))
        .await?;
    if let Some(address) = downloads.address(&found).await? {
        return Ok(redirect_response(&address));
    }
    let fetched = downloads.open(&found).await?;
    Ok(body_response(fetched, accepts_gzip(request)))
}

/// Sends a client to the storage itself. Nobody may keep the answer for longer than its address is good.
fn redirect_response(address: &Address) -> HttpResponse {
    let mut response = HttpResponse::Found();
    response.insert_header((header::LOCATION, address.url.as_str()));
    if let Some(good_for) = address.good_for {
        let seconds = good_for.saturating_sub(REDIRECT_MARGIN).as_secs();
        response.insert_header((header::CACHE_CONTROL, format!("private, max-age={seconds}")));
    }
    response.finish()
}

fn head_response(info: &ObjectInfo, accepts_gzip: bool) -> HttpResponse {
    let mut response = response_head(info, accepts_gzip);
    match sent_length(info, accepts_gzip) {
        // The length is told, the bytes are not sent.
        Some(length) => response.body(SizedStream::new(
            length,
            stream::empty::<Result<Bytes, StorageError>>(),
        )),
        None => response.finish(),
    }
}

fn body_response(fetched: Fetched, accepts_gzip: bool) -> HttpResponse {
    let Fetched { info, stream } = fetched;
    let mut response = response_head(&info, accepts_gzip);
    let length = sent_length(&info, accepts_gzip);
    let stream = stream.inspect_err(|error| {
        tracing::error!(event = "body_cut", %error, "a file could not be read to its end, the connection is cut");
    });
    if info.meta.is_gzipped && !accepts_gzip {
        return with_length(&mut response, length, inflated(stream.boxed()));
    }
    with_length(&mut response, length, stream)
}

fn with_length<S, E>(
    response: &mut HttpResponseBuilder,
    length: Option<u64>,
    stream: S,
) -> HttpResponse
where
    S: Stream<Item = Result<Bytes, E>> + 'static,
    E: std::error::Error + 'static,
{
    match length {
        Some(length) => response.body(SizedStream::new(length, stream)),
        None => response.streaming(stream),
    }
}

/// Inflates a gzipped object as it is read; objects of several gzip members, which others may have stored, too.
fn inflated(stream: ObjectStream) -> impl Stream<Item = std::io::Result<Bytes>> {
    let mut decoder = GzipDecoder::new(StreamReader::new(stream.map_err(std::io::Error::other)));
    decoder.multiple_members(true);
    ReaderStream::with_capacity(decoder, PIECE)
}

/// How many bytes the body has; unknown only for gzipped objects that others stored without telling.
fn sent_length(info: &ObjectInfo, accepts_gzip: bool) -> Option<u64> {
    if info.meta.is_gzipped && !accepts_gzip {
        info.meta.original_size
    } else {
        Some(info.stored_size)
    }
}

fn response_head(info: &ObjectInfo, accepts_gzip: bool) -> HttpResponseBuilder {
    let sends_gzip = info.meta.is_gzipped && accepts_gzip;
    let mut response = HttpResponse::build(StatusCode::OK);
    response
        .content_type(
            info.meta
                .content_type
                .as_deref()
                .unwrap_or("application/octet-stream"),
        )
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::ETAG, entity_tag(info, sends_gzip)));
    if info.meta.is_gzipped {
        response.insert_header((header::VARY, "Accept-Encoding"));
    }
    if sends_gzip {
        response.insert_header(ContentEncoding::Gzip);
    }
    response
}

/// A name for exactly these bytes: the digest of the original, and whether it is sent gzipped (RFC 9110, 8.8.3).
fn entity_tag(info: &ObjectInfo, is_gzipped: bool) -> String {
    let suffix = if is_gzipped { "-gzip" } else { "" };
    match info
        .meta
        .original_sha256
        .as_ref()
        .or(info.meta.original_md5.as_ref())
    {
        Some(digest) => format!("\"{digest}{suffix}\""),
        None => format!(
            "\"{:x}-{:x}{suffix}\"",
            info.stored_size,
            info.modified_at.unix_timestamp_nanos()
        ),
    }
}

/// Tells whether the client named gzip as welcome. Silence is taken as no: debuggers that send no header cannot
/// inflate.
fn accepts_gzip(request: &HttpRequest) -> bool {
    if !request.headers().contains_key(header::ACCEPT_ENCODING) {
        return false;
    }
    let Some(accepted) = request.get_header::<AcceptEncoding>() else {
        return false;
    };
    accepted.negotiate([Encoding::gzip(), Encoding::identity()].iter()) == Some(Encoding::gzip())
}

fn wants_time(headers: &HeaderMap) -> bool {
    let value = headers
        .get("debug")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    ["1", "true", "yes"]
        .iter()
        .any(|yes| value.eq_ignore_ascii_case(yes))
}

/// Browsers' profilers fetch symbols from any site.
fn allow_any_origin(headers: &mut HeaderMap) {
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static(ALLOWED),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(
            "accept, accept-encoding, authorization, content-type, debug, dnt, if-none-match, origin, range, user-agent",
        ),
    );
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("content-length, content-range, debug-time, etag"),
    );
}
