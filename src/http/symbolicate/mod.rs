//! The API of Mozilla's symbolication service Eliot, whose clients are the profiler of Firefox and scripts: stacks of
//! addresses in, functions, files and lines out.
//!
//! Every answer is JSON, since the profiler reads errors so, too, and scripts of any site may read it (`cors`). A
//! request and its answer may be large: beyond a size that takes a millisecond, they are read and written on the pool
//! for computing.

mod answer;
mod body;
mod cors;
mod debug;
mod refusal;
mod request;
#[cfg(test)]
mod tests;

use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, ResponseError};

use super::error::ApiError;
use crate::clock::{SharedClock, Stopwatch};
use crate::metrics::{Histogram, Metrics, ReasonLabel, SymbolicateLabels, VersionLabel};
use crate::symbolication::{Effort, Job, JobAnswer, SymbolicationError, SymbolicationService};

use answer::{AnswerJson, OldAnswerJson};
use body::Body;
use debug::DebugJson;
use refusal::Refusal;

/// Asks for [`DebugJson`], whatever its value.
const DEBUG: HeaderName = HeaderName::from_static("debug");

/// The largest body that is read at once, in bytes.
const READ_AT_ONCE: usize = 64 << 10;

/// A version of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    /// One job, whose answer is text.
    V4,
    /// Several jobs, with files, lines and inlined functions.
    V5,
}

impl Version {
    fn label(self) -> &'static str {
        match self {
            Self::V4 => "v4",
            Self::V5 => "v5",
        }
    }

    fn read(self, body: Body) -> Result<Vec<Job>, Refusal> {
        let plain = body.into_plain()?;
        let jobs = match self {
            Self::V4 => request::bare_job(&plain),
            Self::V5 => request::jobs(&plain),
        };
        Ok(jobs?)
    }

    fn write(self, jobs: &[JobAnswer], debug: Option<DebugJson>) -> Result<Vec<u8>, Refusal> {
        let written = match self {
            Self::V4 => answer::write(&OldAnswerJson::new(jobs)),
            Self::V5 => answer::write(&AnswerJson::new(jobs, debug)),
        };
        written.ok_or(Refusal::Service(SymbolicationError::TooLarge))
    }
}

/// What the handlers use; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Symbolication {
    pub(super) service: SymbolicationService,
    pub(super) metrics: Metrics,
    pub(super) clock: SharedClock,
}

/// Reads a request of version 5 that did not come over HTTP.
///
/// # Errors
/// It is not one; the sentence is the one that clients get.
pub fn read_jobs(
    request: &[u8],
) -> Result<Vec<Job>, impl std::error::Error + Send + Sync + 'static> {
    request::jobs(request)
}

/// Writes an answer of version 5; `None` if it is too large.
#[must_use]
pub fn write_answers(answers: &[JobAnswer]) -> Option<Vec<u8>> {
    answer::write(&AnswerJson::new(answers, None))
}

/// Answers a request of version 4.
pub(super) async fn v4(
    request: HttpRequest,
    body: Payload,
    symbolication: Data<Symbolication>,
) -> HttpResponse {
    symbolication.respond(Version::V4, &request, body).await
}

/// Answers a request of version 5.
pub(super) async fn v5(
    request: HttpRequest,
    body: Payload,
    symbolication: Data<Symbolication>,
) -> HttpResponse {
    symbolication.respond(Version::V5, &request, body).await
}

/// Answers a request of a version that does not exist.
pub(super) async fn no_version(request: HttpRequest) -> HttpResponse {
    cors::allow(&request, refusal::not_found(&request).error_response())
}

impl Symbolication {
    async fn respond(
        &self,
        version: Version,
        request: &HttpRequest,
        body: Payload,
    ) -> HttpResponse {
        let response = match *request.method() {
            Method::POST => self.symbolicate(version, request, body).await,
            Method::OPTIONS => cors::options(request),
            _ => refusal::method_not_allowed(request).error_response(),
        };
        cors::allow(request, response)
    }

    /// Answers a request, and counts it.
    async fn symbolicate(
        &self,
        version: Version,
        request: &HttpRequest,
        body: Payload,
    ) -> HttpResponse {
        let stopwatch = Stopwatch::start(self.clock.as_ref());
        let answered = self.answer(version, request, body, &stopwatch).await;
        let response = answered.unwrap_or_else(|refusal| {
            let reason = refusal.code();
            let errors = &self.metrics.symbolicate_errors;
            errors.get_or_create(&ReasonLabel { reason }).inc();
            ApiError::from(refusal).error_response()
        });
        let labels = SymbolicateLabels {
            version: version.label(),
            status: response.status().as_u16(),
        };
        let version = VersionLabel {
            version: labels.version,
        };
        let seconds = &self.metrics.symbolicate_seconds;
        self.metrics
            .symbolicate_requests
            .get_or_create(&labels)
            .inc();
        seconds.get_or_create(&version).observe(stopwatch.seconds());
        response
    }

    async fn answer(
        &self,
        version: Version,
        request: &HttpRequest,
        body: Payload,
        stopwatch: &Stopwatch<'_>,
    ) -> Result<HttpResponse, Refusal> {
        let most_bytes = Body::most_bytes(request)?;
        let _admission = self.service.admit(most_bytes)?;
        let body = Body::receive(request, body).await?;
        let effort = if body.is_packed() || body.len() > READ_AT_ONCE {
            Effort::Large
        } else {
            Effort::Small
        };
        let read = move || version.read(body);
        let jobs = self.service.compute(effort, read).await??;
        self.observe(&jobs);
        let effort = Effort::of(&jobs);
        let answers = self.service.symbolicate(jobs).await?;
        let debug =
            wants_debug(request.headers()).then(|| DebugJson::new(&answers, stopwatch.time()));
        let write = move || version.write(&answers, debug);
        let json = self.service.compute(effort, write).await??;
        Ok(HttpResponse::Ok()
            .content_type("application/json")
            .body(json))
    }

    /// Counts what is asked for.
    fn observe(&self, jobs: &[Job]) {
        let stacks = jobs.iter().flat_map(|job| &job.stacks);
        let frames: usize = stacks.clone().map(Vec::len).sum();
        let observe = |histogram: &Histogram, count: usize| {
            histogram.observe(u32::try_from(count).unwrap_or(u32::MAX).into());
        };
        observe(&self.metrics.symbolicate_jobs, jobs.len());
        observe(&self.metrics.symbolicate_stacks, stacks.count());
        observe(&self.metrics.symbolicate_frames, frames);
    }
}

fn wants_debug(headers: &HeaderMap) -> bool {
    headers.contains_key(DEBUG)
}
