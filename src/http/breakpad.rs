//! Breakpad's `symupload`: its first protocol at `/symupload`, its second below `/v1`.
//!
//! The tools read the answers with regular expressions that want exactly one space after a colon and know no escapes,
//! and take no status but 200 for success. They can send a token only as `key` of the query, so that is where these
//! routes look for one first.

use actix_web::http::header;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use percent_encoding::percent_decode_str;
use tokio::runtime::Handle;
use tracing::Instrument;

use super::error::ApiError;
use super::extract::{self, ByKey};
use crate::auth::Uploader;
use crate::cpu::JobPanicked;
use crate::upload::breakpad::{BreakpadUploads, Completed, Described};
use crate::upload::{UploadError, UploadService};

/// The address that clients know this server by; empty if it is not configured.
#[derive(Clone, Debug)]
pub(super) struct PublicUrl(pub(super) String);

/// The longest `Host` that is believed, in bytes.
const LONGEST_HOST: usize = 255;

/// The first protocol: the file and what it is, in one form.
pub(super) async fn symupload(
    ByKey(uploader): ByKey<Uploader>,
    request: HttpRequest,
    body: Payload,
    uploads: Data<UploadService>,
    breakpad: Data<BreakpadUploads>,
    runtime: Data<Handle>,
) -> Result<HttpResponse, ApiError> {
    let user = uploader.email.clone();
    let result = async {
        let form = extract::receive_symbol_file(&request, body, &uploader, &uploads).await?;
        let service = breakpad.into_inner();
        let accept = async move {
            service
                .accept(uploader, form.described, form.file, form.slot)
                .await
        };
        to_its_end(&runtime, accept).await
    };
    told(result.await, &user, &uploads).map(result_json)
}

/// The second protocol's question whether the file is there.
pub(super) async fn check_status(
    ByKey(uploader): ByKey<Uploader>,
    request: HttpRequest,
    uploads: Data<UploadService>,
    breakpad: Data<BreakpadUploads>,
    runtime: Data<Handle>,
) -> Result<HttpResponse, ApiError> {
    // The raw path is read, so that each part is percent-decoded exactly once.
    let path = request.uri().path();
    let parts = path
        .strip_prefix("/v1/symbols/")
        .and_then(|rest| rest.strip_suffix(":checkStatus"))
        .and_then(|rest| rest.split_once('/'));
    let (debug_file, debug_id) = parts.ok_or_else(|| ApiError::not_found(path))?;
    let debug_file = percent_decode_str(debug_file).decode_utf8_lossy();
    let user = uploader.email.clone();
    let described = Described::breakpad(&debug_file, debug_id);
    let ask = breakpad.into_inner().is_stored(uploader, described);
    let status = if told(to_its_end(&runtime, ask).await, &user, &uploads)? {
        "FOUND"
    } else {
        "MISSING"
    };
    Ok(members(&[("status", status)]))
}

/// The second protocol's first step: where to put the file.
pub(super) async fn create(
    ByKey(uploader): ByKey<Uploader>,
    request: HttpRequest,
    public_url: Data<PublicUrl>,
    uploads: Data<UploadService>,
    breakpad: Data<BreakpadUploads>,
) -> Result<HttpResponse, ApiError> {
    let base = base_url(&public_url, &request)?;
    let key = told(breakpad.create(&uploader).await, &uploader.email, &uploads)?;
    let url = format!("{base}/v1/uploads/{key}");
    Ok(members(&[("uploadUrl", &url), ("uploadKey", &key)]))
}

/// The second step: the file itself. Who knows the key may put it.
pub(super) async fn put(
    key: Path<String>,
    request: HttpRequest,
    body: Payload,
    uploads: Data<UploadService>,
    breakpad: Data<BreakpadUploads>,
    runtime: Data<Handle>,
) -> Result<HttpResponse, ApiError> {
    let key = key.into_inner();
    let result = async {
        let length = extract::checked_length(&request, &uploads)?;
        let slot = breakpad.enter(&key, length).await?;
        let file = extract::receive_bytes(body, &uploads).await?;
        let service = breakpad.into_inner();
        to_its_end(&runtime, service.keep(key, file, slot)).await
    };
    told(result.await, "whoever has the upload key", &uploads)?;
    Ok(members(&[("result", "OK")]))
}

/// The third step: what the file was.
pub(super) async fn complete(
    ByKey(uploader): ByKey<Uploader>,
    key: Path<String>,
    body: Payload,
    uploads: Data<UploadService>,
    breakpad: Data<BreakpadUploads>,
    runtime: Data<Handle>,
) -> Result<HttpResponse, ApiError> {
    let user = uploader.email.clone();
    let result = async {
        let described = extract::receive_described(body, &uploads).await?;
        let service = breakpad.into_inner();
        let complete = service.complete(uploader, key.into_inner(), described);
        to_its_end(&runtime, complete).await
    };
    told(result.await, &user, &uploads).map(result_json)
}

/// Runs a task that ends even if the client leaves.
async fn to_its_end<T: Send + 'static>(
    runtime: &Handle,
    task: impl Future<Output = Result<T, UploadError>> + Send + 'static,
) -> Result<T, UploadError> {
    let result = runtime.spawn(task.in_current_span()).await;
    result.unwrap_or(Err(UploadError::Panicked(JobPanicked)))
}

fn told<T>(
    result: Result<T, UploadError>,
    user: &str,
    uploads: &UploadService,
) -> Result<T, ApiError> {
    result.map_err(|error| {
        uploads.note_refusal(user, &error);
        ApiError::from(&error)
    })
}

fn result_json(completed: Completed) -> HttpResponse {
    members(&[match completed {
        Completed::Stored => ("result", "OK"),
        Completed::Duplicate => ("result", "DUPLICATE_DATA"),
    }])
}

/// An object as the tools can read it: one space after each colon, and texts that need no escapes.
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

/// The server's own address: the configured one, or the one that the client has just used. What proxies add is not
/// believed.
fn base_url(public_url: &PublicUrl, request: &HttpRequest) -> Result<String, ApiError> {
    let configured = public_url.0.trim_end_matches('/');
    if !configured.is_empty() {
        return Ok(configured.to_owned());
    }
    let host = request.headers().get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok()).filter(|host| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte);
        (1..=LONGEST_HOST).contains(&host.len()) && host.bytes().all(is_plain)
    });
    let sentence = "The request's Host is no host's name. Use the server's own address";
    let host = host.ok_or_else(|| ApiError::bad_request("bad_host", sentence))?;
    Ok(format!("http://{host}"))
}
