//! Middleware around every request: it assigns an id, counts and times the answer, and writes a line to the log if the
//! configuration asks for it. It also forbids browsers to guess the type of an answer.

use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, ResponseError};
use tracing::Instrument;

use super::routes::{label_of, shown_path};
use super::{host, paths};
use crate::clock::{SharedClock, Stopwatch};
use crate::metrics::{Metrics, RequestLabels, RouteLabel};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// The state of the middleware, shared by all workers.
#[derive(Debug)]
pub struct Observation {
    metrics: Metrics,
    clock: SharedClock,
    logs_requests: bool,
    /// The id of the next request. The first one is random, so that the ids of other processes are far away.
    next_id: AtomicU64,
}

impl Observation {
    /// Starts to count. With `logs_requests`, every request is logged.
    #[must_use]
    pub fn new(metrics: Metrics, clock: SharedClock, logs_requests: bool) -> Self {
        let mut first = [0; 8];
        // Without random bytes the ids of two processes may be the same, which is no reason to fail.
        getrandom::fill(&mut first).unwrap_or_default();
        Self {
            metrics,
            clock,
            logs_requests,
            next_id: AtomicU64::new(u64::from_ne_bytes(first)),
        }
    }

    fn next_id(&self) -> String {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        hex::encode(id.to_be_bytes())
    }
}

/// Gives a request its id, and counts and times its answer.
///
/// # Errors
/// None of its own: errors of handlers have become answers already.
pub async fn observe(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, Error> {
    let observation = request
        .app_data::<Data<Observation>>()
        .cloned()
        .expect("registered where the routes are");
    paths::fold_slashes(&mut request);
    let stopwatch = Stopwatch::start(observation.clock.as_ref());
    let id = observation.next_id();
    let (method, route) = (
        method_label(request.method().as_str()),
        label_of(request.path()),
    );
    let span = tracing::info_span!("request", %id);
    let path = observation
        .logs_requests
        .then(|| shown_path(request.path()).to_owned());
    let mut response = if host::is_acceptable(request.headers()) {
        next.call(request).instrument(span.clone()).await?
    } else {
        request.into_response(host::bad_host().error_response())
    };
    let status = response.status().as_u16();
    let seconds = stopwatch.seconds();
    observation
        .metrics
        .http_requests
        .get_or_create(&RequestLabels {
            route,
            method,
            status,
        })
        .inc();
    observation
        .metrics
        .http_request_seconds
        .get_or_create(&RouteLabel { route })
        .observe(seconds);
    if let Some(path) = path {
        tracing::info!(parent: &span, event = "request", method, path, status, seconds, "answered a request");
    }
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    if let Ok(id) = HeaderValue::try_from(id) {
        headers.insert(REQUEST_ID, id);
    }
    Ok(response)
}

/// A method as a label. All unknown methods share one, so that clients cannot add labels.
fn method_label(method: &str) -> &'static str {
    const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];
    METHODS
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("other")
}
