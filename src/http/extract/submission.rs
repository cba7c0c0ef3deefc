//! Receives the form of an upload: its one file is written to a temporary file as it arrives, or its URL is noted.
//!
//! The headers are checked first. Then the upload takes a slot, and only then is the body read.

use actix_web::HttpRequest;
use actix_web::web::Payload;

use super::form::{Form, Part, announced_length, check_form, receive_short};
use crate::auth::Uploader;
use crate::upload::{Intake, ReceiveError, ReceivedFile, Submission, Submitted};

/// The fields of a form that an upload needs.
#[derive(Debug, Default)]
struct Fields {
    archive: Option<ReceivedFile>,
    url: Option<String>,
    tries: Option<String>,
}

/// Receives the form of an upload.
///
/// # Errors
/// The server is busy, the form is not one of an upload, it is too large, or it does not arrive.
pub(in crate::http) async fn receive(
    request: &HttpRequest,
    body: Payload,
    uploader: &Uploader,
    intake: &Intake,
) -> Result<Submission, ReceiveError> {
    let is_url_encoded = check_form(request)?;
    let slot = intake
        .enter(uploader.token_id, announced_length(request))
        .await?;
    let fields = if is_url_encoded {
        receive_url_encoded(body, intake).await?
    } else {
        receive_multipart(Form::new(request, body, intake), intake).await?
    };
    let submitted = match (fields.archive, fields.url) {
        (Some(archive), None) => Submitted::Archive(archive),
        (None, Some(url)) => Submitted::Url(url),
        (Some(_), Some(_)) => return Err(ReceiveError::FileAndUrl),
        (None, None) => return Err(ReceiveError::NoFile),
    };
    Ok(Submission {
        submitted,
        // Tecken's rule: any text means yes, even "0".
        wants_try: fields.tries.is_some_and(|text| !text.is_empty()),
        slot,
    })
}

impl Fields {
    /// Sets a field that is not a file. A repeated field must have the same value: with two values, either choice could
    /// publish symbols that were meant as try symbols.
    fn set(&mut self, name: &str, value: &str) -> Result<(), ReceiveError> {
        let (name, place) = match name {
            "try" => ("try", &mut self.tries),
            "url" if !value.trim().is_empty() => ("url", &mut self.url),
            _ => return Ok(()),
        };
        match place {
            Some(first) if first != value => Err(ReceiveError::Contradiction(name)),
            _ => {
                *place = Some(value.to_owned());
                Ok(())
            }
        }
    }
}

/// Receives a multipart form.
async fn receive_multipart(mut form: Form<'_>, intake: &Intake) -> Result<Fields, ReceiveError> {
    let mut fields = Fields::default();
    while let Some(part) = form.next().await? {
        match part {
            Part::Value(name, value) => fields.set(&name, &value)?,
            Part::File(_) if fields.archive.is_some() => return Err(ReceiveError::SecondFile),
            Part::File(file) => {
                let archive = intake.archive(file.archive_name()).await?;
                fields.archive = Some(form.receive(file, archive).await?);
            }
        }
    }
    Ok(fields)
}

/// Receives a url-encoded form, which has no files.
async fn receive_url_encoded(body: Payload, intake: &Intake) -> Result<Fields, ReceiveError> {
    let bytes = receive_short(body, intake).await?;
    // `curl --data-binary @symbols.zip` says that its body is such a form.
    let bytes = bytes.ok_or(ReceiveError::NotAForm)?;
    let mut fields = Fields::default();
    for (name, value) in form_urlencoded::parse(&bytes) {
        fields.set(&name, &value)?;
    }
    Ok(fields)
}
