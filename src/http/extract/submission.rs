//! Receiving an upload: the form's one file goes to a temporary file as it comes, or its address is taken down.

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::web::{Bytes, Payload};
use futures_util::StreamExt;

use crate::auth::Uploader;
use crate::upload::{
    IncomingArchive, Pace, Source, Submission, TempArchive, UploadConfig, UploadError,
    UploadService,
};

/// The most parts of a form.
const PARTS: usize = 20;

/// The longest value of a field that is no file, in bytes.
const FIELD_LENGTH: usize = 8 * 1024;

/// What a form says.
#[derive(Debug, Default)]
struct Form {
    archive: Option<TempArchive>,
    url: Option<String>,
    wants_try: bool,
}

/// Receives the form of an upload.
///
/// # Errors
/// The server is busy, the form is not one of an upload, it is too large, or it does not arrive.
pub(in crate::http) async fn receive(
    request: &HttpRequest,
    body: Payload,
    uploader: &Uploader,
    uploads: &UploadService,
) -> Result<Submission, UploadError> {
    let length = declared_length(request);
    refuse_length(length, uploads.config())?;
    let slot = uploads.enter(uploader, length)?;
    let form = if is_url_encoded(request) {
        receive_pairs(body, uploads).await?
    } else {
        receive_parts(request, body, uploads).await?
    };
    let source = match (form.archive, form.url) {
        (Some(archive), None) => Source::Archive(archive),
        (None, Some(url)) => Source::Url(url),
        (Some(_), Some(_)) => return Err(UploadError::FileAndUrl),
        (None, None) => return Err(UploadError::NoFile),
    };
    let wants_try = form.wants_try;
    Ok(Submission {
        source,
        wants_try,
        slot,
    })
}

impl Form {
    /// Takes down a field that is no file.
    fn set(&mut self, name: &str, value: &str) {
        match name {
            // Tecken's rule: any text means yes, even "0".
            "try" => self.wants_try |= !value.is_empty(),
            "url" if !value.trim().is_empty() => self.url = Some(value.to_owned()),
            _ => {}
        }
    }
}

fn is_url_encoded(request: &HttpRequest) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    content_type
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"))
}

async fn receive_parts(
    request: &HttpRequest,
    body: Payload,
    uploads: &UploadService,
) -> Result<Form, UploadError> {
    let mut parts = Multipart::new(request.headers(), body);
    let mut pace = Pace::new(uploads.config());
    let mut form = Form::default();
    for number in 0..PARTS {
        let Some(field) = pace.wait(parts.next()).await? else {
            return Ok(form);
        };
        let mut field = match field {
            // A body without a single boundary was never a form.
            Err(MultipartError::Incomplete) if number == 0 => return Err(UploadError::NoFile),
            field => field.map_err(|error| refusal(&error))?,
        };
        if !is_file(&field) {
            let value = receive_value(&mut field, &mut pace).await?;
            let name = field.name().unwrap_or_default();
            form.set(name, &String::from_utf8_lossy(&value));
        } else if form.archive.is_none() {
            form.archive = Some(receive_file(&mut field, &mut pace, uploads).await?);
        } else {
            return Err(UploadError::SecondFile);
        }
    }
    Err(UploadError::Form)
}

async fn receive_pairs(mut body: Payload, uploads: &UploadService) -> Result<Form, UploadError> {
    let pace = Pace::new(uploads.config());
    let mut bytes = Vec::new();
    while let Some(piece) = pace.wait(body.next()).await? {
        let piece = piece.map_err(|_| UploadError::Incomplete)?;
        if bytes.len() + piece.len() > FIELD_LENGTH {
            return Err(UploadError::Form);
        }
        bytes.extend_from_slice(&piece);
    }
    let mut form = Form::default();
    for (name, value) in form_urlencoded::parse(&bytes) {
        form.set(&name, &value);
    }
    Ok(form)
}

/// How long the body is, if the client says so.
fn declared_length(request: &HttpRequest) -> Option<u64> {
    let length = request.headers().get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

fn refuse_length(length: Option<u64>, config: &UploadConfig) -> Result<(), UploadError> {
    // The form around the archive takes a little more.
    let limit = config
        .size
        .as_u64()
        .saturating_add((PARTS * FIELD_LENGTH) as u64);
    if length.is_some_and(|length| length > limit) {
        return Err(UploadError::TooLarge(config.size));
    }
    Ok(())
}

/// A part with a file name is a file, as for any web framework.
fn is_file(field: &Field) -> bool {
    field
        .content_disposition()
        .is_some_and(|disposition| disposition.get_filename().is_some())
}

/// Writes a file part to a temporary file. Its field's name is the archive's name, as Tecken has it.
async fn receive_file(
    field: &mut Field,
    pace: &mut Pace,
    uploads: &UploadService,
) -> Result<TempArchive, UploadError> {
    let name = field.name().unwrap_or_default();
    let mut archive = IncomingArchive::begin(name, uploads).await?;
    while let Some(piece) = next_piece(field, pace).await? {
        archive.write(&piece).await?;
    }
    archive.finish().await
}

async fn receive_value(field: &mut Field, pace: &mut Pace) -> Result<Vec<u8>, UploadError> {
    let mut value = Vec::new();
    while let Some(piece) = next_piece(field, pace).await? {
        if value.len() + piece.len() > FIELD_LENGTH {
            return Err(UploadError::Form);
        }
        value.extend_from_slice(&piece);
    }
    Ok(value)
}

async fn next_piece(field: &mut Field, pace: &mut Pace) -> Result<Option<Bytes>, UploadError> {
    let piece = pace
        .wait(field.next())
        .await?
        .transpose()
        .map_err(|error| refusal(&error))?;
    if let Some(piece) = &piece {
        pace.received(piece.len());
    }
    Ok(piece)
}

/// A body that ends early is the connection's fault; anything else is not a form.
fn refusal(error: &MultipartError) -> UploadError {
    match error {
        MultipartError::Payload(PayloadError::Overflow) => UploadError::Form,
        MultipartError::Payload(_) | MultipartError::Incomplete => UploadError::Incomplete,
        _ => UploadError::NoFile,
    }
}
