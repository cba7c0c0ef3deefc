//! What a client submits.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use super::admission::UploadSlot;
use crate::upload::verify::EarlyVerification;
use symbols::SymbolKey;

/// An archive or a file that has fully arrived, in a temporary file without a name: it vanishes with the last handle.
#[derive(Debug)]
pub struct ReceivedFile {
    /// The bytes.
    pub file: Arc<File>,
    /// How many there are.
    pub size: u64,
    /// Its name, as in `symbols.zip`.
    pub name: String,
    /// Where it was fetched from, if it was.
    pub fetched_from: Option<FetchedFrom>,
    /// How long receiving or fetching it took.
    pub received_in: Duration,
    /// Members that were verified as they arrived.
    pub(in crate::upload) early: Option<EarlyVerification>,
}

/// Where an archive was fetched from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedFrom {
    /// The address that the client named, without its query.
    pub url: String,
    /// The addresses that it led to, in order, without their queries.
    pub redirects: Vec<String>,
}

/// The archive, or where it is, or a file without an archive around it.
#[derive(Debug)]
pub enum Submitted {
    /// The archive, which has fully arrived.
    Archive(ReceivedFile),
    /// An address to fetch it from.
    Url(String),
    /// One file, which has fully arrived, and where it belongs.
    File(ReceivedFile, SymbolKey),
}

/// What a client submits.
#[derive(Debug)]
pub struct Submission {
    /// The archive, its address, or a file.
    pub submitted: Submitted,
    /// Whether the client asked for the files to be try symbols.
    pub wants_try: bool,
    /// The slot; given back when the upload has ended.
    pub slot: UploadSlot,
}
