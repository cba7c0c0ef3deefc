//! Heartbeats, in Dockerflow's shape.

use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use serde_json::{Map, Value, json};

use crate::health::Health;

pub(super) fn configure(app: &mut ServiceConfig) {
    app.route("/__lbheartbeat__", web::to(alive))
        .route("/__heartbeat__", web::to(heartbeat));
}

/// The process answers; no dependency is asked.
async fn alive() -> impl Responder {
    HttpResponse::Ok().finish()
}

/// Every dependency by name; 500 when one does not answer, as Tecken does.
async fn heartbeat(health: Data<Health>) -> impl Responder {
    let mut checks = Map::new();
    let mut details = Map::new();
    for check in health.checks().await {
        let state = if check.problem.is_some() {
            "error"
        } else {
            "ok"
        };
        checks.insert(check.name.to_owned(), Value::from(state));
        if let Some(problem) = check.problem {
            tracing::warn!(
                event = "dependency_down",
                dependency = check.name,
                problem,
                "a dependency does not answer"
            );
            details.insert(
                check.name.to_owned(),
                json!({"level": 40, "status": "error"}),
            );
        }
    }
    let (mut response, overall) = if details.is_empty() {
        (HttpResponse::Ok(), "ok")
    } else {
        (HttpResponse::InternalServerError(), "error")
    };
    response.json(json!({"status": overall, "checks": checks, "details": details}))
}
