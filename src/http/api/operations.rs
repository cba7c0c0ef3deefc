//! Metrics, the version, and a front page.

use actix_web::web::Data;
use actix_web::{HttpResponse, Responder};
use serde::Serialize;

use crate::metrics::Metrics;

const FRONT_PAGE: &str = "symbold, a symbol server

  GET  /<debug file>/<id>/<file>     a file of symbols, as in /xul.pdb/44E4EC8C2F41492B9369D6B9A059577C2/xul.sym
  POST /upload/                      a zip of such files; needs an Auth-Token
  GET  /missingsymbols.csv           what was asked for and missing
  GET  /missingsymbols/              the same as JSON
  GET  /__heartbeat__ /__lbheartbeat__ /__version__ /metrics
";

/// Lists the main routes as plain text.
pub(in crate::http) async fn front_page() -> impl Responder {
    HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .body(FRONT_PAGE)
}

/// Dockerflow's version object.
#[derive(Debug, Serialize)]
struct VersionJson {
    build: &'static str,
    commit: &'static str,
    source: &'static str,
    version: &'static str,
}

/// Answers with the version of this program.
pub(in crate::http) async fn version() -> impl Responder {
    HttpResponse::Ok().json(VersionJson {
        build: "",
        commit: crate::COMMIT,
        source: "symbold",
        version: crate::VERSION,
    })
}

/// Answers with all metrics in the text format of `OpenMetrics`.
pub(in crate::http) async fn metrics(metrics: Data<Metrics>) -> impl Responder {
    HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(metrics.render())
}
