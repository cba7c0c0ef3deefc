//! Uploads and the files that each of them stored.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::DbError;
use super::build_ids::BuildIdRecord;
use super::warnings::Warnings;
use symbols::{DebugId, Sha256, Store, SymbolKey};

/// An upload that passed every check and is about to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUpload {
    /// E-mail address of the token's owner.
    pub user: String,
    /// The archive's name, as in `symbols.zip`.
    pub file_name: String,
    /// Size of the archive in bytes.
    pub size: u64,
    /// Where the files go, by the storage's name.
    pub bucket: String,
    /// Which store the files go to.
    pub store: Store,
    /// A digest of the members' names and sizes, as Tecken makes it; equal uploads share it.
    pub content_hash: String,
    /// The address that the archive was fetched from, without its query.
    pub download_url: Option<String>,
    /// The addresses that the download was redirected to, in order.
    pub redirect_urls: Vec<String>,
    /// Names of members that are never stored, such as `build-symbols.txt`.
    pub ignored_keys: Vec<String>,
    /// What the uploader should know of the members.
    pub warnings: Warnings,
    /// When the archive had arrived.
    pub created_at: OffsetDateTime,
    /// How long receiving or fetching the archive took, to the millisecond; `None` where it was not measured.
    pub received_in: Option<Duration>,
    /// How long checking it took, likewise.
    pub checked_in: Option<Duration>,
}

impl Default for NewUpload {
    /// An upload of which nothing is known, at the Unix epoch: where a literal of the known facts starts from.
    fn default() -> Self {
        Self {
            user: String::new(),
            file_name: String::new(),
            size: 0,
            bucket: String::new(),
            store: Store::Regular,
            content_hash: String::new(),
            download_url: None,
            redirect_urls: Vec::new(),
            ignored_keys: Vec::new(),
            warnings: Warnings::default(),
            created_at: OffsetDateTime::UNIX_EPOCH,
            received_in: None,
            checked_in: None,
        }
    }
}

/// The node that is processing an upload, and the keys that no other upload may store meanwhile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hold {
    /// The node, by a name that no other process has ever had.
    pub node: String,
    /// Identifies the upload among those of the node; later ones have higher tickets.
    pub ticket: i64,
    /// Keys that no other upload to the same store may claim while this one is pending.
    pub claims: Vec<SymbolKey>,
}

/// The state of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadState {
    /// Being stored.
    Pending,
    /// Every file is stored.
    Completed(OffsetDateTime),
    /// Given up, for this reason. Files stored before stay, and a repeat of the upload skips them.
    Failed(String),
}

/// An upload as recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadRecord {
    /// The record's number.
    pub id: i64,
    /// What was known when the upload began.
    pub facts: NewUpload,
    /// Its state.
    pub state: UploadState,
    /// Names of members that the storage already held.
    pub skipped_keys: Vec<String>,
    /// How long storing took, to the millisecond, of a completed upload; `None` where it was not measured.
    pub stored_in: Option<Duration>,
}

/// One file that an upload stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRecord {
    /// The key that the file was stored under.
    pub key: SymbolKey,
    /// Whether another file of this key was replaced.
    pub is_update: bool,
    /// Whether the file is stored gzipped.
    pub is_compressed: bool,
    /// Size as stored, in bytes.
    pub stored_size: u64,
    /// Size before compression, in bytes.
    pub original_size: u64,
    /// SHA-256 of the original bytes.
    pub sha256: Sha256,
    /// SHA-256 of the file that was replaced, where it is known.
    pub replaced_sha256: Option<Sha256>,
    /// The debug file's name from the `.sym` header.
    pub debug_file: Option<String>,
    /// The debug id from the `.sym` header.
    pub debug_id: Option<DebugId>,
    /// The code file's name from the `.sym` header.
    pub code_file: Option<String>,
    /// The code id from the `.sym` header.
    pub code_id: Option<DebugId>,
    /// The generator from the `.sym` header.
    pub generator: Option<String>,
    /// When the file was stored.
    pub stored_at: OffsetDateTime,
}

/// The result of an upload, with which it is completed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The files stored.
    pub files: Vec<FileRecord>,
    /// Names of members that the storage already held.
    pub skipped_keys: Vec<String>,
    /// The files of these members. A file may have no record yet, because its upload failed after storing it or because
    /// another program stored it. It is then recorded with this upload, so that it is found by its ids. It does not
    /// count among the upload's files, and the user does not become its uploader.
    pub held: Vec<FileRecord>,
    /// How long storing took.
    pub stored_in: Option<Duration>,
    /// Of the files stored and of those that were there already, the ones that are known by a build id.
    pub build_ids: Vec<BuildIdRecord>,
}

/// The uploads table and its files.
#[async_trait]
pub trait UploadRecords: Debug + Send + Sync {
    /// Records an upload as pending and returns its number. If another pending upload has claimed one of the keys,
    /// nothing is recorded and it is a [`DbError::Conflict`].
    async fn begin_upload(&self, upload: &NewUpload, hold: &Hold) -> Result<i64, DbError>;

    /// Records all files of an upload and marks it completed, in one transaction. An upload that is not pending, or
    /// not there, is left as it is and is a [`DbError::Conflict`].
    async fn complete_upload(
        &self,
        id: i64,
        outcome: &Outcome,
        at: OffsetDateTime,
    ) -> Result<(), DbError>;

    /// Marks a pending upload as failed, for a reason that a person can read. Any other upload is left as it is.
    /// Returns whether the upload had been completed: the answer to its completion may have been lost.
    async fn fail_upload(&self, id: i64, reason: &str) -> Result<bool, DbError>;

    /// Removes a pending upload, which was refused before anything of it was stored. Any other upload is left as it is.
    async fn withdraw_upload(&self, id: i64) -> Result<(), DbError>;

    /// The upload of this number and its files, in the order they were stored.
    async fn upload(&self, id: i64) -> Result<Option<(UploadRecord, Vec<FileRecord>)>, DbError>;
}

/// A duration as every engine keeps it.
pub(super) fn milliseconds(duration: Option<Duration>) -> Option<i64> {
    duration.map(|duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

/// A duration as an engine kept it.
pub(super) fn duration(milliseconds: Option<i64>) -> Option<Duration> {
    let milliseconds = milliseconds.and_then(|milliseconds| u64::try_from(milliseconds).ok());
    milliseconds.map(Duration::from_millis)
}
