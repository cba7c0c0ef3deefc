//! What a client hands in.

use std::fs::File;
use std::sync::Arc;

use super::UploadSlot;

/// An archive that has fully arrived, in a temporary file without a name: it vanishes with the last handle.
#[derive(Clone, Debug)]
pub struct TempArchive {
    /// The bytes.
    pub file: Arc<File>,
    /// How many there are.
    pub size: u64,
    /// The archive's name, as in `symbols.zip`.
    pub name: String,
}

/// An upload that has fully arrived.
#[derive(Debug)]
pub struct Submission {
    /// The archive.
    pub archive: TempArchive,
    /// Whether the client asked for the files to be try symbols.
    pub wants_try: bool,
    /// The place among the uploads under way; given back when the upload has ended.
    pub slot: UploadSlot,
}
