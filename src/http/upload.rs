//! Uploads: taking them, and showing what was recorded.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::error::ApiError;
use super::extract::{self, ByToken};
use super::json::json_time;
use crate::auth::{Principal, Uploader};
use crate::db::files::ReplacedFile;
use crate::db::uploads::{FileRecord, UploadState};
use crate::upload::{FullRecord, Receipt, UploadService};

/// Takes an upload. It is finished even if the client leaves once the archive has arrived.
pub(super) async fn upload(
    ByToken(uploader): ByToken<Uploader>,
    request: HttpRequest,
    body: Payload,
    uploads: Data<UploadService>,
) -> Result<HttpResponse, ApiError> {
    let uploads = uploads.into_inner();
    let receiving = extract::receive(&request, body, &uploader, uploads.intake());
    let receipt = Arc::clone(&uploads)
        .accept(uploader.clone(), receiving)
        .await
        .map_err(|error| ApiError::from(&error))?;
    Ok(HttpResponse::Created().json(receipt_json(&receipt)))
}

/// What a token may do, in Tecken's shape. Mozilla's client asks before it uploads.
pub(super) async fn auth_info(ByToken(uploader): ByToken<Uploader>) -> HttpResponse {
    HttpResponse::Ok().json(json!({
        "email": uploader.email,
        "try_symbols": uploader.store.is_try(),
        "token_expires_at": uploader.expires_at.unix_timestamp(),
        "upload_api_version": 1,
    }))
}

/// The record of an upload and its files, for its owner and for those who may view all.
pub(super) async fn record(
    ByToken(principal): ByToken<Principal>,
    id: Path<String>,
    request: HttpRequest,
    uploads: Data<UploadService>,
) -> Result<HttpResponse, ApiError> {
    let id = id
        .parse()
        .map_err(|_| ApiError::not_found(request.path()))?;
    let Some(record) = uploads.record_for(&principal, id).await? else {
        return Err(ApiError::not_found(request.path()));
    };
    Ok(HttpResponse::Ok().json(record_json(&record)))
}

/// The answer to an upload, in Tecken's shape.
fn receipt_json(receipt: &Receipt) -> Value {
    let upload = &receipt.upload;
    json!({"upload": {
        "id": receipt.id,
        "size": upload.size,
        "filename": upload.file_name,
        "bucket": upload.bucket,
        "download_url": upload.download_url,
        "try_symbols": upload.store.is_try(),
        "redirect_urls": upload.redirect_urls,
        "completed_at": json_time(receipt.completed_at),
        "created_at": json_time(upload.created_at),
        "user": upload.user,
        "skipped_keys": receipt.skipped_keys,
    }})
}

fn record_json(full: &FullRecord) -> Value {
    let (record, upload) = (&full.upload, &full.upload.facts);
    let (completed_at, failure) = match &record.state {
        UploadState::Pending => (None, None),
        UploadState::Completed(at) => (Some(json_time(*at)), None),
        UploadState::Failed(reason) => (None, Some(reason)),
    };
    let milliseconds = |time: Option<Duration>| time.map(|time| time.as_millis());
    let files = full.files.iter().map(|file| {
        let replaced = full
            .replaced
            .iter()
            .find(|replaced| replaced.key == file.key);
        file_json(&upload.bucket, file, replaced)
    });
    json!({"upload": {
        "id": record.id,
        "user": {"email": upload.user},
        "filename": upload.file_name,
        "size": upload.size,
        "bucket_name": upload.bucket,
        "try_symbols": upload.store.is_try(),
        "content_hash": upload.content_hash,
        "download_url": upload.download_url,
        "redirect_urls": upload.redirect_urls,
        "skipped_keys": record.skipped_keys,
        "ignored_keys": upload.ignored_keys,
        "created_at": json_time(upload.created_at),
        "completed_at": completed_at,
        "failure": failure,
        "milliseconds": {
            "receiving": milliseconds(upload.received_in),
            "checking": milliseconds(upload.checked_in),
            "storing": milliseconds(record.stored_in),
        },
        "file_uploads": files.collect::<Vec<_>>(),
    }})
}

fn file_json(bucket: &str, file: &FileRecord, replaced: Option<&ReplacedFile>) -> Value {
    json!({
        "bucket_name": bucket,
        "key": file.key,
        "update": file.is_update,
        "compressed": file.is_compressed,
        "size": file.stored_size,
        "original_size": file.original_size,
        "sha256": file.sha256,
        "replaced_sha256": file.replaced_sha256,
        "replaced": replaced.map(|replaced| json!({
            "upload": replaced.upload,
            "user": {"email": replaced.user},
            "completed_at": json_time(replaced.stored_at),
        })),
        "debug_filename": file.debug_file,
        "debug_id": file.debug_id,
        "code_file": file.code_file,
        "code_id": file.code_id,
        "generator": file.generator,
        "completed_at": json_time(file.stored_at),
    })
}
