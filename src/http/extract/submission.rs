//! Receiving an upload: the form's one file goes to a temporary file as it comes, or its address is taken down.
//!
//! What the head of the request tells is looked at first; then the upload takes its place; only then is the body asked
//! for. Everything in it is bounded: the whole, the number of parts, the fields, and the heads of parts (by the
//! multipart library: 32 lines and 64 KiB).

use std::io;
use std::pin::pin;

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::web::{Bytes, Payload};
use actix_web::{HttpMessage, HttpRequest};
use futures_util::{Stream, StreamExt};

use crate::auth::Uploader;
use crate::upload::{
    IncomingArchive, Pace, Source, Submission, TempArchive, UploadError, UploadService,
};

/// The most parts of a form.
const PARTS: usize = 20;

/// The longest value of a field that is no file, in bytes.
const FIELD_LENGTH: usize = 8 * 1024;

/// The longest boundary between the parts of a form, in bytes (RFC 2046, section 5.1.1).
const BOUNDARY_LENGTH: usize = 70;

/// What a form says.
#[derive(Debug, Default)]
struct Form {
    archive: Option<TempArchive>,
    url: Option<String>,
    tries: Option<String>,
}

/// A form that is arriving.
struct Receiving<'a> {
    uploads: &'a UploadService,
    pace: Pace,
    form: Form,
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
    let config = uploads.config();
    // The form around the archive takes a little more than the archive.
    let around = (PARTS * FIELD_LENGTH) as u64;
    let limit = config.size.as_u64().saturating_add(around);
    let length = declared_length(request);
    if length.is_some_and(|length| length > limit) {
        return Err(UploadError::TooLarge(config.size));
    }
    let is_url_encoded = check_form(request)?;
    let slot = uploads.enter(uploader, length)?;
    let receiving = Receiving {
        uploads,
        pace: Pace::new(config),
        form: Form::default(),
    };
    let body = bounded(body, limit);
    let form = if is_url_encoded {
        receiving.pairs(body).await?
    } else {
        receiving
            .parts(Multipart::new(request.headers(), body))
            .await?
    };
    let source = match (form.archive, form.url) {
        (Some(archive), None) => Source::Archive(archive),
        (None, Some(url)) => Source::Url(url),
        (Some(_), Some(_)) => return Err(UploadError::FileAndUrl),
        (None, None) => return Err(UploadError::NoFile),
    };
    Ok(Submission {
        source,
        // Tecken's rule: any text means yes, even "0".
        wants_try: form.tries.is_some_and(|text| !text.is_empty()),
        slot,
    })
}

impl Form {
    /// Takes down a field that is no file. Twice the same is once; what contradicts itself is refused, since any choice
    /// could publish what was meant as a try.
    fn set(&mut self, name: &str, value: &str) -> Result<(), UploadError> {
        let (name, place) = match name {
            "try" => ("try", &mut self.tries),
            "url" if !value.trim().is_empty() => ("url", &mut self.url),
            _ => return Ok(()),
        };
        match place {
            Some(first) if first != value => Err(UploadError::Contradiction(name)),
            _ => {
                *place = Some(value.to_owned());
                Ok(())
            }
        }
    }
}

/// How long the body is, if the client says so.
fn declared_length(request: &HttpRequest) -> Option<u64> {
    let length = request.headers().get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

/// Checks what the head tells of the form; tells whether it is url-encoded.
fn check_form(request: &HttpRequest) -> Result<bool, UploadError> {
    let encoding = request.headers().get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| encoding != "identity") {
        return Err(UploadError::Encoded);
    }
    let form = request
        .mime_type()
        .ok()
        .flatten()
        .ok_or(UploadError::NoFile)?;
    if form.essence_str() == "application/x-www-form-urlencoded" {
        return Ok(true);
    }
    let boundary = form.get_param("boundary").ok_or(UploadError::NoFile)?;
    let is_legal = (1..=BOUNDARY_LENGTH).contains(&boundary.as_str().len());
    is_legal.then_some(false).ok_or(UploadError::Boundary)
}

/// The body, which fails as soon as it is longer than this, in bytes.
fn bounded(body: Payload, limit: u64) -> impl Stream<Item = Result<Bytes, PayloadError>> {
    let mut left = limit;
    body.map(move |piece| {
        let piece = piece?;
        match left.checked_sub(piece.len() as u64) {
            Some(rest) => left = rest,
            None => return Err(PayloadError::Io(io::ErrorKind::FileTooLarge.into())),
        }
        Ok(piece)
    })
}

impl Receiving<'_> {
    async fn parts(mut self, mut parts: Multipart) -> Result<Form, UploadError> {
        for number in 0..PARTS {
            let Some(field) = self.pace.wait(parts.next()).await? else {
                return Ok(self.form);
            };
            let mut field = match field {
                // A body without a single boundary was never a form.
                Err(MultipartError::Incomplete) if number == 0 => return Err(UploadError::NoFile),
                field => field.map_err(|error| self.refusal(&error))?,
            };
            if !is_file(&field) {
                let value = self.value(&mut field).await?;
                let name = field.name().unwrap_or_default();
                self.form.set(name, &String::from_utf8_lossy(&value))?;
            } else if self.form.archive.is_none() {
                self.form.archive = Some(self.file(&mut field).await?);
            } else {
                return Err(UploadError::SecondFile);
            }
        }
        Err(UploadError::Form)
    }

    async fn pairs(
        mut self,
        body: impl Stream<Item = Result<Bytes, PayloadError>>,
    ) -> Result<Form, UploadError> {
        let mut body = pin!(body);
        let mut bytes = Vec::new();
        while let Some(piece) = self.pace.wait(body.next()).await? {
            let piece = piece.map_err(|_| UploadError::Incomplete)?;
            if bytes.len() + piece.len() > FIELD_LENGTH {
                return Err(UploadError::Form);
            }
            bytes.extend_from_slice(&piece);
        }
        for (name, value) in form_urlencoded::parse(&bytes) {
            self.form.set(&name, &value)?;
        }
        Ok(self.form)
    }

    /// Writes a file part to a temporary file. Its field's name is the archive's name, as Tecken has it.
    async fn file(&mut self, field: &mut Field) -> Result<TempArchive, UploadError> {
        let name = field.name().unwrap_or_default();
        let mut archive = IncomingArchive::begin(name, self.uploads).await?;
        while let Some(piece) = self.piece(field).await? {
            archive.write(&piece).await?;
        }
        archive.finish().await
    }

    async fn value(&mut self, field: &mut Field) -> Result<Vec<u8>, UploadError> {
        let mut value = Vec::new();
        while let Some(piece) = self.piece(field).await? {
            if value.len() + piece.len() > FIELD_LENGTH {
                return Err(UploadError::Form);
            }
            value.extend_from_slice(&piece);
        }
        Ok(value)
    }

    async fn piece(&mut self, field: &mut Field) -> Result<Option<Bytes>, UploadError> {
        let piece = self.pace.wait(field.next()).await?.transpose();
        let piece = piece.map_err(|error| self.refusal(&error))?;
        if let Some(piece) = &piece {
            self.pace.received(piece.len());
        }
        Ok(piece)
    }

    /// A body that ends early is the connection's fault; anything else is not a form.
    fn refusal(&self, error: &MultipartError) -> UploadError {
        match error {
            MultipartError::Payload(PayloadError::Io(error))
                if error.kind() == io::ErrorKind::FileTooLarge =>
            {
                UploadError::TooLarge(self.uploads.config().size)
            }
            MultipartError::Payload(PayloadError::Overflow) | MultipartError::Parse(_) => {
                UploadError::Form
            }
            MultipartError::Payload(_) | MultipartError::Incomplete => UploadError::Incomplete,
            _ => UploadError::NoFile,
        }
    }
}

/// A part with a file name is a file, as for any web framework.
fn is_file(field: &Field) -> bool {
    field
        .content_disposition()
        .is_some_and(|disposition| disposition.get_filename().is_some())
}
