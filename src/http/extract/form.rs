//! The bodies of uploads, read piece by piece.
//!
//! Everything is bounded: the whole body, the number of a form's parts, their values, and the heads of parts (by the
//! multipart library: 32 lines and 64 KiB).

use std::io;

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::web::{Bytes, Payload};
use actix_web::{HttpMessage, HttpRequest};
use futures_util::{Stream, StreamExt};

use crate::upload::{IncomingFile, Intake, Pace, ReceiveError, ReceivedFile};

/// The most parts of a form.
const PARTS: usize = 20;

/// The longest value of a field that is not a file, and the longest url-encoded or JSON body, in bytes.
const FIELD_LENGTH: usize = 8 * 1024;

/// The longest boundary between the parts of a form, in bytes (RFC 2046, section 5.1.1).
const BOUNDARY_LENGTH: usize = 70;

/// The length of the body in bytes, if the client announces it.
pub(in crate::http) fn announced_length(request: &HttpRequest) -> Option<u64> {
    let length = request.headers().get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

/// Checks the headers that describe the form. Returns whether it is url-encoded.
pub(super) fn check_form(request: &HttpRequest) -> Result<bool, ReceiveError> {
    let encoding = request.headers().get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| encoding != "identity") {
        return Err(ReceiveError::Encoded);
    }
    let form = request.mime_type().map_err(|_| ReceiveError::NotAForm)?;
    let form = form.ok_or(ReceiveError::NoFile)?;
    if form.essence_str() == "application/x-www-form-urlencoded" {
        return Ok(true);
    }
    let boundary = form.get_param("boundary").ok_or(ReceiveError::NotAForm)?;
    let is_legal = (1..=BOUNDARY_LENGTH).contains(&boundary.as_str().len());
    is_legal.then_some(false).ok_or(ReceiveError::Boundary)
}

/// One part of a form.
#[expect(
    clippy::large_enum_variant,
    reason = "a part is made once and taken apart at once"
)]
pub(super) enum Part {
    /// A field that is not a file: its name and its value.
    Value(String, String),
    /// A file, which has not been received yet.
    File(FormFile),
}

/// A file in a form.
pub(super) struct FormFile {
    field: Field,
    /// What has been read of it.
    start: Bytes,
}

impl FormFile {
    /// The name of an archive: the name of the field, as in Tecken, or the file's own name where the field's has no
    /// ending, as in `curl -F file=@symbols.zip`.
    pub(super) fn archive_name(&self) -> &str {
        let field_name = self.field.name().unwrap_or_default();
        match file_name(&self.field) {
            Some(file_name) if !field_name.contains('.') => file_name,
            _ => field_name,
        }
    }
}

/// A multipart form that is arriving.
pub(super) struct Form<'a> {
    intake: &'a Intake,
    pace: Pace,
    parts: Multipart,
    number: usize,
}

impl<'a> Form<'a> {
    pub(super) fn new(request: &HttpRequest, body: Payload, intake: &'a Intake) -> Self {
        Self {
            intake,
            pace: intake.pace(),
            parts: Multipart::new(request.headers(), bounded(body, intake.longest_body())),
            number: 0,
        }
    }

    /// The next part; `None` when the form has ended. The input of a page that was left empty, which is sent as a file
    /// without a name and without bytes, is no part (WHATWG HTML 4.10.22.4).
    pub(super) async fn next(&mut self) -> Result<Option<Part>, ReceiveError> {
        while let Some(mut field) = self.next_field().await? {
            let start = match file_name(&field) {
                None => return self.value(field).await.map(Some),
                Some("") => self.piece(&mut field).await?,
                Some(_) => Some(Bytes::new()),
            };
            if let Some(start) = start {
                return Ok(Some(Part::File(FormFile { field, start })));
            }
        }
        Ok(None)
    }

    async fn next_field(&mut self) -> Result<Option<Field>, ReceiveError> {
        if self.number == PARTS {
            return Err(ReceiveError::Form);
        }
        let Some(field) = self.pace.wait(self.parts.next()).await? else {
            return Ok(None);
        };
        let field = match field {
            // A body without a single boundary was never a form.
            Err(MultipartError::Incomplete) if self.number == 0 => {
                return Err(ReceiveError::NoFile);
            }
            field => field.map_err(|error| self.refusal(&error))?,
        };
        self.number += 1;
        Ok(Some(field))
    }

    /// Writes a file to its temporary file.
    pub(super) async fn receive(
        &mut self,
        form_file: FormFile,
        mut file: IncomingFile,
    ) -> Result<ReceivedFile, ReceiveError> {
        let FormFile { mut field, start } = form_file;
        file.write(&start).await?;
        while let Some(piece) = self.piece(&mut field).await? {
            file.write(&piece).await?;
        }
        file.finish().await
    }

    async fn value(&mut self, mut field: Field) -> Result<Part, ReceiveError> {
        let mut value = Vec::new();
        while let Some(piece) = self.piece(&mut field).await? {
            if value.len() + piece.len() > FIELD_LENGTH {
                return Err(ReceiveError::Form);
            }
            value.extend_from_slice(&piece);
        }
        let name = field.name().unwrap_or_default().to_owned();
        let value = String::from_utf8_lossy(&value).into_owned();
        Ok(Part::Value(name, value))
    }

    async fn piece(&mut self, field: &mut Field) -> Result<Option<Bytes>, ReceiveError> {
        let piece = self.pace.wait(field.next()).await?.transpose();
        let piece = piece.map_err(|error| self.refusal(&error))?;
        if let Some(piece) = &piece {
            self.pace.received(piece.len());
        }
        Ok(piece)
    }

    /// A body that ends early is incomplete; any other error means that the body is not a form.
    fn refusal(&self, error: &MultipartError) -> ReceiveError {
        match error {
            MultipartError::Payload(PayloadError::Io(error))
                if error.kind() == io::ErrorKind::FileTooLarge =>
            {
                ReceiveError::TooLarge(self.intake.largest())
            }
            MultipartError::Payload(PayloadError::Overflow) | MultipartError::Parse(_) => {
                ReceiveError::Form
            }
            MultipartError::Payload(_) | MultipartError::Incomplete => ReceiveError::Incomplete,
            _ => ReceiveError::NoFile,
        }
    }
}

/// Receives a body that is a file, whatever its `Content-Type`.
///
/// # Errors
/// It is too large, or it does not arrive.
pub(in crate::http) async fn receive_bytes(
    mut body: Payload,
    intake: &Intake,
) -> Result<ReceivedFile, ReceiveError> {
    let mut pace = intake.pace();
    let mut file = intake.file().await?;
    while let Some(piece) = pace.wait(body.next()).await? {
        let piece = piece.map_err(|_| ReceiveError::Incomplete)?;
        pace.received(piece.len());
        file.write(&piece).await?;
    }
    file.finish().await
}

/// Receives a short body as a whole; `None` if it is longer than a body without a file needs to be.
pub(super) async fn receive_short(
    mut body: Payload,
    intake: &Intake,
) -> Result<Option<Vec<u8>>, ReceiveError> {
    let pace = intake.pace();
    let mut bytes = Vec::new();
    while let Some(piece) = pace.wait(body.next()).await? {
        let piece = piece.map_err(|_| ReceiveError::Incomplete)?;
        if bytes.len() + piece.len() > FIELD_LENGTH {
            return Ok(None);
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(Some(bytes))
}

/// The body, which fails as soon as it is longer than the limit, in bytes.
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

/// The name of the file in this part. A part with a file name is a file, as in any web framework.
fn file_name(field: &Field) -> Option<&str> {
    field.content_disposition()?.get_filename()
}
