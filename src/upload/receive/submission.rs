//! What a client submits.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use super::admission::UploadSlot;
use crate::upload::verify::EarlyVerification;
use symbols::SymbolKey;

/// An archive or a file that has fully arrived, in a temporary file without a name, which is gone once it is closed.
#[derive(Debug)]
pub struct ReceivedFile {
    /// The bytes.
    pub file: Arc<File>,
    /// Its size in bytes.
    pub size: u64,
    /// Its name, such as `symbols.zip`.
    pub name: String,
    /// Where it was fetched from, if it came by URL.
    pub fetched_from: Option<FetchedFrom>,
    /// How long receiving or fetching it took.
    pub received_in: Duration,
    /// Members that were verified as they arrived.
    pub(in crate::upload) early: Option<EarlyVerification>,
}

/// Where an archive was fetched from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedFrom {
    /// The URL that the client named, without its query.
    pub url: String,
    /// The URLs of the redirects, in order, without their queries.
    pub redirects: Vec<String>,
}

/// An archive, the URL of one, or a file without an archive.
#[derive(Debug)]
pub enum Submitted {
    /// The archive, which has fully arrived.
    Archive(ReceivedFile),
    /// The URL to fetch the archive from.
    Url(String),
    /// One file, which has fully arrived, and its key.
    File(ReceivedFile, SymbolKey),
}

/// One submission.
#[derive(Debug)]
pub struct Submission {
    /// The archive, its URL, or a file.
    pub submitted: Submitted,
    /// Whether the client asked for the files to be try symbols.
    pub wants_try: bool,
    /// The slot, which is given back when the upload has ended.
    pub slot: UploadSlot,
}
