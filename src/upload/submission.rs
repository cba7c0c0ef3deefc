//! What a client hands in.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use super::UploadSlot;
use super::early::EarlyVerification;
use symbols::SymbolKey;

/// An archive that has fully arrived, in a temporary file without a name: it vanishes with the last handle.
#[derive(Debug)]
pub struct TempArchive {
    /// The bytes.
    pub file: Arc<File>,
    /// How many there are.
    pub size: u64,
    /// The archive's name, as in `symbols.zip`.
    pub name: String,
    /// Where it was fetched from, if it was.
    pub origin: Option<Origin>,
    /// How long receiving or fetching it took.
    pub received_in: Duration,
    /// What has been found out about its members meanwhile.
    pub(super) early: Option<EarlyVerification>,
}

/// Where an archive was fetched from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The address that the client named, without its query.
    pub url: String,
    /// The addresses that it led to, in order, without their queries.
    pub redirects: Vec<String>,
}

/// The archive, or where it is, or a file without an archive around it.
#[derive(Debug)]
pub enum Source {
    /// The archive, which has fully arrived.
    Archive(TempArchive),
    /// An address to fetch it from.
    Url(String),
    /// One file, which has fully arrived, and where it belongs.
    File(TempArchive, SymbolKey),
}

/// What a client hands in.
#[derive(Debug)]
pub struct Submission {
    /// The archive, or its address.
    pub source: Source,
    /// Whether the client asked for the files to be try symbols.
    pub wants_try: bool,
    /// The place among the uploads under way; given back when the upload has ended.
    pub slot: UploadSlot,
}
