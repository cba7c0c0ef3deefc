//! The record of an upload: begun before anything is stored, and ended however the upload ends.
//!
//! A record is pending while a process has the upload in progress ([`InFlight`]). [`AbandonedUploads`] ends the records
//! of processes that are gone.

mod abandoned;
mod in_flight;

use std::sync::Arc;

use md5::{Digest as _, Md5};
use time::OffsetDateTime;

use super::receive::ReceivedFile;
use super::verify::{Content, Entry};
use crate::auth::{Permission, Principal};
use crate::db::files::ReplacedFile;
use crate::db::uploads::{FileRecord, NewUpload, Outcome, UploadRecord};
use crate::db::warnings::Warnings;
use crate::db::{Database, DbError};
use symbols::{Store, SymbolKey};

pub use abandoned::AbandonedUploads;
pub use in_flight::InFlight;
pub(super) use in_flight::Ticket;

/// Everything that is recorded of an upload.
#[derive(Clone, Debug)]
pub struct FullRecord {
    /// The upload itself.
    pub upload: UploadRecord,
    /// The files that it stored.
    pub files: Vec<FileRecord>,
    /// The files that it replaced, with their uploaders where these are recorded.
    pub replaced: Vec<ReplacedFile>,
}

/// Why a record is not shown.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The upload belongs to another user, and the principal lacks this permission.
    #[error("the upload belongs to another user, and the token lacks the permission {0}")]
    NotPermitted(Permission),
    /// The record could not be read.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// How an upload that was not stored ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It was refused: the record is removed.
    Refused,
    /// The server or a dependency failed: the record says why.
    Failed,
}

/// Why an upload could not be recorded.
#[derive(Debug)]
pub(super) enum BeginError {
    /// Another pending upload has claimed one of the keys.
    Contended,
    /// The database failed.
    Database(DbError),
}

/// Writes and reads the records of uploads.
#[derive(Debug)]
pub(super) struct UploadLog {
    database: Arc<dyn Database>,
    in_flight: Arc<InFlight>,
}

impl UploadLog {
    pub(super) fn new(database: Arc<dyn Database>, in_flight: Arc<InFlight>) -> Self {
        Self {
            database,
            in_flight,
        }
    }

    /// Records a pending upload that claims these keys. Returns its number and its ticket.
    ///
    /// # Errors
    /// Another pending upload has claimed one of the keys, or the database failed.
    pub(super) async fn begin(
        &self,
        upload: &NewUpload,
        claims: Vec<SymbolKey>,
    ) -> Result<(i64, Ticket), BeginError> {
        let ticket = self.in_flight.take();
        let hold = ticket.hold(claims);
        match self.database.begin_upload(upload, &hold).await {
            Ok(id) => Ok((id, ticket)),
            Err(DbError::Conflict(_)) if !hold.claims.is_empty() => Err(BeginError::Contended),
            Err(error) => Err(BeginError::Database(error)),
        }
    }

    /// Completes the record. If the database's answer is lost, the record may be complete nevertheless. So we ask the
    /// database to mark it as failed, which it does unless the record is complete.
    pub(super) async fn complete(
        &self,
        id: i64,
        outcome: &Outcome,
        at: OffsetDateTime,
    ) -> Result<(), DbError> {
        let Err(error) = self.database.complete_upload(id, outcome, at).await else {
            return Ok(());
        };
        match self.database.fail_upload(id, &error.to_string()).await {
            Ok(true) => Ok(()),
            _ => Err(error),
        }
    }

    /// Ends the record of an upload that was not stored, for the given reason.
    pub(super) async fn end(&self, id: i64, ending: Ending, reason: &str) -> Result<(), DbError> {
        match ending {
            Ending::Failed => self.database.fail_upload(id, reason).await.map(drop),
            Ending::Refused => self.database.withdraw_upload(id).await,
        }
    }

    /// The record of an upload, its files, and the files that it replaced, for its uploader and for principals that may
    /// view all uploads.
    pub(super) async fn read(
        &self,
        principal: &Principal,
        id: i64,
    ) -> Result<Option<FullRecord>, RecordError> {
        let Some((upload, files)) = self.database.upload(id).await? else {
            return Ok(None);
        };
        let is_theirs = upload.facts.user == principal.email();
        if !is_theirs && !principal.may(Permission::ViewAllUploads) {
            return Err(RecordError::NotPermitted(Permission::ViewAllUploads));
        }
        let replaced = if files.iter().any(|file| file.is_update) {
            self.database.replaced_files(id).await?
        } else {
            Vec::new()
        };
        Ok(Some(FullRecord {
            upload,
            files,
            replaced,
        }))
    }
}

/// The facts of an upload that has been received, before it is verified and stored.
pub(super) fn describe(
    archive: &ReceivedFile,
    entries: &[Entry],
    target: UploadTarget<'_>,
    created_at: OffsetDateTime,
) -> NewUpload {
    let fetched_from = archive.fetched_from.clone();
    NewUpload {
        user: target.user.to_owned(),
        file_name: archive.name.clone(),
        size: archive.size,
        bucket: target.bucket.to_owned(),
        store: target.store,
        content_hash: content_hash(entries),
        download_url: fetched_from.as_ref().map(|from| from.url.clone()),
        redirect_urls: fetched_from.map(|from| from.redirects).unwrap_or_default(),
        ignored_keys: names_of_ignored(entries),
        warnings: Warnings::default(),
        created_at,
        received_in: Some(archive.received_in),
        checked_in: None,
    }
}

/// The uploader, and where the files go.
#[derive(Clone, Copy, Debug)]
pub(super) struct UploadTarget<'a> {
    /// E-mail address of the token's owner.
    pub(super) user: &'a str,
    /// The name of the storage.
    pub(super) bucket: &'a str,
    /// The store that the files go to.
    pub(super) store: Store,
}

fn names_of_ignored(entries: &[Entry]) -> Vec<String> {
    let ignored = entries
        .iter()
        .filter(|entry| entry.content == Content::Ignored);
    ignored.map(|entry| entry.name.clone()).collect()
}

/// Tecken's content hash: the first 30 digits of the MD5 of the sorted `name:size` lines. Equal uploads have equal
/// hashes; nothing depends on it.
fn content_hash(entries: &[Entry]) -> String {
    let mut lines: Vec<String> = entries
        .iter()
        .map(|entry| format!("{}:{}", entry.name, entry.size))
        .collect();
    lines.sort_unstable();
    let mut digest = hex::encode(Md5::digest(lines.join("\n").as_bytes()));
    digest.truncate(30);
    digest
}
