//! Uploads of archives, and what a token may upload.

use std::sync::Arc;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::error::ApiError;
use super::extract::{self, ByToken};
use super::json::{WarningJson, json_time};
use crate::auth::Uploader;
use crate::upload::{Receipt, UploadService};

/// Takes an upload. Once the archive has arrived, the upload is finished even if the client disconnects.
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
    let upload = UploadJson::from(&receipt);
    Ok(HttpResponse::Created().json(ReceiptJson { upload }))
}

/// Answers what a token may upload. Mozilla's client asks before it uploads.
pub(super) async fn auth_info(ByToken(uploader): ByToken<Uploader>) -> HttpResponse {
    HttpResponse::Ok().json(AuthInfoJson {
        email: &uploader.email,
        token_expires_at: uploader.expires_at.unix_timestamp(),
        try_symbols: uploader.store.is_try(),
        upload_api_version: 1,
    })
}

/// What a token may upload, in Tecken's shape; the time is in seconds since 1970.
#[derive(Debug, Serialize)]
struct AuthInfoJson<'uploader> {
    email: &'uploader str,
    token_expires_at: i64,
    try_symbols: bool,
    upload_api_version: u8,
}

/// The answer to an upload, in Tecken's shape.
#[derive(Debug, Serialize)]
struct ReceiptJson<'receipt> {
    upload: UploadJson<'receipt>,
}

/// An upload that was stored; its size is in bytes.
#[derive(Debug, Serialize)]
struct UploadJson<'receipt> {
    bucket: &'receipt str,
    completed_at: String,
    created_at: String,
    download_url: Option<&'receipt str>,
    filename: &'receipt str,
    id: i64,
    redirect_urls: &'receipt [String],
    size: u64,
    skipped_keys: &'receipt [String],
    try_symbols: bool,
    user: &'receipt str,
    /// Not Tecken's, so it is left out where there is nothing to say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<WarningJson<'receipt>>,
}

impl<'receipt> From<&'receipt Receipt> for UploadJson<'receipt> {
    fn from(receipt: &'receipt Receipt) -> Self {
        let facts = &receipt.upload;
        Self {
            bucket: &facts.bucket,
            completed_at: json_time(receipt.completed_at),
            created_at: json_time(facts.created_at),
            download_url: facts.download_url.as_deref(),
            filename: &facts.file_name,
            id: receipt.id,
            redirect_urls: &facts.redirect_urls,
            size: facts.size,
            skipped_keys: &receipt.skipped_keys,
            try_symbols: facts.store.is_try(),
            user: &facts.user,
            warnings: facts.warnings.0.iter().map(WarningJson::from).collect(),
        }
    }
}
