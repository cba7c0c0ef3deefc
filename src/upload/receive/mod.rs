//! Receiving an upload, from its head to a file that has fully arrived.
//!
//! An upload first takes a slot and reserves room ([`UploadSlot`]), waiting a while for them, so that a full server
//! refuses it before reading its body. Its bytes then go to a temporary file as they arrive ([`IncomingFile`]), within
//! limits of size, silence, rate and time ([`Pace`]). Members are verified while the rest of their archive is still
//! arriving. An archive at a URL is fetched under the same limits ([`FetchConfig`]).

mod admission;
mod error;
mod fetch;
mod fetch_error;
mod incoming;
mod pace;
mod submission;

use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;

use super::verify::Verifier;
use crate::catalog::{SpoolError, SpoolLimit, Spooler};
use crate::clock::{SharedClock, Stopwatch};
use crate::metrics::Metrics;
use crate::scratch::Scratch;
use crate::storage::Fetched;

use admission::Admission;
use fetch::Fetcher;

pub(super) use admission::AdmissionLimits;
pub use admission::UploadSlot;
pub use error::ReceiveError;
pub use fetch::FetchConfig;
pub use fetch_error::FetchError;
pub use incoming::IncomingFile;
pub use pace::Pace;
pub(super) use pace::PaceLimits;
pub use submission::{FetchedFrom, ReceivedFile, Submission, Submitted};

/// How many bytes the form around a file may take.
const FORM_ALLOWANCE: u64 = 160 * 1024;

/// How long reading a staged file from its storage may take.
const SPOOL: Duration = Duration::from_mins(10);

/// The limits on uploads that arrive.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReceiveLimits {
    /// The largest archive or file.
    pub(super) size: ByteSize,
    /// How fast a body must arrive.
    pub(super) pace: PaceLimits,
    /// How many uploads may be in progress at once.
    pub(super) admission: AdmissionLimits,
}

/// Receives uploads.
#[derive(Debug)]
pub struct Intake {
    limits: ReceiveLimits,
    admission: Arc<Admission>,
    fetcher: Fetcher,
    verifier: Verifier,
    scratch: Arc<Scratch>,
    spooler: Spooler,
    clock: SharedClock,
}

impl Intake {
    /// Starts with no upload in progress. Files arrive in `scratch`.
    ///
    /// # Errors
    /// The HTTP client that fetches archives cannot be made.
    pub(super) fn new(
        limits: ReceiveLimits,
        by_url: FetchConfig,
        verifier: Verifier,
        scratch: Arc<Scratch>,
        spooler: Spooler,
        clock: SharedClock,
        metrics: Metrics,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            admission: Arc::new(Admission::new(limits.admission, metrics)),
            limits,
            fetcher: Fetcher::new(by_url)?,
            verifier,
            scratch,
            spooler,
            clock,
        })
    }

    /// The largest archive or file.
    #[must_use]
    pub fn largest(&self) -> ByteSize {
        self.limits.size
    }

    /// The longest body in bytes: the largest file and the form around it.
    #[must_use]
    pub fn longest_body(&self) -> u64 {
        self.limits.size.as_u64().saturating_add(FORM_ALLOWANCE)
    }

    /// Takes a slot before the body is read, and waits a while for one. `length` is the announced size of the body in
    /// bytes; without it, room for the largest upload is reserved.
    ///
    /// # Errors
    /// The announced body is too long, or all slots or the token's share of them stay taken, or the room for temporary
    /// files.
    pub async fn enter(
        &self,
        token_id: i64,
        length: Option<u64>,
    ) -> Result<UploadSlot, ReceiveError> {
        if length.is_some_and(|length| length > self.longest_body()) {
            return Err(ReceiveError::TooLarge(self.limits.size));
        }
        let largest = self.limits.size.as_u64();
        let bytes = length.map_or(largest, |length| length.min(largest));
        self.admission.enter(token_id, bytes).await
    }

    /// Starts the clock of a body that is about to arrive.
    #[must_use]
    pub fn pace(&self) -> Pace {
        Pace::new(self.limits.pace)
    }

    /// Starts an archive of this name, which must end in `.zip`. Its members are verified as they arrive.
    ///
    /// # Errors
    /// The name does not end in `.zip`, or there is no room.
    pub async fn archive(&self, name: &str) -> Result<IncomingFile, ReceiveError> {
        let incoming = IncomingFile::archive(name, &self.scratch, self.limits.size, &self.clock);
        Ok(incoming.await?.verified_early(self.verifier.clone()))
    }

    /// Starts a file that arrives without an archive. Its name is not known yet.
    ///
    /// # Errors
    /// There is no room.
    pub async fn file(&self) -> Result<IncomingFile, ReceiveError> {
        IncomingFile::unnamed(&self.scratch, self.limits.size, &self.clock).await
    }

    /// Brings a staged file back from its storage. Its name is not known yet.
    ///
    /// # Errors
    /// The file is larger than an upload may be, its storage fails or is too slow, or there is no room.
    pub async fn spool(&self, staged: Fetched) -> Result<ReceivedFile, SpoolError> {
        let stopwatch = Stopwatch::start(self.clock.as_ref());
        let limit = SpoolLimit {
            bytes: self.limits.size,
            time: SPOOL,
        };
        let spooled = self.spooler.spool(staged, limit).await?;
        Ok(ReceivedFile {
            file: Arc::new(spooled.file),
            size: spooled.length,
            name: String::new(),
            fetched_from: None,
            received_in: stopwatch.time(),
            early: None,
        })
    }

    /// Fetches the archive at a URL. The slot reserves room for the largest archive meanwhile.
    ///
    /// # Errors
    /// The URL or a redirect is not allowed, the remote server fails or does not have the archive, or the archive is
    /// too large or arrives too slowly.
    pub(super) async fn fetch(
        &self,
        url: &str,
        slot: &mut UploadSlot,
    ) -> Result<ReceivedFile, ReceiveError> {
        slot.keep(self.limits.size.as_u64())?;
        let place = self.fetcher.enter(url)?;
        let archive = self.archive(&place.file_name()).await?;
        self.fetcher.fetch(place, archive, self.pace()).await
    }
}
