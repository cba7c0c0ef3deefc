//! Taking an upload: receive it, verify it, store it, record it.
//!
//! An upload passes the modules in this order. `receive` gives it a slot and writes it to a temporary file. [`verify`]
//! inspects the archive's structure and verifies every member before the first one is stored, so that a refusal leaves
//! nothing behind. `store` stores the members. `records` keeps the upload's record, which is pending until it is
//! completed in one transaction. `aftermath` lists the consequences. Only then does the client get its 201. A failure
//! on the way leaves whole files, which a repeated upload skips. `staged` keeps files whose upload is completed in a
//! later request.

mod aftermath;
mod config;
mod error;
mod receive;
mod records;
mod staged;
mod store;
pub mod verify;
mod warnings;

use std::sync::Arc;

use symbols::{Store, SuffixList, SymbolKey};
use time::OffsetDateTime;

use crate::auth::{Principal, Uploader};
use crate::background::Background;
use crate::catalog::{Catalog, Spooler};
use crate::clock::{SharedClock, Stopwatch};
use crate::cpu::CpuPool;
use crate::db::uploads::NewUpload;
use crate::db::{Database, DbError};
use crate::metrics::{CountResult, Metrics};
use crate::scratch::Scratch;

use aftermath::{CompletedUpload, Consequence, consequences};
use records::{BeginError, Ending, UploadLog, UploadTarget};
use store::{Member, MemberStore};
use verify::{Content, Entry, MemberFacts, Verifier, verify_members};
use warnings::warnings_about;

pub use config::UploadConfig;
pub use error::{Refusal, UploadError};
pub use receive::{
    FetchConfig, FetchError, FetchedFrom, IncomingFile, Intake, Pace, ReceiveError, ReceivedFile,
    Submission, Submitted, UploadSlot,
};
pub use records::{AbandonedUploads, FullRecord, InFlight, RecordError};
pub use staged::{StagedError, StagedFiles};
pub use store::{Overwrite, StoreError, stored_bytes};
pub use warnings::sentence_of;

/// The answer to an upload that was stored.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// The record's number.
    pub id: i64,
    /// What was recorded when the upload began.
    pub upload: NewUpload,
    /// Names of members that were stored already, as in the archive.
    pub skipped_keys: Vec<String>,
    /// When the last file was stored.
    pub completed_at: OffsetDateTime,
}

/// Takes uploads.
#[derive(Debug)]
pub struct UploadService {
    config: UploadConfig,
    intake: Intake,
    verifier: Verifier,
    store: MemberStore,
    log: UploadLog,
    serve: SuffixList,
    consequences: Vec<Box<dyn Consequence>>,
    in_flight: Arc<InFlight>,
    scratch: Arc<Scratch>,
    database: Arc<dyn Database>,
    background: Background,
    clock: SharedClock,
    metrics: Metrics,
}

/// What the service is made of.
#[derive(Debug)]
pub struct UploadParts {
    /// The endings of the files that clients may request, to warn of files that they may not.
    pub serve: SuffixList,
    /// Holds archives as they arrive, and members as they are compressed.
    pub scratch: Arc<Scratch>,
    /// The stores that take the files.
    pub catalog: Arc<Catalog>,
    /// The records.
    pub database: Arc<dyn Database>,
    /// The pool that verifies and compresses.
    pub cpu: CpuPool,
    /// Runs uploads to their end even if their clients disconnect.
    pub background: Background,
    /// The clock.
    pub clock: SharedClock,
    /// The metrics.
    pub metrics: Metrics,
}

impl UploadService {
    /// Makes the service.
    ///
    /// # Errors
    /// The HTTP client that fetches archives cannot be made.
    pub fn new(config: UploadConfig, parts: UploadParts) -> Result<Self, reqwest::Error> {
        let UploadParts {
            serve,
            scratch,
            catalog,
            database,
            cpu,
            background,
            clock,
            metrics,
        } = parts;
        let verifier = config.verifier(cpu.clone(), metrics.clone());
        let in_flight = InFlight::new(scratch.name());
        Ok(Self {
            intake: Intake::new(
                config.receive_limits(),
                config.by_url.clone(),
                verifier.clone(),
                Arc::clone(&scratch),
                Spooler::new(Arc::clone(&scratch), cpu.clone()),
                Arc::clone(&clock),
                metrics.clone(),
            )?,
            store: MemberStore::new(
                config.store_settings(),
                Arc::clone(&scratch),
                Arc::clone(&catalog),
                Arc::clone(&database) as _,
                cpu,
                Arc::clone(&clock),
                metrics.clone(),
            ),
            log: UploadLog::new(Arc::clone(&database), Arc::clone(&in_flight)),
            consequences: consequences(catalog, Arc::clone(&clock), metrics.clone()),
            config,
            serve,
            verifier,
            in_flight,
            scratch,
            database,
            background,
            clock,
            metrics,
        })
    }

    /// Receives the bodies of uploads.
    #[must_use]
    pub fn intake(&self) -> &Intake {
        &self.intake
    }

    /// The task that ends the records of abandoned uploads, of this process and of others.
    #[must_use]
    pub fn abandoned_uploads(&self) -> AbandonedUploads {
        AbandonedUploads::new(
            Arc::clone(&self.in_flight),
            self.scratch.abandoned().to_vec(),
            self.config.abandoned_after,
            Arc::clone(&self.database),
            Arc::clone(&self.clock),
        )
    }

    /// The record of an upload, its files, and the uploaders of the files that it replaced. Users see their own
    /// uploads, and all uploads if they have the permission.
    ///
    /// # Errors
    /// The upload belongs to another user, or the database is unavailable.
    pub async fn record_for(
        &self,
        principal: &Principal,
        id: i64,
    ) -> Result<Option<FullRecord>, RecordError> {
        self.log.read(principal, id).await
    }

    /// Takes an upload: waits for `receiving`, then checks and stores the upload, even if the client disconnects.
    ///
    /// # Errors
    /// The upload breaks a rule, and nothing is stored; or a dependency failed, and the upload can be repeated. Every
    /// refusal is counted and logged here.
    pub async fn accept(
        self: Arc<Self>,
        uploader: Uploader,
        receiving: impl Future<Output = Result<Submission, ReceiveError>>,
    ) -> Result<Receipt, UploadError> {
        let user = uploader.email.clone();
        let submission = match receiving.await {
            Ok(submission) => submission,
            Err(error) => return Err(self.refused(&user, error.into())),
        };
        let (service, noted_user) = (Arc::clone(&self), user.clone());
        let storing = async move {
            let stored = service.store(uploader, submission).await;
            stored.map_err(|error| service.refused(&noted_user, error))
        };
        let ended = self.background.run(storing).await;
        ended.unwrap_or_else(|panic| Err(self.refused(&user, panic.into())))
    }

    fn refused(&self, user: &str, error: UploadError) -> UploadError {
        self.note_refusal(user, &error);
        error
    }

    /// Counts and logs an upload that was not stored, whether the client or this server is at fault.
    pub fn note_refusal(&self, user: &str, error: &impl Refusal) {
        let code = error.code();
        self.metrics.uploads.count(code);
        if error.is_ours() {
            tracing::error!(event = "upload_failed", code, user, %error, "could not store an upload");
        } else {
            tracing::info!(event = "upload_refused", code, user, %error, "refused an upload");
        }
    }

    /// Checks and stores an upload that has arrived, or that names a URL. The caller runs this to its end and notes the
    /// refusal.
    ///
    /// # Errors
    /// See [`Self::accept`].
    pub async fn store(
        &self,
        uploader: Uploader,
        submission: Submission,
    ) -> Result<Receipt, UploadError> {
        let stopwatch = Stopwatch::start(self.clock.as_ref());
        let mut slot = submission.slot;
        let (archive, key) = match submission.submitted {
            Submitted::Archive(archive) => (archive, None),
            Submitted::Url(url) => (self.intake.fetch(&url, &mut slot).await?, None),
            Submitted::File(file, key) => (file, Some(key)),
        };
        slot.keep(archive.size)?;
        self.metrics.upload_bytes.inc_by(archive.size);
        let store = if submission.wants_try {
            Store::Try
        } else {
            uploader.store
        };
        let receipt = self.check_and_store(&uploader, archive, key, store).await?;
        let seconds = stopwatch.seconds();
        self.metrics.upload_seconds.observe(seconds);
        self.metrics.uploads.count("completed");
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

    async fn check_and_store(
        &self,
        uploader: &Uploader,
        mut archive: ReceivedFile,
        key: Option<SymbolKey>,
        store: Store,
    ) -> Result<Receipt, UploadError> {
        let checking = Stopwatch::start(self.clock.as_ref());
        let early = archive.early.take();
        let entries = self.verifier.inspect(&archive.file, key).await?;
        let target = UploadTarget {
            user: &uploader.email,
            bucket: self.store.bucket(store),
            store,
        };
        let mut upload = records::describe(&archive, &entries, target, self.clock.now());
        let verified = verify_members(&self.verifier, &archive.file, early, entries).await?;
        upload.warnings = warnings_about(&verified, store, &self.serve);
        let members = self.members(verified);
        upload.checked_in = Some(checking.time());

        let claims = self.store.claims(&members);
        let (id, ticket) = self.log.begin(&upload, claims).await?;
        match self.store_and_record(id, &upload, &archive, members).await {
            Ok((skipped_keys, completed_at)) => {
                ticket.settle();
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
                    Err(second) => tracing::warn!(
                        event = "upload_left_pending",
                        upload = id,
                        error = %second,
                        "could not record that an upload failed, will try again"
                    ),
                }
                Err(error)
            }
        }
    }

    async fn end_record(&self, id: i64, error: &UploadError) -> Result<(), DbError> {
        let ending = if error.is_ours() {
            Ending::Failed
        } else {
            Ending::Refused
        };
        self.log.end(id, ending, &error.to_string()).await
    }

    /// The members that are symbols.
    fn members(&self, verified: Vec<(Entry, MemberFacts)>) -> Vec<Member> {
        let members = verified.into_iter().filter_map(|(entry, facts)| {
            let Content::Symbol(key) = entry.content.clone() else {
                return None;
            };
            let gzipped = self.verifier.is_gzipped(&entry.name);
            Some(Member::new(key, entry, facts, gzipped))
        });
        members.collect()
    }

    /// Stores the members, completes the record, and runs the consequences.
    async fn store_and_record(
        &self,
        id: i64,
        upload: &NewUpload,
        archive: &ReceivedFile,
        members: Vec<Member>,
    ) -> Result<(Vec<String>, OffsetDateTime), UploadError> {
        let storing = Stopwatch::start(self.clock.as_ref());
        self.store
            .refuse_overwriting(&upload.user, &members, upload.store)
            .await?;
        let stored = self.store.store_all(&archive.file, members, upload.store);
        let mut outcome = stored.await?;
        outcome.stored_in = Some(storing.time());
        let completed_at = self.clock.now();
        self.log.complete(id, &outcome, completed_at).await?;
        for consequence in &self.consequences {
            let completed = CompletedUpload {
                upload,
                outcome: &outcome,
            };
            consequence.follow(completed).await;
        }
        Ok((outcome.skipped_keys, completed_at))
    }
}

impl From<BeginError> for UploadError {
    fn from(error: BeginError) -> Self {
        match error {
            BeginError::Contended => Self::Contended,
            BeginError::Database(error) => error.into(),
        }
    }
}
