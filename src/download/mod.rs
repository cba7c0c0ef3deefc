//! Finding the file of a request, and counting it when it is missing.

use serde::{Deserialize, Serialize};

use crate::catalog::{Catalog, CatalogError, Found, Lookup};
use crate::metrics::Metrics;
use crate::missing::{CodeInfo, MissingLog};
use crate::storage::{Address, Fetched};
use crate::symbol::{DebugId, NameError, SuffixList, SymbolKey};

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// Which files are served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DownloadConfig {
    /// Endings of the names that are looked up at all; others are answered at once as not found, and not counted.
    pub serve: SuffixList,
    /// How long clients and caches may keep a file without asking whether it has changed; zero makes them ask always.
    #[serde(with = "humantime_serde")]
    pub max_age: Duration,
}

impl Default for DownloadConfig {
    fn default() -> Self {
        Self {
            serve: SuffixList::new(&[".sym", ".dl_", ".ex_", ".pd_", ".dbg.gz", ".tar.bz2"]),
            max_age: Duration::from_hours(1),
        }
    }
}

/// What a client wants, as its URL says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The first part of the path, decoded but not checked.
    pub debug_file: String,
    /// The second part.
    pub id: DebugId,
    /// The third part, decoded but not checked.
    pub file_name: String,
}

/// Why there is nothing to send.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// No symbol is ever called that, so nothing was looked up.
    #[error("Symbol Not Found (and ignored)")]
    Ignored,
    /// The name breaks the grammar, so nothing was looked up.
    #[error("Symbol name lookup contains invalid characters and will never be found.")]
    IllegalName(#[from] NameError),
    /// No source holds it.
    #[error("Symbol Not Found")]
    NotFound,
    /// A source could not be asked.
    #[error(transparent)]
    Unavailable(#[from] CatalogError),
}

/// Finds files.
#[derive(Clone, Debug)]
pub struct DownloadService {
    serve: SuffixList,
    max_age: Duration,
    catalog: Arc<Catalog>,
    missing: MissingLog,
    metrics: Metrics,
}

impl DownloadService {
    /// Makes the service.
    #[must_use]
    pub fn new(
        config: &DownloadConfig,
        catalog: Arc<Catalog>,
        missing: MissingLog,
        metrics: Metrics,
    ) -> Self {
        Self {
            serve: config.serve.clone(),
            max_age: config.max_age,
            catalog,
            missing,
            metrics,
        }
    }

    /// Finds a file. When no source holds it and the client told what it wants it for, the miss is counted.
    pub async fn find(
        &self,
        wanted: &Wanted,
        lookup: Lookup,
        code: Option<CodeInfo>,
    ) -> Result<Found, DownloadError> {
        let result = self.find_uncounted(wanted, lookup, code).await;
        let kind = match &result {
            Ok(_) => "found",
            Err(DownloadError::Ignored) => "ignored",
            Err(DownloadError::IllegalName(_)) => "illegal",
            Err(DownloadError::NotFound) => "missing",
            Err(DownloadError::Unavailable(_)) => "failed",
        };
        self.metrics.count(&self.metrics.downloads, kind);
        result
    }

    /// The address to send clients to for a file that was found; `None` when they are to get its bytes from here.
    pub async fn address(&self, found: &Found) -> Result<Option<Address>, DownloadError> {
        Ok(self.catalog.address(found).await?)
    }

    /// Opens a file that was found: all of it, or a range. It may have gone meanwhile.
    pub async fn open(
        &self,
        found: &Found,
        range: Option<Range<u64>>,
    ) -> Result<Fetched, DownloadError> {
        self.catalog
            .open(found, range)
            .await?
            .ok_or(DownloadError::NotFound)
    }

    /// Drops what is remembered of a file that was found, because it has turned out to be another one by now.
    pub async fn forget(&self, found: &Found) {
        self.catalog.forget(&found.source, &found.path).await;
    }

    /// How long clients and caches may keep a file without asking whether it has changed.
    #[must_use]
    pub fn max_age(&self) -> Duration {
        self.max_age
    }

    async fn find_uncounted(
        &self,
        wanted: &Wanted,
        lookup: Lookup,
        code: Option<CodeInfo>,
    ) -> Result<Found, DownloadError> {
        if is_hopeless(wanted) || !self.serve.matches(&wanted.file_name) {
            return Err(DownloadError::Ignored);
        }
        let key = SymbolKey::with_id(&wanted.debug_file, wanted.id.clone(), &wanted.file_name)?;
        if let Some(found) = self.catalog.find(&key, lookup).await? {
            return Ok(found);
        }
        if let Some(code) = code {
            self.missing.note(&key, code);
        }
        Err(DownloadError::NotFound)
    }
}

/// Tells whether no server can ever hold this: `file.ptr`, which Windows debuggers ask for after every miss, and the
/// all-zero id of a client that knows none. Tecken answers these without a lookup.
fn is_hopeless(wanted: &Wanted) -> bool {
    wanted.file_name == "file.ptr" || wanted.id.is_zero()
}
