//! The objects and the records of staged files.

use std::sync::Arc;
use std::time::Duration;

use sha2::Digest as _;
use symbols::{Sha256, Store};

use super::error::StagedError;
use crate::auth::Uploader;
use crate::catalog::Catalog;
use crate::clock::SharedClock;
use crate::db::WaitingRecords;
use crate::db::waiting::WaitingFile;
use crate::storage::{Fetched, ObjectMeta, Payload, Storage};

/// How long an upload key can be used.
const USABLE: Duration = Duration::from_hours(2);

/// How many files one user may stage at once.
const LIMIT: u32 = 100;

/// The folder of staged files. Prefixes of served files must not begin with a dot.
const FOLDER: &str = ".waiting";

/// Keeps files until their uploads are completed.
#[derive(Debug)]
pub struct StagedFiles {
    catalog: Arc<Catalog>,
    pub(super) records: Arc<dyn WaitingRecords>,
    pub(super) clock: SharedClock,
}

impl StagedFiles {
    /// Keeps files in the storage of regular uploads, and their records in the database.
    #[must_use]
    pub fn new(
        catalog: Arc<Catalog>,
        records: Arc<dyn WaitingRecords>,
        clock: SharedClock,
    ) -> Self {
        Self {
            catalog,
            records,
            clock,
        }
    }

    /// Begins an upload and returns its key, a secret of 64 hexadecimal digits.
    ///
    /// # Errors
    /// The user has too many staged files, or the database is unavailable.
    pub async fn create(&self, uploader: &Uploader) -> Result<String, StagedError> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        let key = hex::encode(key);
        let file = WaitingFile {
            key_hash: hash(&key),
            user: uploader.email.clone(),
            token_id: uploader.token_id,
            created_at: self.clock.now(),
        };
        if self.records.begin_waiting(&file, LIMIT).await? {
            Ok(key)
        } else {
            Err(StagedError::TooMany(LIMIT))
        }
    }

    /// The record of an upload that can still be completed.
    ///
    /// # Errors
    /// The key is unknown or has expired, or the database is unavailable.
    pub async fn record(&self, key: &str) -> Result<WaitingFile, StagedError> {
        let found = self.records.waiting_file(&hash(key)).await?;
        let now = self.clock.now();
        found
            .filter(|file| now - file.created_at < USABLE)
            .ok_or(StagedError::UnknownKey)
    }

    /// Keeps a file under the key of its upload. A second file replaces the first.
    ///
    /// # Errors
    /// The storage is unavailable.
    pub async fn put(&self, key: &str, file: Payload) -> Result<(), StagedError> {
        let path = path(&hash(key));
        self.storage()
            .put(&path, file, ObjectMeta::default())
            .await?;
        Ok(())
    }

    /// Opens the file of an upload.
    ///
    /// # Errors
    /// Nothing was put, or the storage is unavailable.
    pub async fn open(&self, record: &WaitingFile) -> Result<Fetched, StagedError> {
        let fetched = self.storage().fetch(&path(&record.key_hash), None).await?;
        fetched.ok_or(StagedError::NothingPut)
    }

    /// Removes the file of an upload, then its record, so that no file is left without a record.
    ///
    /// # Errors
    /// The storage or the database is unavailable.
    pub async fn remove(&self, key_hash: &Sha256) -> Result<(), StagedError> {
        self.storage().delete(&path(key_hash)).await?;
        Ok(self.records.end_waiting(key_hash).await?)
    }

    fn storage(&self) -> &dyn Storage {
        self.catalog.upload_target(Store::Regular).storage()
    }
}

fn hash(key: &str) -> Sha256 {
    Sha256::new(sha2::Sha256::digest(key.as_bytes()).into())
}

/// The path of a staged file. It contains the hash of the key, so that read access to the storage is not enough to put
/// or complete an upload.
fn path(key_hash: &Sha256) -> String {
    format!("{FOLDER}/{key_hash}")
}
