//! The HTTP side: requests become calls of services, results become answers.
//!
//! `routes` is the table of all routes; `extract` turns requests into the services' types, `error` turns errors into
//! answers. No handler decides anything about the product. Each route belongs to a scope, which has one policy for all
//! of its answers:
//!
//! - `symbols`: public files. Scripts of any site may read them, and errors about files are plain text.
//! - `symbolicate`: public as well, and JSON in every case.
//! - `api`, with `upload` and `breakpad`: for programs, with a token where needed. JSON, closed to scripts of other
//!   sites.
//! - Pages for people will be below `/ui/`: sessions in cookies, a token against forged requests in every form, errors
//!   as HTML, closed to scripts of other sites. They need rows in the table, since the scope of symbols takes all other
//!   paths.

mod api;
mod base_url;
mod breakpad;
mod config;
mod error;
mod extract;
mod host;
mod json;
mod middleware;
mod paths;
mod routes;
mod sendfile;
mod symbolicate;
mod symbols;
mod unreadable;
mod upload;

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{Data, ServiceConfig};

use crate::auth::AuthService;
use crate::breakpad::BreakpadService;
use crate::catalog::Catalog;
use crate::clock::SharedClock;
use crate::debuginfod::DebuginfodService;
use crate::download::DownloadService;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::missing::MissingReport;
use crate::symbolication::SymbolicationService;
use crate::symbolication::symcaches::Symcaches;
use crate::upload::UploadService;

pub use base_url::BaseUrl;
pub use config::{Network, ServerConfig};
pub use middleware::{Observation, observe};
pub use sendfile::Outlet;
pub use symbolicate::{read_jobs, write_answers};
pub use unreadable::unreadable;

use self::symbolicate::Symbolication;
use self::symbols::SymbolServices;

/// The services that the handlers call.
#[derive(Clone, Debug)]
pub struct HttpServices {
    /// Checks tokens.
    pub auth: AuthService,
    /// Takes uploads.
    pub uploads: Arc<UploadService>,
    /// Takes uploads of one file.
    pub breakpad: BreakpadService,
    /// The addresses that clients know this server by.
    pub base_url: BaseUrl,
    /// Finds files.
    pub downloads: DownloadService,
    /// Finds files by build id.
    pub debuginfod: DebuginfodService,
    /// Turns addresses into functions, files and lines.
    pub symbolication: SymbolicationService,
    /// Knows which source has a file.
    pub catalog: Arc<Catalog>,
    /// Opens the symbols of modules.
    pub symcaches: Symcaches,
    /// How long clients and caches may keep a file without asking whether it has changed.
    pub max_age: Duration,
    /// Reads the missing-symbols table.
    pub missing: MissingReport,
    /// Checks the dependencies.
    pub health: Arc<Health>,
    /// Counts.
    pub metrics: Metrics,
    /// Tells the time.
    pub clock: SharedClock,
}

impl From<&HttpServices> for SymbolServices {
    fn from(services: &HttpServices) -> Self {
        Self {
            downloads: services.downloads.clone(),
            debuginfod: services.debuginfod.clone(),
            base_url: services.base_url.clone(),
            catalog: Arc::clone(&services.catalog),
            symcaches: services.symcaches.clone(),
            max_age: services.max_age,
            missing: services.missing.clone(),
            clock: Arc::clone(&services.clock),
        }
    }
}

impl From<&HttpServices> for Symbolication {
    fn from(services: &HttpServices) -> Self {
        Self {
            service: services.symbolication.clone(),
            metrics: services.metrics.clone(),
            clock: Arc::clone(&services.clock),
        }
    }
}

/// Registers the services and all routes.
pub fn configure(services: &HttpServices, app: &mut ServiceConfig) {
    app.app_data(Data::new(services.auth.clone()))
        .app_data(Data::from(Arc::clone(&services.uploads)))
        .app_data(Data::new(services.breakpad.clone()))
        .app_data(Data::new(services.base_url.clone()))
        .app_data(Data::new(SymbolServices::from(services)))
        .app_data(Data::new(Symbolication::from(services)))
        .app_data(Data::new(services.missing.clone()))
        .app_data(Data::from(Arc::clone(&services.health)))
        .app_data(Data::new(services.metrics.clone()))
        .app_data(Data::new(Arc::clone(&services.clock)))
        .configure(routes::configure);
}
