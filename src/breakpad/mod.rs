//! Uploads of one file, as Breakpad's `symupload` makes them.
//!
//! In the first protocol, one form carries the file and its description. In the second, the client asks whether the
//! file is stored, gets a URL, puts the file there, and completes the upload with the description: a staged upload
//! ([`StagedFiles`]). Either way the file becomes an upload with one member, which [`UploadService::store`] verifies,
//! compresses, stores and records.
//!
//! Requests that change something run to their end even if the client disconnects. Every refusal is counted and logged.

mod described;
mod error;
mod symbol_type;

use std::sync::Arc;

use symbols::SuffixList;

use crate::auth::Uploader;
use crate::background::Background;
use crate::blocking;
use crate::catalog::Catalog;
use crate::db::waiting::WaitingFile;
use crate::storage::{Part, Payload};
use crate::upload::{
    ReceiveError, ReceivedFile, StagedFiles, StoreError, Submission, Submitted, UploadError,
    UploadService, UploadSlot,
};

pub use described::Described;
pub use error::BreakpadError;
pub use symbol_type::{SymbolType, UnknownType};

/// The user in the log where an upload key stands for a token.
const KEY_HOLDER: &str = "the holder of an upload key";

/// How an upload of one file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completed {
    /// It is stored now.
    Stored,
    /// The same file was stored already.
    Duplicate,
}

/// What a client says of a file before it sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Announced {
    /// Its module only, as the tools do; it is described as the `.sym` file.
    Module(Described),
    /// Its type too.
    File(Described),
}

/// A file that was received in one request, with its description.
#[derive(Debug)]
pub struct SymbolFile {
    /// The file.
    pub file: ReceivedFile,
    /// The client's description of it.
    pub described: Described,
    /// Its slot among the uploads in progress.
    pub slot: UploadSlot,
}

/// Takes uploads of one file. Clones share everything.
#[derive(Clone, Debug)]
pub struct BreakpadService {
    uploads: Arc<UploadService>,
    staged: Arc<StagedFiles>,
    catalog: Arc<Catalog>,
    serve: SuffixList,
    background: Background,
}

impl BreakpadService {
    /// Makes the service. `serve` lists the suffixes of the files that clients can fetch.
    #[must_use]
    pub fn new(
        uploads: Arc<UploadService>,
        staged: Arc<StagedFiles>,
        catalog: Arc<Catalog>,
        serve: SuffixList,
        background: Background,
    ) -> Self {
        Self {
            uploads,
            staged,
            catalog,
            serve,
            background,
        }
    }

    /// Returns whether the storage that takes this uploader's files holds the file. `announced` is what the client says
    /// of the file; one that does not say its type is told of the `.sym` file. A damaged file does not count, so that
    /// the client uploads it again.
    ///
    /// # Errors
    /// The names make no key, a file of the announced type would be refused, or the storage is unavailable.
    pub async fn is_stored(
        &self,
        uploader: &Uploader,
        announced: Result<Announced, BreakpadError>,
    ) -> Result<bool, BreakpadError> {
        let (catalog, store) = (Arc::clone(&self.catalog), uploader.store);
        let serve = self.serve.clone();
        let asking = async move {
            let key = match announced? {
                Announced::Module(described) => described.key()?,
                Announced::File(described) => described.stored_name(&serve)?,
            };
            let target = catalog.upload_target(store);
            match target.storage().head(&target.path(&key)).await {
                Ok(found) => Ok(found.is_some()),
                Err(error) if error.is_damage() => Ok(false),
                Err(error) => Err(UploadError::from(StoreError::Storage(error)).into()),
            }
        };
        self.to_its_end(&uploader.email, asking).await
    }

    /// Begins an upload and returns its key, which is a secret. `announced` is the file, if the client says already now
    /// what it is.
    ///
    /// # Errors
    /// The file would be refused, this user has too many staged uploads, or the database is unavailable.
    pub async fn create(
        &self,
        uploader: &Uploader,
        announced: Result<Option<Described>, BreakpadError>,
    ) -> Result<String, BreakpadError> {
        let creating = async {
            if let Some(described) = announced? {
                described.stored_name(&self.serve)?;
            }
            Ok(self.staged.create(uploader).await?)
        };
        self.noted(&uploader.email, creating.await)
    }

    /// Receives a file and stages it until its upload is completed. `receive` is polled once the upload has a slot,
    /// which counts against its owner's limit; `length` is the announced size of the body in bytes, if there is one.
    ///
    /// # Errors
    /// The key is unknown, all slots are taken, the body is refused, or a dependency is unavailable.
    pub async fn put<R>(
        &self,
        key: String,
        length: Option<u64>,
        receive: R,
    ) -> Result<(), BreakpadError>
    where
        R: Future<Output = Result<ReceivedFile, ReceiveError>>,
    {
        let received = async {
            let record = self.staged.record(&key).await?;
            let slot = self.uploads.intake().enter(record.token_id, length);
            let slot = slot.await?;
            Ok((receive.await?, slot))
        };
        let (file, slot) = self.noted(KEY_HOLDER, received.await)?;
        let service = self.clone();
        let keeping = async move { service.keep(&key, file, slot).await };
        self.to_its_end(KEY_HOLDER, keeping).await
    }

    /// Completes an upload: stores the staged file as the client describes it. `described` yields the description.
    ///
    /// # Errors
    /// The key belongs to another user, nothing was put, the file is refused, or a dependency is unavailable.
    pub async fn complete(
        &self,
        uploader: Uploader,
        key: String,
        described: impl Future<Output = Result<Described, BreakpadError>>,
    ) -> Result<Completed, BreakpadError> {
        let user = uploader.email.clone();
        let described = self.noted(&user, described.await)?;
        let service = self.clone();
        let completing = async move { service.complete_staged(uploader, &key, described).await };
        self.to_its_end(&user, completing).await
    }

    /// Checks that a file matches its description, and stores it. `received` yields both.
    ///
    /// # Errors
    /// The file is refused, or a dependency is unavailable.
    pub async fn accept(
        &self,
        uploader: Uploader,
        received: impl Future<Output = Result<SymbolFile, BreakpadError>>,
    ) -> Result<Completed, BreakpadError> {
        let user = uploader.email.clone();
        let received = self.noted(&user, received.await)?;
        let service = self.clone();
        let storing = async move { service.store(uploader, received).await };
        self.to_its_end(&user, storing).await
    }

    async fn keep(
        &self,
        key: &str,
        file: ReceivedFile,
        mut slot: UploadSlot,
    ) -> Result<(), BreakpadError> {
        slot.keep(file.size)?;
        let content = Arc::clone(&file.file);
        let start = blocking::run(move || described::start_of_file(&content)).await;
        let start = start.map_err(ReceiveError::Temporary)?.min(file.size);
        let payload = Payload::new(vec![Part::File {
            file: file.file,
            offset: start,
            length: file.size - start,
        }]);
        self.staged.put(key, payload).await?;
        drop(slot);
        Ok(())
    }

    async fn complete_staged(
        &self,
        uploader: Uploader,
        key: &str,
        described: Described,
    ) -> Result<Completed, BreakpadError> {
        let record = self.staged.record(key).await?;
        if record.user != uploader.email {
            return Err(BreakpadError::UnknownKey);
        }
        let result = async {
            described.stored_name(&self.serve)?;
            let (file, slot) = self.fetch(&record, &uploader).await?;
            let received = SymbolFile {
                file,
                described,
                slot,
            };
            self.store(uploader, received).await
        };
        let result = result.await;
        if is_settled(&result)
            && let Err(error) = self.staged.remove(&record.key_hash).await
        {
            tracing::warn!(
                event = "waiting_file_left",
                %error,
                "could not remove a staged file, will be swept up later"
            );
        }
        result
    }

    async fn store(
        &self,
        uploader: Uploader,
        received: SymbolFile,
    ) -> Result<Completed, BreakpadError> {
        let SymbolFile {
            mut file,
            described,
            slot,
        } = received;
        let key = described.stored_name(&self.serve)?;
        key.file_name().clone_into(&mut file.name);
        let content = Arc::clone(&file.file);
        let checked = described.clone();
        let is_right = blocking::run(move || checked.is_about(&content)).await;
        if !is_right.map_err(ReceiveError::Temporary)? {
            return Err(BreakpadError::Module(described.to_string()));
        }
        let submission = Submission {
            submitted: Submitted::File(file, key),
            wants_try: false,
            slot,
        };
        let receipt = self.uploads.store(uploader, submission).await?;
        Ok(if receipt.skipped_keys.is_empty() {
            Completed::Stored
        } else {
            Completed::Duplicate
        })
    }

    /// Takes a slot for a staged file, and brings the file back.
    async fn fetch(
        &self,
        record: &WaitingFile,
        uploader: &Uploader,
    ) -> Result<(ReceivedFile, UploadSlot), BreakpadError> {
        let fetched = self.staged.open(record).await?;
        let intake = self.uploads.intake();
        let slot = intake.enter(uploader.token_id, Some(fetched.info.stored_size));
        let slot = slot.await?;
        Ok((intake.spool(fetched).await?, slot))
    }

    /// Runs a task to its end even if the client disconnects, and notes its refusal.
    async fn to_its_end<T: Send + 'static>(
        &self,
        user: &str,
        task: impl Future<Output = Result<T, BreakpadError>> + Send + 'static,
    ) -> Result<T, BreakpadError> {
        let (service, noted_user) = (self.clone(), user.to_owned());
        let noting = async move { service.noted(&noted_user, task.await) };
        let ended = self.background.run(noting).await;
        ended.unwrap_or_else(|panic| self.noted(user, Err(UploadError::Task(panic).into())))
    }

    fn noted<T>(&self, user: &str, result: Result<T, BreakpadError>) -> Result<T, BreakpadError> {
        result.inspect_err(|error| self.uploads.note_refusal(user, error))
    }
}

/// Returns whether trying again cannot change the result, so that the staged file is no longer needed.
fn is_settled(result: &Result<Completed, BreakpadError>) -> bool {
    use crate::upload::Refusal;
    result.as_ref().err().is_none_or(|error| {
        let is_busy = matches!(error, BreakpadError::Upload(error) if error.is_busy());
        !is_busy && !error.is_ours()
    })
}

#[cfg(test)]
mod tests;
