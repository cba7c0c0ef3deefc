//! Why an upload was refused before it had arrived.

use bytesize::ByteSize;

use super::fetch_error::FetchError;

/// One variant per reason. The sentences are for the client.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// All slots are taken, or all the room for temporary files.
    #[error("The server is busy with other uploads. Try again later")]
    Busy,
    /// The token has as many uploads in progress as it may have.
    #[error(
        "This token has {0} uploads under way, as many as one may. Try again when one has ended"
    )]
    TokenBusy(usize),
    /// The body is not a form with a file in it. The sentence is Tecken's.
    #[error("Must be multipart form data with at least one file")]
    NoFile,
    /// The body is something else than a form.
    #[error(
        "The body is not a multipart form. Send the archive as a file in one, as in \
         curl -F symbols.zip=@symbols.zip"
    )]
    NotAForm,
    /// The form has more than one file.
    #[error("The form has more than one file. Send one archive per request")]
    SecondFile,
    /// The form has both a file and a URL.
    #[error("The form has both a file and a url. Send one of them")]
    FileAndUrl,
    /// The form has too many parts, a field or a part's head is too long, or a part is damaged.
    #[error(
        "The form has more than 20 fields, one that is longer than 8 KiB and no file, or one that is damaged. Send the \
         archive as its one file, as in curl -F symbols.zip=@symbols.zip"
    )]
    Form,
    /// A field of the form occurs twice, with different values.
    #[error("The form has the field {0} twice, with different values. Send it once")]
    Contradiction(&'static str),
    /// The boundary between the parts of the form is illegal.
    #[error("The boundary of the form must have 1 to 70 characters")]
    Boundary,
    /// The whole body of the request is compressed.
    #[error("The request has a Content-Encoding. Send the form as it is")]
    Encoded,
    /// The archive's name does not end in `.zip`. The first sentence is Tecken's.
    #[error(
        "Unrecognized archive file extension \"{0}\". The archive's name must end in .zip: in a form that is the name \
         of its field, as in curl -F symbols.zip=@symbols.zip"
    )]
    Extension(String),
    /// The archive is larger than the limit.
    #[error("The archive is larger than {0}. Split it into several uploads")]
    TooLarge(ByteSize),
    /// The client stopped sending, or sent too slowly.
    #[error("The upload did not arrive in time: {0}. Send it again")]
    Stalled(&'static str),
    /// The connection ended before the body did.
    #[error("The upload ended before its last byte. Send it again")]
    Incomplete,
    /// The archive could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// There is no room for the temporary file.
    #[error("could not keep the archive in a temporary file: {0}")]
    Temporary(#[source] std::io::Error),
}

impl ReceiveError {
    /// Returns whether the fault is this server's, so that the same upload may succeed later.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Temporary(_))
    }

    /// A short name of the refusal that does not change, for programs and for metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::TokenBusy(_) => "token_busy",
            Self::NoFile => "no_file",
            Self::NotAForm => "not_a_form",
            Self::SecondFile => "second_file",
            Self::FileAndUrl => "file_and_url",
            Self::Form => "bad_form",
            Self::Contradiction(_) => "contradiction",
            Self::Boundary => "bad_boundary",
            Self::Encoded => "content_encoding",
            Self::Extension(_) => "bad_extension",
            Self::TooLarge(_) => "upload_too_large",
            Self::Stalled(_) => "stalled",
            Self::Incomplete => "incomplete",
            Self::Fetch(error) => error.code(),
            Self::Temporary(_) => "disk_full",
        }
    }
}
