//! Why an upload was refused, or could not be finished.

use bytesize::ByteSize;

use super::FetchError;
use super::breakpad::BreakpadError;
use super::verify::ArchiveError;
use crate::cpu::JobPanicked;
use crate::db::DbError;
use crate::storage::StorageError;

/// One variant per way to refuse or fail an upload. The sentences are for the person who sent it.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// All slots are taken, or all the room for temporary files.
    #[error("The server is busy with other uploads. Try again later")]
    Busy,
    /// The token has all the slots that one may have.
    #[error(
        "This token has {0} uploads under way, as many as one may. Try again when one has ended"
    )]
    TokenBusy(usize),
    /// The body is not a form with a file in it. The sentence is Tecken's.
    #[error("Must be multipart form data with at least one file")]
    NoFile,
    /// The form has a second file.
    #[error("The form has more than one file. Send one archive per request")]
    SecondFile,
    /// The form has both a file and an address.
    #[error("The form has both a file and a url. Send one of them")]
    FileAndUrl,
    /// The form has too many parts, or a field or a part's head is too long.
    #[error("The form has more fields, or longer ones, than an upload needs")]
    Form,
    /// A field of the form is there twice, with different values.
    #[error("The form has the field {0} twice, with different values. Send it once")]
    Contradiction(&'static str),
    /// The boundary between the parts of the form is not a legal one.
    #[error("The boundary of the form must have 1 to 70 characters")]
    Boundary,
    /// The body of the request is compressed as a whole.
    #[error("The request has a Content-Encoding. Send the form as it is")]
    Encoded,
    /// The archive is not called `.zip`. The sentence is Tecken's.
    #[error("Unrecognized archive file extension \"{0}\"")]
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
    /// The archive breaks a rule.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The archive could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A file is stored already with other bytes, and this upload must not change it.
    #[error(
        "{0} is stored already with other contents, and this server does not let this upload change it. Nothing was \
         stored; leave this file out, or ask whoever runs the server (setting upload.overwrite)"
    )]
    AlreadyExists(String),
    /// Another upload of one of the files is under way.
    #[error("Another upload of one of these files is under way. Try again when it has ended")]
    Contended,
    /// An upload of one file breaks a rule.
    #[error(transparent)]
    Breakpad(#[from] BreakpadError),
    /// There is no room for the temporary file.
    #[error("could not keep the archive in a temporary file: {0}")]
    Temporary(#[source] std::io::Error),
    /// The storage failed; files stored before stay.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
    /// A computation failed, which is a mistake in this program.
    #[error(transparent)]
    Panicked(#[from] JobPanicked),
}

impl UploadError {
    /// Tells whether the fault is this server's or a dependency's, so that the same upload may succeed later.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        match self {
            Self::Archive(error) => error.is_unreadable(),
            Self::Temporary(_) | Self::Storage(_) | Self::Database(_) | Self::Panicked(_) => true,
            _ => false,
        }
    }

    /// A short name of the refusal that does not change, for programs and for metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::TokenBusy(_) => "token_busy",
            Self::NoFile => "no_file",
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
            Self::Archive(error) => error.code(),
            Self::Fetch(error) => error.code(),
            Self::AlreadyExists(_) => "already_exists",
            Self::Contended => "contended",
            Self::Breakpad(error) => error.code(),
            Self::Temporary(_) | Self::Storage(StorageError::Full { .. }) => "disk_full",
            Self::Storage(_) => "storage_unavailable",
            Self::Database(_) => "database_unavailable",
            Self::Panicked(_) => "internal",
        }
    }
}
