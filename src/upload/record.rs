//! What is kept of an upload: made before it is stored, ended whatever comes of it, and read again.

use md5::{Digest as _, Md5};
use time::OffsetDateTime;

use super::archive::{Content, Entry};
use super::{TempArchive, UploadError, UploadService};
use crate::auth::{Permission, Principal, Uploader};
use crate::db::DbError;
use crate::db::files::ReplacedFile;
use crate::db::uploads::{FileRecord, NewUpload, Outcome, UploadRecord};

/// All that is recorded of an upload.
#[derive(Clone, Debug)]
pub struct FullRecord {
    /// The upload itself.
    pub upload: UploadRecord,
    /// The files that it stored.
    pub files: Vec<FileRecord>,
    /// Who had stored the files that it replaced, as far as that is recorded.
    pub replaced: Vec<ReplacedFile>,
}

/// Why a record is not shown.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The upload is another person's, and the principal lacks this permission.
    #[error("the upload is another person's, and the token lacks the permission {0}")]
    NotPermitted(Permission),
    /// The record could not be read.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl UploadService {
    /// The record of an upload, its files, and who had stored the files that it replaced. It is shown to the person who
    /// uploaded, and to those who may view all uploads.
    ///
    /// # Errors
    /// The upload is another person's, or the database is away.
    pub async fn record_for(
        &self,
        principal: &Principal,
        id: i64,
    ) -> Result<Option<FullRecord>, RecordError> {
        let Some((upload, files)) = self.database.upload(id).await? else {
            return Ok(None);
        };
        let is_theirs = upload.upload.user == principal.email();
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

    /// What is recorded of an upload before it is stored.
    pub(super) fn describe(
        &self,
        uploader: Uploader,
        archive: &TempArchive,
        entries: &[Entry],
        is_try: bool,
    ) -> NewUpload {
        let origin = archive.origin.clone();
        let target = self.catalog.upload_target(is_try);
        NewUpload {
            user: uploader.email,
            file_name: archive.name.clone(),
            size: archive.size,
            bucket: target.storage().name().to_owned(),
            is_try,
            content_hash: content_hash(entries),
            download_url: origin.as_ref().map(|origin| origin.url.clone()),
            redirect_urls: origin.map(|origin| origin.redirects).unwrap_or_default(),
            ignored_keys: names_of_ignored(entries),
            created_at: self.clock.now(),
            received_in: Some(archive.received_in),
            checked_in: None,
        }
    }

    /// Ends the record of an upload that was not stored: one that was refused was never there, one that failed tells why.
    pub(super) async fn end_record(&self, id: i64, error: &UploadError) -> Result<(), DbError> {
        if error.is_ours() {
            self.database.fail_upload(id, &error.to_string()).await?;
            return Ok(());
        }
        self.database.withdraw_upload(id).await
    }

    /// Completes the record. When the answer is lost it may be complete nevertheless, so the database is asked to give it
    /// up, which it does unless it is.
    pub(super) async fn complete(
        &self,
        id: i64,
        outcome: &Outcome,
        at: OffsetDateTime,
    ) -> Result<(), UploadError> {
        let Err(error) = self.database.complete_upload(id, outcome, at).await else {
            return Ok(());
        };
        match self.database.fail_upload(id, &error.to_string()).await {
            Ok(true) => Ok(()),
            _ => Err(error.into()),
        }
    }
}

fn names_of_ignored(entries: &[Entry]) -> Vec<String> {
    let ignored = entries
        .iter()
        .filter(|entry| entry.content == Content::Ignored);
    ignored.map(|entry| entry.name.clone()).collect()
}

/// What Tecken calls the content hash: MD5 over the sorted `name:size` lines, 30 digits of it. It tells equal uploads,
/// nothing depends on it.
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
