//! Receiving an upload: the form's one file goes to a temporary file as it comes.

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::web::{Bytes, Payload};
use futures_util::StreamExt;
use std::sync::Arc;
use tokio::fs::File;
use tokio::io::{AsyncWriteExt, BufWriter};

use super::pace::Pace;
use crate::blocking;
use crate::upload::{Submission, TempArchive, UploadConfig, UploadError, UploadService};

/// The most parts of a form.
const PARTS: usize = 20;

/// The longest value of a field that is no file, in bytes.
const FIELD_LENGTH: usize = 8 * 1024;

/// The longest name of an archive that is kept, in bytes.
const NAME_LENGTH: usize = 100;

/// How much is gathered before it is written to the temporary file, in bytes.
const PIECE: usize = 1024 * 1024;

/// Receives the form of an upload.
///
/// # Errors
/// The server is busy, the form is not one of an upload, it is too large, or it does not arrive.
pub(in crate::http) async fn receive(
    request: &HttpRequest,
    body: Payload,
    uploads: &UploadService,
) -> Result<Submission, UploadError> {
    let slot = uploads.enter()?;
    let config = uploads.config();
    refuse_declared_length(request, config)?;
    let mut form = Multipart::new(request.headers(), body);
    let mut pace = Pace::new(config);
    let mut archive = None;
    let mut wants_try = false;
    for _ in 0..PARTS {
        let Some(field) = pace.wait(form.next()).await? else {
            let archive = archive.ok_or(UploadError::NoFile)?;
            return Ok(Submission {
                archive,
                wants_try,
                slot,
            });
        };
        let mut field = field.map_err(|error| refusal(&error))?;
        if is_file(&field) {
            if archive.is_some() {
                return Err(UploadError::SecondFile);
            }
            archive = Some(receive_file(&mut field, &mut pace, uploads).await?);
        } else {
            let value = receive_value(&mut field, &mut pace).await?;
            // Tecken's rule: any text means yes, even "0".
            wants_try |= field.name() == Some("try") && !value.is_empty();
        }
    }
    Err(UploadError::Form)
}

fn refuse_declared_length(request: &HttpRequest, config: &UploadConfig) -> Result<(), UploadError> {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<u64>().ok());
    // The form around the archive takes a little more.
    let limit = config
        .size
        .as_u64()
        .saturating_add((PARTS * FIELD_LENGTH) as u64);
    if length.is_some_and(|length| length > limit) {
        Err(UploadError::TooLarge(config.size))
    } else {
        Ok(())
    }
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
    let name = archive_name(field.name().unwrap_or_default())?;
    let limit = uploads.config().size;
    let scratch = Arc::clone(uploads.scratch());
    let file = blocking::run(move || scratch.unnamed_file())
        .await
        .map_err(UploadError::Temporary)?;
    let mut file = BufWriter::with_capacity(PIECE, File::from_std(file));
    let mut size = 0;
    while let Some(piece) = next_piece(field, pace).await? {
        size += piece.len() as u64;
        if size > limit.as_u64() {
            return Err(UploadError::TooLarge(limit));
        }
        file.write_all(&piece)
            .await
            .map_err(UploadError::Temporary)?;
    }
    // An asynchronous file tells of a failed write only when it is flushed.
    file.flush().await.map_err(UploadError::Temporary)?;
    let file = Arc::new(file.into_inner().into_std().await);
    Ok(TempArchive { file, size, name })
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

/// Checks that an archive is called `.zip`, in any case, and cuts a name that is too long for the record.
fn archive_name(name: &str) -> Result<String, UploadError> {
    let extension = name.rfind('.').map_or("", |dot| &name[dot..]);
    if !extension.eq_ignore_ascii_case(".zip") {
        return Err(UploadError::Extension(
            extension.chars().take(NAME_LENGTH).collect(),
        ));
    }
    let legal = |character: &char| !character.is_control();
    let name: String = name.chars().filter(legal).collect();
    let start = name.len().saturating_sub(NAME_LENGTH);
    let start = (start..=name.len())
        .find(|index| name.is_char_boundary(*index))
        .unwrap_or(0);
    Ok(name[start..].to_owned())
}

/// A body that ends early is the connection's fault; anything else is not a form.
fn refusal(error: &MultipartError) -> UploadError {
    match error {
        MultipartError::Payload(PayloadError::Overflow) => UploadError::Form,
        MultipartError::Payload(_) | MultipartError::Incomplete => UploadError::Incomplete,
        _ => UploadError::NoFile,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archive_names() {
        assert_eq!(archive_name("a.ZIP").unwrap(), "a.ZIP");
        assert_eq!(archive_name("a\r\n.zip").unwrap(), "a.zip");
        let long = format!("{}.zip", "汉".repeat(60));
        let cut = archive_name(&long).unwrap();
        assert!(cut.len() <= NAME_LENGTH && cut.ends_with("汉.zip"));
        for (name, extension) in [("file", ""), ("a.rar", ".rar"), ("", ""), ("zip", "")] {
            let Err(UploadError::Extension(found)) = archive_name(name) else {
                panic!("{name}")
            };
            assert_eq!(found, extension);
        }
    }
}
