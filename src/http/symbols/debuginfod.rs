//! Files by build id, as debuginfod serves them (elfutils, debuginfod(8)).
//!
//! Whole files are answered like symbols by path. Clients rely on two things: 406 for a file larger than
//! `X-DEBUGINFOD-MAXSIZE`, and the headers `X-DEBUGINFOD-SIZE` and `X-DEBUGINFOD-FILE` of a file.

use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::SystemTime;

use actix_web::body::SizedStream;
use actix_web::http::Method;
use actix_web::http::header::{
    self, ContentType, HeaderMap, HeaderName, HeaderValue, LastModified,
};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::{Stream, stream};
use serde::Serialize;

use super::download;
use super::services::SymbolServices;
use crate::blocking;
use crate::debuginfod::{BuildFile, DebuginfodError, Extract, FoundFile, Glob, Kind, Search};
use crate::download::DownloadError;
use crate::http::error::ApiError;
use crate::http::extract::{BuildPath, WantedOfBuild};
use symbols::BuildId;

const LARGEST: HeaderName = HeaderName::from_static("x-debuginfod-maxsize");

const SIZE: HeaderName = HeaderName::from_static("x-debuginfod-size");

const FILE: HeaderName = HeaderName::from_static("x-debuginfod-file");

/// How much of a temporary file is read at a time, in bytes.
const PIECE: u64 = 256 * 1024;

/// Answers with a file of a build, or a part of one.
pub(super) async fn answer(
    request: &HttpRequest,
    path: &BuildPath,
    services: &SymbolServices,
) -> HttpResponse {
    let result = send(request, path, services).await;
    result.unwrap_or_else(ApiError::text_response)
}

async fn send(
    request: &HttpRequest,
    path: &BuildPath,
    services: &SymbolServices,
) -> Result<HttpResponse, ApiError> {
    let debuginfod = &services.debuginfod;
    let extract = match &path.wanted {
        WantedOfBuild::File(kind) => {
            let largest = largest(request.headers());
            let file = debuginfod.file(&path.build_id, *kind, largest).await?;
            let sent = download::send(request, services, &file.found).await;
            let mut response = sent.map_err(|error| match error {
                // The gzip file is stored as it was uploaded; the client asks for the file inside it.
                DownloadError::Damaged(reason) => {
                    DebuginfodError::Damaged(reason.to_string()).into()
                }
                error => ApiError::from(error),
            })?;
            describe(response.headers_mut(), &file);
            return Ok(response);
        }
        WantedOfBuild::Section(name) => debuginfod.section(&path.build_id, name).await?,
        WantedOfBuild::Source(source) => debuginfod.source(&path.build_id, source).await?,
    };
    Ok(send_extract(request, extract))
}

/// The path of searches.
pub(super) const METADATA: &str = "/metadata";

/// Answers a search for files, in the JSON of elfutils.
pub(super) async fn answer_search(
    request: &HttpRequest,
    services: &SymbolServices,
) -> HttpResponse {
    let searching = async {
        let search = read_search(request.query_string())?;
        let found = services.debuginfod.search(&search).await?;
        let results = found.files.iter().map(ResultJson::of).collect();
        Ok::<_, ApiError>(HttpResponse::Ok().json(MetadataJson {
            results,
            complete: found.is_complete,
        }))
    };
    searching.await.unwrap_or_else(ApiError::text_response)
}

/// The results of a search.
#[derive(Debug, Serialize)]
struct MetadataJson<'found> {
    results: Vec<ResultJson<'found>>,
    complete: bool,
}

/// A file that was found. `archive` is absent: no file is a member of one.
#[derive(Debug, Serialize)]
struct ResultJson<'found> {
    buildid: &'found str,
    #[serde(rename = "type")]
    kind: &'static str,
    file: String,
}

impl<'found> ResultJson<'found> {
    fn of(found: &'found FoundFile) -> Self {
        Self {
            buildid: found.build_id.as_str(),
            kind: match found.kind {
                Kind::DebugInfo => "debuginfo",
                Kind::Executable => "executable",
            },
            file: format!("/{}", found.key),
        }
    }
}

/// Reads `key` and `value`.
fn read_search(query: &str) -> Result<Search, ApiError> {
    let parameter = |wanted| {
        let mut parameters = form_urlencoded::parse(query.as_bytes());
        let (_, value) = parameters.find(|(name, _)| name == wanted)?;
        Some(value.into_owned())
    };
    let (Some(key), Some(value)) = (parameter("key"), parameter("value")) else {
        let sentence = "A search needs key and value, as in key=glob&value=/libxul.so/*";
        return Err(ApiError::bad_request("bad_query", sentence));
    };
    let search = match key.as_str() {
        "buildid" => BuildId::parse(&value).map(Search::BuildId),
        "file" => Some(Search::File(value)),
        "glob" => Glob::parse(&value).map(Search::Glob),
        _ => {
            let sentence = "There is no such key. The keys are buildid, file and glob";
            return Err(ApiError::bad_request("bad_query", sentence));
        }
    };
    let sentence = "The value is no build id, or no pattern: it is too long, or a [ has no ]";
    search.ok_or_else(|| ApiError::bad_request("bad_query", sentence))
}

/// The largest file that the client accepts, in bytes; zero or an invalid number is no limit.
fn largest(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(LARGEST)?.to_str().ok()?;
    text.parse().ok().filter(|largest| *largest > 0)
}

/// Adds the headers that clients show while they fetch a file.
fn describe(headers: &mut HeaderMap, file: &BuildFile) {
    if let Some(size) = file.size {
        headers.insert(SIZE, HeaderValue::from(size));
    }
    if let Ok(name) = HeaderValue::from_str(file.key.file_name()) {
        headers.insert(FILE, name);
    }
}

/// Sends a section or a source file from its temporary file.
fn send_extract(request: &HttpRequest, extract: Extract) -> HttpResponse {
    let length = extract.range.end - extract.range.start;
    let mut response = HttpResponse::Ok();
    response
        .content_type(ContentType::octet_stream())
        .insert_header((SIZE, length))
        .insert_header((header::CONTENT_DISPOSITION, "attachment"))
        .insert_header(LastModified(SystemTime::from(extract.modified_at).into()));
    if request.method() == Method::HEAD {
        return response.body(SizedStream::new(
            length,
            stream::empty::<io::Result<Bytes>>(),
        ));
    }
    response.body(SizedStream::new(length, pieces(extract)))
}

fn pieces(extract: Extract) -> impl Stream<Item = io::Result<Bytes>> {
    stream::try_unfold(extract, async |mut extract: Extract| {
        let length = PIECE.min(extract.range.end - extract.range.start);
        if length == 0 {
            return Ok(None);
        }
        let (file, offset) = (Arc::clone(&extract.file), extract.range.start);
        extract.range.start += length;
        let piece = blocking::run(move || {
            let mut piece = vec![0; usize::try_from(length).map_err(io::Error::other)?];
            file.read_exact_at(&mut piece, offset)?;
            Ok(Bytes::from(piece))
        });
        let piece = piece.await.inspect_err(|error| {
            tracing::error!(event = "body_cut", %error, "a temporary file could not be read, the connection is cut");
        })?;
        Ok(Some((piece, extract)))
    })
}
