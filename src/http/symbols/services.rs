//! The services behind the scope of symbols.

use std::sync::Arc;
use std::time::Duration;

use crate::catalog::Catalog;
use crate::clock::SharedClock;
use crate::debuginfod::DebuginfodService;
use crate::download::DownloadService;
use crate::http::base_url::BaseUrl;
use crate::missing::MissingReport;

/// The services that the handlers of the scope call.
#[derive(Clone, Debug)]
pub(in crate::http) struct SymbolServices {
    /// Looks symbols up.
    pub(in crate::http) downloads: DownloadService,
    /// Looks builds up.
    pub(in crate::http) debuginfod: DebuginfodService,
    /// Begins the URLs in answers.
    pub(in crate::http) base_url: BaseUrl,
    /// Opens files that were found, and knows modules.
    pub(in crate::http) catalog: Arc<Catalog>,
    /// How long clients and caches may keep a file without asking whether it has changed.
    pub(in crate::http) max_age: Duration,
    /// Reads the table of missing symbols.
    pub(in crate::http) missing: MissingReport,
    /// Times lookups.
    pub(in crate::http) clock: SharedClock,
}
