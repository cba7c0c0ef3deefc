//! Receiving an upload: the form's one file goes to a temporary file as it comes, or its address is taken down.
//!
//! What the head of the request tells is looked at first; then the upload takes its place; only then is the body asked
//! for.

use actix_web::HttpRequest;
use actix_web::web::Payload;

use super::form::{Form, Part, announced_length, check_form, receive_short};
use crate::auth::Uploader;
use crate::upload::{Intake, ReceiveError, ReceivedFile, Submission, Submitted};

/// What a form says.
#[derive(Debug, Default)]
struct Said {
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
    let slot = intake.enter(uploader.token_id, announced_length(request))?;
    let said = if is_url_encoded {
        pairs(body, intake).await?
    } else {
        parts(Form::new(request, body, intake), intake).await?
    };
    let submitted = match (said.archive, said.url) {
        (Some(archive), None) => Submitted::Archive(archive),
        (None, Some(url)) => Submitted::Url(url),
        (Some(_), Some(_)) => return Err(ReceiveError::FileAndUrl),
        (None, None) => return Err(ReceiveError::NoFile),
    };
    Ok(Submission {
        submitted,
        // Tecken's rule: any text means yes, even "0".
        wants_try: said.tries.is_some_and(|text| !text.is_empty()),
        slot,
    })
}

impl Said {
    /// Takes down a field that is no file. Twice the same is once; what contradicts itself is refused, since any choice
    /// could publish what was meant as a try.
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

/// Takes down a form of parts. Its file's field's name is the archive's name, as Tecken has it.
async fn parts(mut form: Form<'_>, intake: &Intake) -> Result<Said, ReceiveError> {
    let mut said = Said::default();
    while let Some(part) = form.next().await? {
        match part {
            Part::Value(name, value) => said.set(&name, &value)?,
            Part::File(_) if said.archive.is_some() => return Err(ReceiveError::SecondFile),
            Part::File(field) => {
                let name = field.name().unwrap_or_default();
                let archive = intake.archive(name).await?;
                said.archive = Some(form.receive(field, archive).await?);
            }
        }
    }
    Ok(said)
}

/// Takes down a form that is url-encoded, which has no files.
async fn pairs(body: Payload, intake: &Intake) -> Result<Said, ReceiveError> {
    let bytes = receive_short(body, intake).await?;
    let mut said = Said::default();
    for (name, value) in form_urlencoded::parse(&bytes) {
        said.set(&name, &value)?;
    }
    Ok(said)
}
