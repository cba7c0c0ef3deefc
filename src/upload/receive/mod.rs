//! Receiving an upload, from its head to a file that has fully arrived.
//!
//! An upload first takes a slot and reserves room ([`admission`](UploadSlot)), so that a full server says so before it
//! reads a body. Its bytes then go to a temporary file as they come ([`IncomingFile`]), held to limits of size, silence,
//! rate and time ([`Pace`]); members are verified while the rest of their archive is still on its way. An upload that
//! names an address instead is fetched from there under the same limits ([`FetchConfig`]).

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

/// What one upload may be, and how it must arrive.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReceiveLimits {
    /// The largest archive or file.
    pub(super) size: ByteSize,
    /// How fast it must come.
    pub(super) pace: PaceLimits,
    /// How many uploads there may be at once.
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
    /// Starts with no upload under way; `scratch` is where files arrive.
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

    /// Takes a slot before anything of the body is read. `length` is the size of the body in bytes, if the client
    /// announces it; an unknown one reserves room for the largest upload.
    ///
    /// # Errors
    /// The announced body is too long; or all slots are taken, or the token's share of them, or the room for temporary
    /// files.
    pub fn enter(&self, token_id: i64, length: Option<u64>) -> Result<UploadSlot, ReceiveError> {
        if length.is_some_and(|length| length > self.longest_body()) {
            return Err(ReceiveError::TooLarge(self.limits.size));
        }
        let largest = self.limits.size.as_u64();
        let bytes = length.map_or(largest, |length| length.min(largest));
        self.admission.enter(token_id, bytes)
    }

    /// Starts the clock of a body that is about to arrive.
    #[must_use]
    pub fn pace(&self) -> Pace {
        Pace::new(self.limits.pace)
    }

    /// Begins an archive of this name, which must end in `.zip`. Its members are verified as they arrive.
    ///
    /// # Errors
    /// The name ends otherwise, or there is no room.
    pub async fn archive(&self, name: &str) -> Result<IncomingFile, ReceiveError> {
        let incoming = IncomingFile::archive(name, &self.scratch, self.limits.size, &self.clock);
        Ok(incoming.await?.verified_early(self.verifier.clone()))
    }

    /// Begins a file that comes without an archive around it; its name is not known yet.
    ///
    /// # Errors
    /// There is no room.
    pub async fn file(&self) -> Result<IncomingFile, ReceiveError> {
        IncomingFile::unnamed(&self.scratch, self.limits.size, &self.clock).await
    }

    /// Brings a staged file back from its storage; its name is not known yet.
    ///
    /// # Errors
    /// The file is larger than the largest upload, its storage fails or is too slow, or there is no room.
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

    /// Fetches the archive at an address. The slot reserves room for the largest archive meanwhile.
    ///
    /// # Errors
    /// The address or one that it leads to is not allowed, the other server does not have the archive or is in
    /// trouble, or the archive is too large or too slow.
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
