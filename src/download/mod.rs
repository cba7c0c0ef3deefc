//! Finding the file of a request, and counting it when it is missing.
//!
//! A client that knows a module only by its code id asks for `<code file>/<code id>/<file>.sym`. When no source holds
//! that, the catalog looks up the module's debug id, and the client is redirected to it.

mod alternatives;
mod explain;
mod unpack;

use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::catalog::{Catalog, CatalogError, Found, Lookup, Module, ModulesError, NamedBy};
use crate::metrics::{CountResult, Metrics};
use crate::missing::{CodeInfo, MissingLog};
use crate::section::{Section, Violation, violations};
use crate::storage::Fetched;
use symbols::{DebugId, NameError, SuffixList, SymbolKey, plain_name};

pub use alternatives::Candidate;
pub use explain::{CandidateAnswer, Explanation, Verdict};
pub use unpack::{UnpackError, Unpacker};

/// The suffix of Breakpad's symbol files, the only files that are looked up by code id.
const SYM: &str = ".sym";

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
}

impl Default for DownloadConfig {
    fn default() -> Self {
        Self {
            serve: SuffixList::new(&[".sym", ".dl_", ".ex_", ".pd_", ".dbg.gz", ".tar.bz2"]),
            max_age: Duration::from_hours(1),
            unpacked_size: ByteSize::gib(2),
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
    /// The request was by code id; this is the key by debug id.
    Renamed(SymbolKey),
}

/// Why there is nothing to send.
#[derive(Debug, thiserror::Error)]
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
    Damaged(#[source] io::Error),
    /// A source holds it in a cabinet that cannot be unpacked.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
}

/// Finds files.
#[derive(Clone, Debug)]
pub struct DownloadService {
    serve: SuffixList,
    catalog: Arc<Catalog>,
    missing: MissingLog,
    unpacker: Unpacker,
    largest_unpacked: ByteSize,
    /// Explanations bypass the memos, so only a few run at a time.
    explaining: Arc<Semaphore>,
    metrics: Metrics,
}

impl DownloadService {
    /// Makes the service.
    #[must_use]
    pub fn new(
        config: &DownloadConfig,
        catalog: Arc<Catalog>,
        missing: MissingLog,
        unpacker: Unpacker,
        metrics: Metrics,
    ) -> Self {
        Self {
            serve: config.serve.clone(),
            catalog,
            missing,
            unpacker,
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

    /// Unpacks a file from the cabinet that was found, as if the file had been stored by itself.
    ///
    /// # Errors
    /// The cabinet has been removed, cannot be read or is refused, or there is no room to unpack it.
    pub async fn unpack(
        &self,
        cabinet: &Found,
        wanted: &Wanted<'_>,
    ) -> Result<Fetched, DownloadError> {
        let fetched = self.catalog.open(cabinet, None).await?;
        let fetched = fetched.ok_or(DownloadError::NotFound)?;
        let (name, largest) = (&wanted.file_name, self.largest_unpacked);
        let unpacked = self.unpacker.unpack(fetched, name, largest).await;
        if let Err(error @ (UnpackError::Cabinet(_) | UnpackError::TooLarge(_))) = &unpacked {
            let path = &cabinet.path;
            tracing::warn!(event = "cabinet_refused", path, %error, "a stored cabinet cannot be unpacked");
        }
        Ok(unpacked?)
    }

    async fn locate(
        &self,
        wanted: &Wanted<'_>,
        lookup: Lookup,
        counting: Counting<'_>,
    ) -> Result<Place, DownloadError> {
        if is_hopeless(wanted) || !self.serve.matches(&wanted.file_name) {
            return Err(DownloadError::Ignored);
        }
        let key = wanted.key()?;
        if let Some(found) = self.catalog.find(&key, lookup).await? {
            return Ok(Place::Held(found));
        }
        for candidate in &alternatives::others(&key) {
            if let Some(found) = self.catalog.find(&candidate.key, lookup).await? {
                let place = if candidate.is_packed {
                    Place::Packed
                } else {
                    Place::Held
                };
                return Ok(place(found));
            }
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
            && self.catalog.find(plain, lookup).await?.is_some()
        {
            return Err(DownloadError::NotFound);
        }
        self.missing.note(&key, code);
        Err(DownloadError::NotFound)
    }

    /// The key of the file in a cabinet, if files of this name are served.
    fn unpacked(&self, cabinet: &SymbolKey) -> Option<SymbolKey> {
        let plain = plain_name(cabinet.file_name()).filter(|name| self.serve.matches(name))?;
        SymbolKey::with_id(cabinet.debug_file(), cabinet.id().clone(), &plain).ok()
    }

    /// The key by debug id of a `.sym` file that was asked for by code id, as Tecken (2023 and later) does. The file
    /// name stays.
    ///
    /// A code id has fewer digits than a debug id, so requests by debug id need no database. A redirect never leads to
    /// another one: a key whose id could again be a code id is not used, whatever a header says.
    async fn by_code_id(
        &self,
        key: &SymbolKey,
        lookup: Lookup,
    ) -> Result<Option<SymbolKey>, ModulesError> {
        if !key.file_name().ends_with(SYM) || key.id().is_debug_id() {
            return Ok(None);
        }
        let (code_file, code_id) = (key.debug_file(), key.id());
        let modules = self.catalog.modules();
        let module = modules.find(NamedBy::CodeId, code_file, code_id, lookup);
        let module = Box::pin(module).await?;
        Ok(module.and_then(|module| Self::renamed(&module, key)))
    }

    /// The key by debug id, if the module's id is a debug id.
    fn renamed(module: &Module, key: &SymbolKey) -> Option<SymbolKey> {
        let (debug_file, debug_id) = (&module.record.debug_file, &module.record.debug_id);
        let renamed = SymbolKey::with_id(debug_file, debug_id.clone(), key.file_name()).ok()?;
        debug_id.is_debug_id().then_some(renamed)
    }
}

/// Returns whether no server can ever hold this: `file.ptr`, which Windows debuggers ask for after every miss, or the
/// all-zero id of a client that knows no id. Tecken answers these without a lookup.
fn is_hopeless(wanted: &Wanted<'_>) -> bool {
    wanted.file_name == "file.ptr" || wanted.id.is_zero()
}
