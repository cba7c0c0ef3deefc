//! The HTTP side: requests become calls of services, results become answers.
//!
//! One file a resource, with its handlers and wire types; `extract` turns requests into the services' types,
//! `error` turns errors into answers. No handler decides anything about the product.

mod api;
mod breakpad;
mod config;
mod error;
mod extract;
mod json;
mod middleware;
mod outlet;
mod symbols;
mod upload;

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{self, Data, ServiceConfig};

use crate::auth::AuthService;
use crate::catalog::Catalog;
use crate::clock::SharedClock;
use crate::debuginfod::DebuginfodService;
use crate::download::DownloadService;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::missing::MissingReport;
use crate::upload::UploadService;
use crate::upload::breakpad::BreakpadUploads;

pub use config::ServerConfig;
pub use middleware::{Observation, observe};
pub use outlet::Outlet;

use self::api::{health, missing, operations};
use self::symbols::Symbols;

/// What the handlers call.
#[derive(Clone, Debug)]
pub struct HttpServices {
    /// Checks tokens.
    pub auth: AuthService,
    /// Takes uploads.
    pub uploads: Arc<UploadService>,
    /// Takes uploads of one file.
    pub breakpad: Arc<BreakpadUploads>,
    /// The address that clients know this server by; empty if it is not configured.
    pub public_url: String,
    /// Finds files.
    pub downloads: DownloadService,
    /// Finds files by build id.
    pub debuginfod: DebuginfodService,
    /// Knows what is held.
    pub catalog: Arc<Catalog>,
    /// How long clients and caches may keep a file without asking whether it has changed.
    pub max_age: Duration,
    /// Reads the missing-symbols table.
    pub missing: MissingReport,
    /// Asks the dependencies.
    pub health: Arc<Health>,
    /// Counts.
    pub metrics: Metrics,
    /// Tells the time.
    pub clock: SharedClock,
    /// The runtime on which uploads go on when their clients leave.
    pub runtime: tokio::runtime::Handle,
}

impl From<&HttpServices> for Symbols {
    fn from(services: &HttpServices) -> Self {
        Self {
            downloads: services.downloads.clone(),
            debuginfod: services.debuginfod.clone(),
            catalog: Arc::clone(&services.catalog),
            max_age: services.max_age,
            missing: services.missing.clone(),
            clock: Arc::clone(&services.clock),
        }
    }
}

/// All routes, in the order in which they are tried. What none of them matches is a symbol's path, or nothing.
///
/// That is nearly every request, so no route's own path has a part that varies: such parts belong below a scope whose
/// path has none, so that no regular expression is tried on the path of a symbol. And paths that begin alike are one
/// route, for each is tried. What a scope has no route for ends with the symbols, too.
pub fn configure(services: &HttpServices, app: &mut ServiceConfig) {
    let api = web::scope("/api")
        .configure(upload::configure_api)
        .configure(missing::configure_api);
    app.app_data(Data::new(services.auth.clone()))
        .app_data(Data::from(Arc::clone(&services.uploads)))
        .app_data(Data::from(Arc::clone(&services.breakpad)))
        .app_data(Data::new(breakpad::PublicUrl(services.public_url.clone())))
        .app_data(Data::new(Symbols::from(services)))
        .app_data(Data::new(services.missing.clone()))
        .app_data(Data::from(Arc::clone(&services.health)))
        .app_data(Data::new(services.metrics.clone()))
        .app_data(Data::new(Arc::clone(&services.clock)))
        .app_data(Data::new(services.runtime.clone()))
        .configure(operations::configure)
        .configure(health::configure)
        .configure(upload::configure)
        .configure(breakpad::configure)
        .configure(missing::configure)
        .service(api)
        .default_service(web::to(symbols::answer));
}

/// What paths with an upload key begin with. The key is a secret.
const UPLOAD_KEYS: &str = "/v1/uploads/";

/// A path as the log may show it.
fn shown_path(path: &str) -> &str {
    if path.starts_with(UPLOAD_KEYS) {
        return route_of(path);
    }
    path
}

/// The route of a path, as the metrics name it: every symbol's path is one route.
fn route_of(path: &str) -> &'static str {
    const ROUTES: &[&str] = &[
        "/",
        "/__heartbeat__",
        "/__lbheartbeat__",
        "/__version__",
        "/api/downloads/missing",
        "/metrics",
        "/missingsymbols",
        "/missingsymbols.csv",
        "/symupload",
        "/upload",
        "/upload/auth_info",
        "/v1/uploads:create",
    ];
    // Routes that end in something of the client's, by what comes before it.
    const FAMILIES: &[(&str, &str)] = &[
        ("/api/explain/", "/api/explain/{debug_file}/{id}/{file}"),
        ("/api/syminfo/", "/api/syminfo/{file}/{id}"),
        ("/api/uploads/upload/", "/api/uploads/upload/{id}"),
        ("/buildid/", "/buildid/{build_id}/{file}"),
        ("/v1/symbols/", "/v1/symbols/{debug_file}/{id}"),
        (UPLOAD_KEYS, "/v1/uploads/{key}"),
    ];
    let path = if path.len() > 1 {
        path.trim_end_matches('/')
    } else {
        path
    };
    let family = || FAMILIES.iter().find(|(start, _)| path.starts_with(start));
    ROUTES
        .iter()
        .find(|route| **route == path)
        .or_else(|| family().map(|(_, route)| route))
        .copied()
        .unwrap_or("/{debug_file}/{id}/{file}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_shows_no_upload_key() {
        for path in ["/v1/uploads/0123abcd", "/v1/uploads/0123abcd:complete"] {
            assert_eq!(shown_path(path), "/v1/uploads/{key}");
        }
        assert_eq!(shown_path("/a.pdb/AB/a.sym"), "/a.pdb/AB/a.sym");
    }
}
