//! Heartbeats, in Dockerflow's shape.

use std::collections::BTreeMap;

use actix_web::web::Data;
use actix_web::{HttpResponse, Responder};
use serde::Serialize;

use crate::health::{Check, Health};

/// Answers that the process is alive, without checking a dependency.
pub(in crate::http) async fn alive() -> impl Responder {
    HttpResponse::Ok().finish()
}

/// The state of every dependency, with details of those that do not answer.
#[derive(Debug, Serialize)]
struct HeartbeatJson {
    checks: BTreeMap<&'static str, &'static str>,
    details: BTreeMap<&'static str, DetailJson>,
    status: &'static str,
}

#[derive(Debug, Serialize)]
struct DetailJson {
    level: u8,
    status: &'static str,
}

impl DetailJson {
    fn of(state: State) -> Self {
        let (level, status) = (state.level(), state.name());
        Self { level, status }
    }
}

/// Answers with every dependency by name, and whether objects were found damaged. If a required dependency does not
/// answer, the status is 500, as Tecken's. One that the server can do without is a warning, so that a short outage of
/// it does not take every node out of service.
pub(in crate::http) async fn heartbeat(health: Data<Health>) -> impl Responder {
    let mut checks = BTreeMap::new();
    let mut details = BTreeMap::new();
    let mut worst = State::Ok;
    // Not a reason to take the node out of service: every other file is fine.
    if health.damaged_objects() > 0 {
        worst = State::Warning;
        details.insert("objects", DetailJson::of(worst));
    }
    checks.insert("objects", worst.name());
    for check in health.checks().await {
        let state = State::of(&check);
        worst = worst.max(state);
        checks.insert(check.name, state.name());
        if let Some(problem) = check.problem {
            tracing::warn!(
                event = "dependency_down",
                dependency = check.name,
                problem,
                "a dependency does not answer"
            );
            details.insert(check.name, DetailJson::of(state));
        }
    }
    let mut response = match worst {
        State::Ok | State::Warning => HttpResponse::Ok(),
        State::Error => HttpResponse::InternalServerError(),
    };
    response.json(HeartbeatJson {
        checks,
        details,
        status: worst.name(),
    })
}

/// The state of a dependency, in Dockerflow's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Ok,
    Warning,
    Error,
}

impl State {
    fn of(check: &Check) -> Self {
        match (&check.problem, check.is_needed) {
            (None, _) => Self::Ok,
            (Some(_), false) => Self::Warning,
            (Some(_), true) => Self::Error,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// The level of Python's logging, which Dockerflow uses.
    fn level(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 30,
            Self::Error => 40,
        }
    }
}
