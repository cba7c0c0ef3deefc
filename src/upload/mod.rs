//! Taking an upload: check everything, then store everything, then say so.
//!
//! The archive arrives in a temporary file. [`archive`] inspects its structure and verifies every member before the
//! first is stored, so that a refusal leaves nothing behind; members that arrive early are verified while others are
//! still on their way. Then the upload is recorded as pending, its members
//! are stored concurrently, and the record is completed in one transaction; only then does the client get its 201. A
//! failure half-way leaves whole files, which a repeat of the upload skips.

mod admission;
pub mod archive;
pub mod breakpad;
mod config;
pub mod content;
mod early;
mod error;
mod fetch;
mod gzip;
mod incoming;
mod member;
mod overwrite;
mod pace;
mod record;
mod submission;
mod under_way;
mod verifier;
mod watch;

use std::fs::File;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use time::OffsetDateTime;

use crate::auth::Uploader;
use crate::catalog::Catalog;
use crate::clock::{SharedClock, Stopwatch};
use crate::cpu::CpuPool;
use crate::db::uploads::{NewUpload, Outcome};
use crate::db::{Database, DbError};
use crate::metrics::{Metrics, ResultLabel};
use crate::scratch::Scratch;
use symbols::SymbolKey;

use admission::{Admission, MemberRoom};
use archive::{Content, Entry};
use early::{EarlyVerification, Known};
use member::{Member, Stored};
use verifier::{Verifier, When};

pub use admission::UploadSlot;
pub use config::UploadConfig;
pub use error::UploadError;
pub use fetch::{FetchConfig, FetchError, Fetcher};
pub use incoming::IncomingArchive;
pub use overwrite::Overwrite;
pub use pace::Pace;
pub use record::{FullRecord, RecordError};
pub use submission::{Origin, Source, Submission, TempArchive};
pub use under_way::UnderWay;
pub use watch::UploadWatch;

/// What the client is told of an upload that was stored.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// The record's number.
    pub id: i64,
    /// What was recorded when the upload began.
    pub upload: NewUpload,
    /// Names of members that were already there, as in the archive.
    pub skipped_keys: Vec<String>,
    /// When the last file was stored.
    pub completed_at: OffsetDateTime,
}

/// Takes uploads.
#[derive(Debug)]
pub struct UploadService {
    config: UploadConfig,
    fetcher: Fetcher,
    verifier: Verifier,
    admission: Arc<Admission>,
    member_room: MemberRoom,
    scratch: Arc<Scratch>,
    under_way: Arc<UnderWay>,
    catalog: Arc<Catalog>,
    database: Arc<dyn Database>,
    cpu: CpuPool,
    clock: SharedClock,
    metrics: Metrics,
}

impl UploadService {
    /// Makes the service; `scratch` is where archives are kept while they are looked at.
    ///
    /// # Errors
    /// The HTTP client that fetches archives cannot be made.
    pub fn new(
        config: UploadConfig,
        scratch: Arc<Scratch>,
        catalog: Arc<Catalog>,
        database: Arc<dyn Database>,
        cpu: CpuPool,
        clock: SharedClock,
        metrics: Metrics,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            fetcher: Fetcher::new(config.by_url.clone())?,
            admission: Arc::new(Admission::new(&config, metrics.clone())),
            member_room: MemberRoom::new(&config, metrics.clone()),
            verifier: Verifier::new(&config, cpu.clone(), metrics.clone()),
            config,
            under_way: UnderWay::new(scratch.name()),
            scratch,
            catalog,
            database,
            cpu,
            clock,
            metrics,
        })
    }

    /// The settings, for whoever receives the bytes.
    #[must_use]
    pub fn config(&self) -> &UploadConfig {
        &self.config
    }

    /// The task that ends the records of uploads that nobody will finish, of this process and of others.
    #[must_use]
    pub fn watch(&self) -> UploadWatch {
        UploadWatch::new(
            Arc::clone(&self.under_way),
            self.scratch.abandoned().to_vec(),
            self.config.abandoned_after,
            Arc::clone(&self.database),
            Arc::clone(&self.clock),
        )
    }

    /// Takes a place among the uploads, before anything of the body is read. `length` is what the client says that it
    /// will send, if it does.
    ///
    /// # Errors
    /// All places are taken, or all that one token may have, or the room for temporary files is.
    pub fn enter(
        &self,
        uploader: &Uploader,
        length: Option<u64>,
    ) -> Result<UploadSlot, UploadError> {
        self.enter_as(uploader.token_id, length)
    }

    fn enter_as(&self, token_id: i64, length: Option<u64>) -> Result<UploadSlot, UploadError> {
        let largest = self.config.size.as_u64();
        let bytes = length.map_or(largest, |length| length.min(largest));
        self.admission.enter(token_id, bytes)
    }

    /// Checks and stores an upload that has fully arrived. Runs to its end even if the client leaves.
    ///
    /// # Errors
    /// The archive breaks a rule, and nothing is stored; or a dependency failed, and a repeat will converge.
    pub async fn accept(
        self: Arc<Self>,
        uploader: Uploader,
        submission: Submission,
    ) -> Result<Receipt, UploadError> {
        let stopwatch = Stopwatch::start(self.clock.as_ref());
        let mut slot = submission.slot;
        let (archive, key) = match submission.source {
            Source::Archive(archive) => (archive, None),
            Source::Url(url) => {
                slot.keep(self.config.size.as_u64())?;
                (self.fetcher.fetch(&url, &self).await?, None)
            }
            Source::File(file, key) => (file, Some(key)),
        };
        slot.keep(archive.size)?;
        self.metrics.upload_bytes.inc_by(archive.size);
        let is_try = uploader.is_try_only || submission.wants_try;
        let receipt = self.check_and_store(uploader, archive, key, is_try).await?;
        let seconds = stopwatch.seconds();
        self.metrics.upload_seconds.observe(seconds);
        self.metrics.count(&self.metrics.uploads, "completed");
        tracing::info!(
            event = "upload_completed",
            upload = receipt.id,
            user = receipt.upload.user,
            file_name = receipt.upload.file_name,
            size = receipt.upload.size,
            skipped = receipt.skipped_keys.len(),
            seconds,
            "stored an upload"
        );
        Ok(receipt)
    }

    /// Counts and logs an upload that was not stored, be it the client's fault or ours.
    pub fn note_refusal(&self, user: &str, error: &UploadError) {
        let code = error.code();
        self.metrics.count(&self.metrics.uploads, code);
        if error.is_ours() {
            tracing::error!(event = "upload_failed", code, user, %error, "could not store an upload");
        } else {
            tracing::info!(event = "upload_refused", code, user, %error, "refused an upload");
        }
    }

    async fn check_and_store(
        &self,
        uploader: Uploader,
        mut archive: TempArchive,
        key: Option<SymbolKey>,
        is_try: bool,
    ) -> Result<Receipt, UploadError> {
        let checking = Stopwatch::start(self.clock.as_ref());
        let early = archive.early.take();
        let entries = self.inspect(&archive, key).await?;
        let mut upload = self.describe(uploader, &archive, &entries, is_try);
        let members = self.verify(&archive.file, early, entries).await?;
        upload.checked_in = Some(checking.time());

        let ticket = self.under_way.take();
        let hold = ticket.hold(self.claims(&members));
        let begun = self.database.begin_upload(&upload, &hold).await;
        let id = begun.map_err(|error| match error {
            DbError::Conflict(_) if !hold.claims.is_empty() => UploadError::Contended,
            error => error.into(),
        })?;
        match self.store_and_record(id, &upload, &archive, members).await {
            Ok((skipped_keys, completed_at)) => {
                ticket.settle();
                self.count_files("ignored", upload.ignored_keys.len());
                Ok(Receipt {
                    id,
                    upload,
                    skipped_keys,
                    completed_at,
                })
            }
            Err(error) => {
                match self.end_record(id, &error).await {
                    Ok(()) => ticket.settle(),
                    Err(second) => {
                        tracing::warn!(event = "upload_left_pending", upload = id, error = %second, "could not record that an upload failed, will try again");
                    }
                }
                Err(error)
            }
        }
    }

    /// The members of an archive; of a file without an archive around it, which has a key, itself.
    async fn inspect(
        &self,
        archive: &TempArchive,
        key: Option<SymbolKey>,
    ) -> Result<Vec<Entry>, UploadError> {
        let file = Arc::clone(&archive.file);
        let limits = Arc::clone(self.verifier.limits());
        let inspect = move || match key {
            Some(key) => archive::whole_file(&*file, key, &limits).map(|entry| vec![entry]),
            None => archive::inspect(&*file, &limits),
        };
        Ok(self.cpu.run(inspect).await??)
    }

    /// Reads every member that has not been read while the archive arrived, as many at a time as there are threads.
    async fn verify(
        &self,
        file: &Arc<File>,
        early: Option<EarlyVerification>,
        entries: Vec<Entry>,
    ) -> Result<Vec<Member>, UploadError> {
        let mut known = match early {
            Some(early) => early.finish().await,
            None => Known::default(),
        };
        let verified = stream::iter(entries).map(|entry| {
            let digest = known.take(&entry);
            async {
                let (entry, digest) = if let Some(digest) = digest {
                    (entry, digest)
                } else {
                    let file = Arc::clone(file);
                    self.verifier.verify(file, entry, When::Late).await?
                };
                let Content::Symbol(key) = entry.content.clone() else {
                    return Ok(None);
                };
                let gzipped = self.verifier.is_gzipped(&entry.name);
                Ok(Some(Member::new(key, entry, digest, gzipped)))
            }
        });
        let members: Result<Vec<Option<Member>>, UploadError> = verified
            .buffered(self.verifier.at_once())
            .try_collect()
            .await;
        Ok(members?.into_iter().flatten().collect())
    }

    /// Stores the members and completes the record.
    async fn store_and_record(
        &self,
        id: i64,
        upload: &NewUpload,
        archive: &TempArchive,
        members: Vec<Member>,
    ) -> Result<(Vec<String>, OffsetDateTime), UploadError> {
        let storing = Stopwatch::start(self.clock.as_ref());
        self.refuse_overwriting(&upload.user, &members, upload.is_try)
            .await?;
        let mut outcome = self.store_all(archive, members, upload.is_try).await?;
        outcome.stored_in = Some(storing.time());
        let completed_at = self.clock.now();
        self.complete(id, &outcome, completed_at).await?;
        let held = outcome.held.iter();
        let new_to_the_record = held.filter(|file| self.is_recent(file.stored_at));
        for file in outcome.files.iter().chain(new_to_the_record) {
            self.catalog.modules().forget(file, upload.is_try).await;
        }
        self.catalog.builds().forget(&outcome).await;
        let updated = outcome.files.iter().filter(|file| file.is_update).count();
        self.count_files("updated", updated);
        self.count_files("stored", outcome.files.len() - updated);
        self.count_files("skipped", outcome.skipped_keys.len());
        Ok((outcome.skipped_keys, completed_at))
    }

    async fn store_all(
        &self,
        archive: &TempArchive,
        members: Vec<Member>,
        is_try: bool,
    ) -> Result<Outcome, UploadError> {
        let source = self.catalog.upload_target(is_try);
        // Files that are there already too: the upload that stored them may have failed after that.
        let build_ids = if is_try {
            Vec::new()
        } else {
            members.iter().filter_map(Member::build_id).collect()
        };
        let mut storing = stream::iter(members)
            .map(|member| self.store(Arc::clone(&archive.file), member, Arc::clone(source)))
            .buffered(self.config.stores.max(1));
        let mut outcome = Outcome {
            build_ids,
            ..Outcome::default()
        };
        while let Some(stored) = storing.try_next().await? {
            match stored {
                Stored::File(file) => outcome.files.push(*file),
                Stored::Held { name, file } => {
                    outcome.skipped_keys.push(name);
                    outcome.held.push(*file);
                }
            }
        }
        Ok(outcome)
    }

    fn count_files(&self, result: &'static str, number: usize) {
        self.metrics
            .upload_files
            .get_or_create(&ResultLabel { result })
            .inc_by(number as u64);
    }
}
