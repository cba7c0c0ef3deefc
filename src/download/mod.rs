//! Finding the file of a request, and counting it when it is missing.
//!
//! A client that knows a module only by its code id asks for `<code file>/<code id>/<file>.sym`. When no source holds
//! that, the catalog looks up the module, and the client is redirected to the module's file.

mod alternatives;
mod code_id;
mod explain;
mod spelling;
mod unpack;
mod unpacked;

use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::background::Background;
use crate::cache::CacheKey;
use crate::catalog::{Catalog, CatalogError, Found, Lookup, ModulesError};
use crate::metrics::{CountResult, Metrics};
use crate::missing::{CodeInfo, MissingLog};
use crate::section::{Section, Violation, violations};
use symbols::{DebugId, NameError, SuffixList, SymbolKey, is_windows_name, plain_name};

pub use alternatives::Candidate;
pub use explain::{CandidateAnswer, Explanation, Verdict};
pub use unpack::{UnpackError, Unpacker};
pub use unpacked::Unpacked;

use unpacked::{KeepLimits, UnpackedFiles};

/// The most explanations in progress at once.
const EXPLANATIONS: usize = 4;

/// Which files are served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DownloadConfig {
    /// Suffixes of the names that are looked up. Other names are answered with 404 at once, and not counted.
    pub serve: SuffixList,
    /// How long clients and caches may reuse a file without revalidating it; zero makes them revalidate every time.
    #[serde(with = "humantime_serde")]
    pub max_age: Duration,
    /// The largest file that is unpacked from its cabinet.
    pub unpacked_size: ByteSize,
    /// The most that unpacked files may take on this machine's disk while they are kept for the next client; zero keeps
    /// none.
    pub unpacked_kept: ByteSize,
    /// How long an unpacked file is kept.
    #[serde(with = "humantime_serde")]
    pub unpacked_for: Duration,
}

impl Default for DownloadConfig {
    fn default() -> Self {
        Self {
            serve: SuffixList::new(&[".sym", ".dl_", ".ex_", ".pd_", ".dbg.gz", ".tar.bz2"]),
            max_age: Duration::from_hours(1),
            unpacked_size: ByteSize::gib(2),
            unpacked_kept: ByteSize::gib(4),
            unpacked_for: Duration::from_mins(10),
        }
    }
}

impl Section for DownloadConfig {
    fn violations(&self) -> Vec<Violation> {
        violations(
            "download",
            &[(
                "serve",
                !self.serve.is_empty(),
                "lists no suffix, so nothing would be served",
            )],
        )
    }
}

/// The file that a URL asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted<'path> {
    /// The first part of the path, decoded but not checked.
    pub debug_file: Cow<'path, str>,
    /// The second part.
    pub id: DebugId,
    /// The third part, decoded but not checked.
    pub file_name: Cow<'path, str>,
}

impl Wanted<'_> {
    /// The key, if both names are legal.
    fn key(&self) -> Result<SymbolKey, NameError> {
        SymbolKey::with_id(&self.debug_file, self.id.clone(), &self.file_name)
    }
}

/// Whether a miss is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting<'request> {
    /// It is, with what the client says about the module.
    Counted(&'request CodeInfo),
    /// It is not: the client only probes, or continues a download that has been counted.
    Uncounted,
}

/// Where the file of a request is.
#[derive(Clone, Debug)]
pub enum Place {
    /// Some source holds it.
    Held(Found),
    /// Some source holds a cabinet with the file in it.
    Packed(Found),
    /// The request was by code id; some source holds the module's file under this key.
    Renamed(SymbolKey),
}

/// Why there is nothing to send.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DownloadError {
    /// No symbol ever has this name, so it was not looked up.
    #[error("Symbol Not Found (and ignored)")]
    Ignored,
    /// The name breaks the grammar, so it was not looked up.
    #[error("Symbol name lookup contains invalid characters and will never be found.")]
    IllegalName(#[from] NameError),
    /// No source holds it.
    #[error("Symbol Not Found")]
    NotFound,
    /// A source could not be asked.
    #[error(transparent)]
    Unavailable(#[from] CatalogError),
    /// No source holds it, and the database could not be asked for its module.
    #[error(transparent)]
    ModuleUnknown(#[from] ModulesError),
    /// Too many explanations are in progress.
    #[error("too many explanations are in progress")]
    Busy,
    /// A source holds it gzipped, and it cannot be inflated.
    #[error("the file cannot be inflated: {0}")]
    Damaged(#[source] Arc<io::Error>),
    /// A source holds it in a cabinet that cannot be unpacked.
    #[error(transparent)]
    Unpack(Arc<UnpackError>),
}

impl From<UnpackError> for DownloadError {
    fn from(error: UnpackError) -> Self {
        Self::Unpack(Arc::new(error))
    }
}

/// Finds files.
#[derive(Clone, Debug)]
pub struct DownloadService {
    serve: SuffixList,
    catalog: Arc<Catalog>,
    missing: MissingLog,
    unpacker: Unpacker,
    unpacked: UnpackedFiles,
    largest_unpacked: ByteSize,
    /// Explanations bypass the memos, so only a few run at a time.
    explaining: Arc<Semaphore>,
    metrics: Metrics,
}

impl DownloadService {
    /// Makes the service. Cabinets are unpacked in `background` tasks.
    #[must_use]
    pub fn new(
        config: &DownloadConfig,
        catalog: Arc<Catalog>,
        missing: MissingLog,
        unpacker: Unpacker,
        metrics: Metrics,
        background: Background,
    ) -> Self {
        let limits = KeepLimits {
            bytes: config.unpacked_kept,
            time: config.unpacked_for,
        };
        Self {
            serve: config.serve.clone(),
            catalog,
            missing,
            unpacker,
            unpacked: UnpackedFiles::new(limits, background, metrics.clone()),
            largest_unpacked: config.unpacked_size,
            explaining: Arc::new(Semaphore::new(EXPLANATIONS)),
            metrics,
        }
    }

    /// Looks up a file and counts the result in the metrics. If no source holds the file and `counting` says so, it is
    /// also counted as a missing symbol.
    ///
    /// # Errors
    /// There is nothing to send, or a source or the database could not be asked.
    pub async fn look_up(
        &self,
        wanted: &Wanted<'_>,
        lookup: Lookup,
        counting: Counting<'_>,
    ) -> Result<Place, DownloadError> {
        let result = self.locate(wanted, lookup, counting).await;
        let kind = match &result {
            Ok(Place::Held(_) | Place::Packed(_)) => "found",
            Ok(Place::Renamed(_)) => "renamed",
            Err(DownloadError::Ignored) => "ignored",
            Err(DownloadError::IllegalName(_)) => "illegal",
            Err(DownloadError::NotFound) => "missing",
            Err(
                DownloadError::Unavailable(_)
                | DownloadError::ModuleUnknown(_)
                | DownloadError::Damaged(_)
                | DownloadError::Unpack(_)
                | DownloadError::Busy,
            ) => "failed",
        };
        self.metrics.downloads.count(kind);
        result
    }

    /// The file in the cabinet that was found. It is unpacked unless it has been unpacked a short while ago.
    ///
    /// # Errors
    /// The cabinet has been removed, cannot be read or is refused, or there is no room to unpack it.
    pub async fn unpack(
        &self,
        cabinet: &Found,
        wanted: &Wanted<'_>,
    ) -> Result<Arc<Unpacked>, DownloadError> {
        let name = wanted.file_name.to_ascii_lowercase();
        let key = unpacked_key(cabinet, &name);
        let (service, cabinet) = (self.clone(), cabinet.clone());
        let unpack = || async move { service.unpack_now(&cabinet, &name).await };
        self.unpacked.get_or_unpack(key, unpack).await
    }

    async fn unpack_now(&self, cabinet: &Found, name: &str) -> Result<Unpacked, DownloadError> {
        let fetched = self.catalog.open(cabinet, None).await?;
        let fetched = fetched.ok_or(DownloadError::NotFound)?;
        let info = fetched.info.clone();
        let unpacked = self
            .unpacker
            .unpack(fetched, name, self.largest_unpacked)
            .await;
        if let Err(error @ (UnpackError::Cabinet(_) | UnpackError::TooLarge(_))) = &unpacked {
            let path = &cabinet.path;
            tracing::warn!(event = "cabinet_refused", path, %error, "a stored cabinet cannot be unpacked");
        }
        let (file, length) = unpacked?;
        Ok(Unpacked::new(file, length, info))
    }

    async fn locate(
        &self,
        wanted: &Wanted<'_>,
        lookup: Lookup,
        counting: Counting<'_>,
    ) -> Result<Place, DownloadError> {
        if is_hopeless(wanted) || !self.serve.matches_file(&wanted.file_name) {
            return Err(DownloadError::Ignored);
        }
        let key = wanted.key()?;
        if let Some(found) = self.catalog.find(&key, lookup).await? {
            return Ok(Place::Held(found));
        }
        for candidate in &alternatives::others(&key) {
            if let Some(found) = self.catalog.find(&candidate.key, lookup).await? {
                return Ok(candidate.place(found));
            }
        }
        if is_windows_name(key.debug_file())
            && let Some(place) = Box::pin(self.in_another_spelling(&key, lookup)).await?
        {
            return Ok(place);
        }
        if let Some(renamed) = self.by_code_id(&key, lookup).await? {
            return Ok(Place::Renamed(renamed));
        }
        let Counting::Counted(code) = counting else {
            return Err(DownloadError::NotFound);
        };
        // A cabinet is not missing if the file in it is stored without one.
        let plain = self.unpacked(&key);
        if let Some(plain) = &plain
            && Box::pin(self.holds(plain, lookup)).await?
        {
            return Err(DownloadError::NotFound);
        }
        self.missing.note(&key, code);
        Err(DownloadError::NotFound)
    }

    /// Returns whether a source holds a file under some spelling of its name.
    async fn holds(&self, key: &SymbolKey, lookup: Lookup) -> Result<bool, DownloadError> {
        if self.catalog.find(key, lookup).await?.is_some() {
            return Ok(true);
        }
        let place = self.in_another_spelling(key, lookup).await?;
        Ok(place.is_some())
    }

    /// The key of the file in a cabinet, if files of this name are served.
    fn unpacked(&self, cabinet: &SymbolKey) -> Option<SymbolKey> {
        let plain = plain_name(cabinet.file_name()).filter(|name| self.serve.matches_file(name))?;
        SymbolKey::with_id(cabinet.debug_file(), cabinet.id().clone(), &plain).ok()
    }
}

/// The name of what is unpacked from this version of a cabinet.
fn unpacked_key(cabinet: &Found, name: &str) -> CacheKey {
    let Found {
        source, path, info, ..
    } = cabinet;
    // Whole microseconds, which is what caches of lookups keep.
    let modified_at = info.modified_at.unix_timestamp_nanos() / 1000;
    let version = info.version.as_deref().unwrap_or_default();
    let facts = [info.stored_size.to_string(), modified_at.to_string()];
    let place = source.objects().location();
    CacheKey::new(
        "unpacked",
        &[place, path, &facts[0], &facts[1], version, name],
    )
}

/// Returns whether no server can ever hold this: `file.ptr`, which Windows debuggers ask for after every miss, or the
/// all-zero id of a client that knows no id. Tecken answers these without a lookup.
fn is_hopeless(wanted: &Wanted<'_>) -> bool {
    wanted.file_name == "file.ptr" || wanted.id.is_zero()
}
