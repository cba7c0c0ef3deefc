//! Breakpad's `symupload`: its first protocol at `/symupload`, its second below `/v1`.
//!
//! The tools read the answers with regular expressions that expect exactly one space after a colon and know no escapes,
//! and they accept no status but 200. They can send a token only as `key` in the query, so these routes look there
//! first.

use actix_web::http::header;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use percent_encoding::percent_decode_str;

use super::base_url::BaseUrl;
use super::error::ApiError;
use super::extract::{self, ByKey};
use crate::auth::Uploader;
use crate::breakpad::{BreakpadError, BreakpadService, Completed};
use crate::upload::UploadService;

/// The first protocol: one form with the file and its debug file and debug id.
pub(super) async fn symupload(
    ByKey(uploader): ByKey<Uploader>,
    request: HttpRequest,
    body: Payload,
    uploads: Data<UploadService>,
    breakpad: Data<BreakpadService>,
) -> Result<HttpResponse, ApiError> {
    let receiving = extract::receive_symbol_file(&request, body, &uploader, uploads.intake());
    let completed = breakpad.accept(uploader.clone(), receiving).await;
    answered(completed).map(result_json)
}

/// The second protocol: whether the file is already stored. A type in the query means the file of that type.
pub(super) async fn check_status(
    ByKey(uploader): ByKey<Uploader>,
    request: HttpRequest,
    breakpad: Data<BreakpadService>,
) -> Result<HttpResponse, ApiError> {
    // The raw path is read, so that each part is percent-decoded exactly once.
    let path = request.uri().path();
    let parts = path
        .strip_prefix("/v1/symbols/")
        .and_then(|rest| rest.strip_suffix(":checkStatus"))
        .and_then(|rest| rest.split_once('/'));
    let (debug_file, debug_id) = parts.ok_or_else(|| ApiError::not_found(path))?;
    let debug_file = percent_decode_str(debug_file).decode_utf8_lossy();
    let announced = extract::announced_of_module(&debug_file, debug_id, request.query_string());
    let status = if answered(breakpad.is_stored(&uploader, announced).await)? {
        "FOUND"
    } else {
        "MISSING"
    };
    Ok(members(&[("status", status)]))
}

/// The second protocol's first step: creates an upload and answers with the URL for the file. A file that the query
/// describes is refused here where it would be refused later.
pub(super) async fn create(
    ByKey(uploader): ByKey<Uploader>,
    request: HttpRequest,
    base_url: Data<BaseUrl>,
    breakpad: Data<BreakpadService>,
) -> Result<HttpResponse, ApiError> {
    let base = base_url.of(&request)?;
    let announced = extract::announced(request.query_string());
    let key = answered(breakpad.create(&uploader, announced).await)?;
    let url = format!("{base}/v1/uploads/{key}");
    Ok(members(&[("uploadUrl", &url), ("uploadKey", &key)]))
}

/// The second step: receives the file. The upload key in the path stands in for a token.
pub(super) async fn put(
    key: Path<String>,
    request: HttpRequest,
    body: Payload,
    uploads: Data<UploadService>,
    breakpad: Data<BreakpadService>,
) -> Result<HttpResponse, ApiError> {
    let receiving = extract::receive_bytes(body, uploads.intake());
    let length = extract::announced_length(&request);
    answered(breakpad.put(key.into_inner(), length, receiving).await)?;
    Ok(members(&[("result", "OK")]))
}

/// The third step: receives the description of the file and stores it.
pub(super) async fn complete(
    ByKey(uploader): ByKey<Uploader>,
    key: Path<String>,
    body: Payload,
    uploads: Data<UploadService>,
    breakpad: Data<BreakpadService>,
) -> Result<HttpResponse, ApiError> {
    let receiving = extract::receive_described(body, uploads.intake());
    let completed = breakpad
        .complete(uploader, key.into_inner(), receiving)
        .await;
    answered(completed).map(result_json)
}

fn answered<T>(result: Result<T, BreakpadError>) -> Result<T, ApiError> {
    result.map_err(|error| ApiError::from(&error))
}

fn result_json(completed: Completed) -> HttpResponse {
    members(&[match completed {
        Completed::Stored => ("result", "OK"),
        Completed::Duplicate => ("result", "DUPLICATE_DATA"),
    }])
}

/// A JSON object as the tools can read it: one space after each colon, and values that need no escapes.
fn members(members: &[(&str, &str)]) -> HttpResponse {
    let members: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("\"{name}\": \"{value}\""))
        .collect();
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(format!("{{{}}}\n", members.join(", ")))
}
