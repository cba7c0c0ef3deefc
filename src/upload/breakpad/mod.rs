//! Uploads of one file, as Breakpad's `symupload` makes them.
//!
//! Its first protocol sends the file and what it is in one form. Its second asks whether the file is there, is given an
//! address to put the file to, puts it there, and says at last what it was. The requests of one upload may reach
//! different nodes, so the file waits where every node finds it: as an object of the main storage, outside of what is
//! served, with a record in the database. Whoever knows the upload key may put; the token's owner alone completes, and
//! then the waiting file goes away. `sweeper` removes what is never completed.
//!
//! Either way the file then is an upload like any other, with one member: [`super::UploadService::accept`] verifies,
//! compresses, stores and records it.

mod described;
mod error;
mod sweeper;

use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::{
    IncomingArchive, Source, Submission, TempArchive, UploadError, UploadService, UploadSlot,
};
use crate::auth::Uploader;
use crate::blocking;
use crate::db::waiting::WaitingFile;
use crate::storage::{ObjectMeta, Part, Payload};
use symbols::SuffixList;

pub use described::{Described, SymbolType};
pub use error::BreakpadError;

/// For how long after it was made an upload key can be used.
const USABLE: Duration = Duration::from_hours(2);

/// How many files of one person may wait at once.
const WAITING: u32 = 100;

/// Where files wait. No prefix of served files may begin with a dot.
const FOLDER: &str = ".waiting";

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completed {
    /// It is stored now.
    Stored,
    /// The same file was there already.
    Duplicate,
}

/// Takes uploads of one file.
#[derive(Debug)]
pub struct BreakpadUploads {
    uploads: Arc<UploadService>,
    serve: SuffixList,
}

impl BreakpadUploads {
    /// Makes the service; `serve` are the endings of the files that clients can fetch.
    #[must_use]
    pub fn new(uploads: Arc<UploadService>, serve: SuffixList) -> Self {
        Self { uploads, serve }
    }

    /// Tells whether the storage holds the file, where this uploader's files go.
    ///
    /// # Errors
    /// The names make no key, or the storage is away.
    pub async fn is_stored(
        self: Arc<Self>,
        uploader: Uploader,
        described: Described,
    ) -> Result<bool, UploadError> {
        let key = described.key()?;
        let target = self.uploads.catalog.upload_target(uploader.is_try_only);
        Ok(target.storage().head(&target.path(&key)).await?.is_some())
    }

    /// Begins an upload and returns its key, which is a secret.
    ///
    /// # Errors
    /// Too many of this person's uploads wait, or the database is away.
    pub async fn create(&self, uploader: &Uploader) -> Result<String, UploadError> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| UploadError::Temporary(error.into()))?;
        let key = hex::encode(key);
        let file = WaitingFile {
            key_hash: hash(&key),
            user: uploader.email.clone(),
            token_id: uploader.token_id,
            created_at: self.uploads.clock.now(),
        };
        if self.uploads.database.begin_waiting(&file, WAITING).await? {
            Ok(key)
        } else {
            Err(BreakpadError::TooManyWaiting(WAITING).into())
        }
    }

    /// Takes a place for a file that is to be put, before its body is read. The place counts as the owner's.
    ///
    /// # Errors
    /// The key is unknown, or all places are taken.
    pub async fn enter(&self, key: &str, length: Option<u64>) -> Result<UploadSlot, UploadError> {
        let waiting = self.waiting(key).await?;
        self.uploads.enter_as(waiting.token_id, length)
    }

    /// Keeps a file that was put, until its upload is completed.
    ///
    /// # Errors
    /// The storage is away.
    pub async fn keep(
        self: Arc<Self>,
        key: String,
        file: TempArchive,
        mut slot: UploadSlot,
    ) -> Result<(), UploadError> {
        slot.keep(file.size)?;
        let content = Arc::clone(&file.file);
        let start = blocking::run(move || described::start_of_file(&content)).await;
        let start = start.map_err(UploadError::Temporary)?.min(file.size);
        let payload = Payload::new(vec![Part::File {
            file: file.file,
            offset: start,
            length: file.size - start,
        }]);
        let storage = self.uploads.catalog.upload_target(false).storage();
        storage
            .put(&path(&hash(&key)), payload, ObjectMeta::default())
            .await?;
        drop(slot);
        Ok(())
    }

    /// Completes an upload: the file that waits becomes what it is said to be.
    ///
    /// # Errors
    /// The key is not this person's, nothing was put, the file is refused, or a dependency is away.
    pub async fn complete(
        self: Arc<Self>,
        uploader: Uploader,
        key: String,
        described: Described,
    ) -> Result<Completed, UploadError> {
        let waiting = self.waiting(&key).await?;
        if waiting.user != uploader.email {
            return Err(BreakpadError::UnknownKey.into());
        }
        let result = async {
            described.stored_name(&self.serve)?;
            let (file, slot) = self.fetch(&waiting, &uploader).await?;
            self.accept(uploader, described, file, slot).await
        };
        let result = result.await;
        if is_settled(&result)
            && let Err(error) = self.remove(&waiting.key_hash).await
        {
            tracing::warn!(event = "waiting_file_left", %error, "could not remove a file that waited, will be swept up");
        }
        result
    }

    /// Checks that a file is what it is said to be, and stores it.
    ///
    /// # Errors
    /// The file is refused, or a dependency is away.
    pub async fn accept(
        &self,
        uploader: Uploader,
        described: Described,
        mut file: TempArchive,
        slot: UploadSlot,
    ) -> Result<Completed, UploadError> {
        let key = described.stored_name(&self.serve)?;
        key.file_name().clone_into(&mut file.name);
        let content = Arc::clone(&file.file);
        let checked = described.clone();
        let is_right = blocking::run(move || checked.is_about(&content)).await;
        if !is_right.map_err(UploadError::Temporary)? {
            return Err(BreakpadError::Module(described.to_string()).into());
        }
        let submission = Submission {
            source: Source::File(file, key),
            wants_try: false,
            slot,
        };
        let receipt = Arc::clone(&self.uploads)
            .accept(uploader, submission)
            .await?;
        Ok(if receipt.skipped_keys.is_empty() {
            Completed::Stored
        } else {
            Completed::Duplicate
        })
    }

    /// The record of an upload that can still be completed.
    async fn waiting(&self, key: &str) -> Result<WaitingFile, UploadError> {
        let found = self.uploads.database.waiting_file(&hash(key)).await?;
        let now: OffsetDateTime = self.uploads.clock.now();
        found
            .filter(|file| now - file.created_at < USABLE)
            .ok_or_else(|| BreakpadError::UnknownKey.into())
    }

    /// Fetches a waiting file, once there is a place for it among the uploads.
    async fn fetch(
        &self,
        waiting: &WaitingFile,
        uploader: &Uploader,
    ) -> Result<(TempArchive, UploadSlot), UploadError> {
        let storage = self.uploads.catalog.upload_target(false).storage();
        let fetched = storage.fetch(&path(&waiting.key_hash), None).await?;
        let fetched = fetched.ok_or(BreakpadError::NothingPut)?;
        let slot = self
            .uploads
            .enter(uploader, Some(fetched.info.stored_size))?;
        let mut file = IncomingArchive::of_one_file(&self.uploads).await?;
        let mut stream = fetched.bytes.into_stream();
        while let Some(piece) = stream.try_next().await? {
            file.write(&piece).await?;
        }
        Ok((file.finish().await?, slot))
    }
}

/// Tells whether trying again can change nothing, so that the file need not wait any longer.
fn is_settled(result: &Result<Completed, UploadError>) -> bool {
    result.as_ref().err().is_none_or(|error| {
        let is_busy = matches!(
            error,
            UploadError::Busy | UploadError::TokenBusy(_) | UploadError::Contended
        );
        !is_busy && !error.is_ours()
    })
}

fn hash(key: &str) -> String {
    hex::encode(Sha256::digest(key.as_bytes()))
}

/// Where the file of a key waits: by the hash, so that nobody who sees the storage can put or complete.
fn path(key_hash: &str) -> String {
    format!("{FOLDER}/{key_hash}")
}
