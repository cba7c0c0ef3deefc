//! The records of uploads.

use std::time::Duration;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use symbols::{DebugId, Sha256, SymbolKey};

use crate::auth::Principal;
use crate::db::files::ReplacedFile;
use crate::db::uploads::{FileRecord, UploadState};
use crate::http::error::ApiError;
use crate::http::extract::ByToken;
use crate::http::json::{WarningJson, json_time};
use crate::upload::{FullRecord, UploadService};

/// Shows the record of an upload and its files to its owner and to tokens that may view all uploads.
pub(in crate::http) async fn record(
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
    let upload = RecordJson::from(&record);
    Ok(HttpResponse::Ok().json(FullRecordJson { upload }))
}

/// The record of an upload, in Tecken's shape.
#[derive(Debug, Serialize)]
struct FullRecordJson<'record> {
    upload: RecordJson<'record>,
}

/// An upload with its files. `completed_at` and `failure` are null while it is pending.
#[derive(Debug, Serialize)]
struct RecordJson<'record> {
    bucket_name: &'record str,
    completed_at: Option<String>,
    content_hash: &'record str,
    created_at: String,
    download_url: Option<&'record str>,
    failure: Option<&'record str>,
    file_uploads: Vec<FileJson<'record>>,
    filename: &'record str,
    id: i64,
    ignored_keys: &'record [String],
    milliseconds: StepsJson,
    redirect_urls: &'record [String],
    size: u64,
    skipped_keys: &'record [String],
    try_symbols: bool,
    user: UserJson<'record>,
    warnings: Vec<WarningJson<'record>>,
}

/// How many milliseconds each step took; null where it was not measured.
#[derive(Debug, Serialize)]
struct StepsJson {
    checking: Option<u128>,
    receiving: Option<u128>,
    storing: Option<u128>,
}

/// The owner of an upload.
#[derive(Debug, Serialize)]
struct UserJson<'record> {
    email: &'record str,
}

/// A file that the upload stored. Sizes are in bytes; the ids and names are those of the `.sym` header.
#[derive(Debug, Serialize)]
struct FileJson<'record> {
    bucket_name: &'record str,
    code_file: Option<&'record str>,
    code_id: Option<&'record DebugId>,
    completed_at: String,
    compressed: bool,
    debug_filename: Option<&'record str>,
    debug_id: Option<&'record DebugId>,
    generator: Option<&'record str>,
    key: &'record SymbolKey,
    original_size: u64,
    replaced: Option<ReplacedJson<'record>>,
    replaced_sha256: Option<&'record Sha256>,
    sha256: &'record Sha256,
    size: u64,
    update: bool,
}

/// The upload that had stored the file that was replaced.
#[derive(Debug, Serialize)]
struct ReplacedJson<'record> {
    completed_at: String,
    upload: i64,
    user: UserJson<'record>,
}

impl<'record> From<&'record FullRecord> for RecordJson<'record> {
    fn from(full: &'record FullRecord) -> Self {
        let (record, facts) = (&full.upload, &full.upload.facts);
        let (completed_at, failure) = match &record.state {
            UploadState::Pending => (None, None),
            UploadState::Completed(at) => (Some(json_time(*at)), None),
            UploadState::Failed(reason) => (None, Some(reason.as_str())),
        };
        let files = full.files.iter().map(|file| {
            let replaced = full.replaced.iter().find(|other| other.key == file.key);
            FileJson::of(file, &facts.bucket, replaced)
        });
        let milliseconds = |time: Option<Duration>| time.map(|time| time.as_millis());
        Self {
            bucket_name: &facts.bucket,
            completed_at,
            content_hash: &facts.content_hash,
            created_at: json_time(facts.created_at),
            download_url: facts.download_url.as_deref(),
            failure,
            file_uploads: files.collect(),
            filename: &facts.file_name,
            id: record.id,
            ignored_keys: &facts.ignored_keys,
            milliseconds: StepsJson {
                checking: milliseconds(facts.checked_in),
                receiving: milliseconds(facts.received_in),
                storing: milliseconds(record.stored_in),
            },
            redirect_urls: &facts.redirect_urls,
            size: facts.size,
            skipped_keys: &record.skipped_keys,
            try_symbols: facts.store.is_try(),
            user: UserJson { email: &facts.user },
            warnings: facts.warnings.0.iter().map(WarningJson::from).collect(),
        }
    }
}

impl<'record> FileJson<'record> {
    fn of(
        file: &'record FileRecord,
        bucket: &'record str,
        replaced: Option<&'record ReplacedFile>,
    ) -> Self {
        Self {
            bucket_name: bucket,
            code_file: file.code_file.as_deref(),
            code_id: file.code_id.as_ref(),
            completed_at: json_time(file.stored_at),
            compressed: file.is_compressed,
            debug_filename: file.debug_file.as_deref(),
            debug_id: file.debug_id.as_ref(),
            generator: file.generator.as_deref(),
            key: &file.key,
            original_size: file.original_size,
            replaced: replaced.map(ReplacedJson::from),
            replaced_sha256: file.replaced_sha256.as_ref(),
            sha256: &file.sha256,
            size: file.stored_size,
            update: file.is_update,
        }
    }
}

impl<'record> From<&'record ReplacedFile> for ReplacedJson<'record> {
    fn from(replaced: &'record ReplacedFile) -> Self {
        Self {
            completed_at: json_time(replaced.stored_at),
            upload: replaced.upload,
            user: UserJson {
                email: &replaced.user,
            },
        }
    }
}
