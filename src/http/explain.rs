//! Why is it missing? What was asked, where, and with which answer, as JSON.

use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde_json::{Value, json};

use super::error::ApiError;
use super::extract::{SymbolPath, SymbolQuery};
use super::public;
use super::wire::json_time;
use crate::catalog::{Module, Origin, Sourced};
use crate::db::DbError;
use crate::db::files::HeldId;
use crate::db::missing::MissingRecord;
use crate::download::{DownloadService, Explanation, FormAnswer, Verdict, Wanted};
use crate::missing::MissingReport;
use symbols::{Store, Stores};

/// The path before that of the symbol.
const PREFIX: &str = "/api/explain";

/// What lies below `/api`.
pub(super) fn configure_api(api: &mut ServiceConfig) {
    api.service(web::scope("/explain").default_service(web::to(explain)));
}

async fn explain(
    request: HttpRequest,
    downloads: Data<DownloadService>,
    report: Data<MissingReport>,
) -> HttpResponse {
    let path = request.uri().path();
    let Some(symbol) = path.strip_prefix(PREFIX).and_then(SymbolPath::read) else {
        return public::readable(ApiError::not_found(path).error_response());
    };
    if let Some(response) = public::without_reading(&request) {
        return response;
    }
    let query = SymbolQuery::read(request.query_string());
    let stores = query.stores.union(symbol.stores);
    let wanted = &symbol.wanted;
    public::readable(match downloads.explain(wanted, stores).await {
        Ok(explanation) => {
            let (debug_file, id, file_name) = (&wanted.debug_file, &wanted.id, &wanted.file_name);
            let missing = report.of_file(debug_file, id.as_str(), file_name).await;
            let json = explanation_json(wanted, stores, &explanation, missing);
            HttpResponse::Ok().json(json)
        }
        Err(error) => ApiError::from(error).error_response(),
    })
}

/// What the database could not tell is null.
fn explanation_json(
    wanted: &Wanted<'_>,
    stores: Stores,
    explanation: &Explanation,
    missing: Result<Vec<MissingRecord>, DbError>,
) -> Value {
    let (verdict, reason) = told(explanation);
    let ids = explanation.ids.as_ref().ok().map(|ids| {
        let id = |held: &HeldId| {
            json!({"debug_id": held.debug_id, "symbols": held.store.name(), "stored_at": json_time(held.stored_at)})
        };
        ids.iter().map(id).collect::<Vec<_>>()
    });
    json!({
        "debug_file": wanted.debug_file,
        "id": wanted.id.as_str(),
        "file": wanted.file_name,
        "try": stores.includes(Store::Try),
        "verdict": verdict,
        "reason": reason,
        "lookups": explanation.forms.iter().flat_map(form_json).collect::<Vec<_>>(),
        "modules": explanation.modules.iter().map(|module| {
            let names = |module: &Module| json!({
                "debug_file": module.record.debug_file,
                "debug_id": module.record.debug_id,
                "symbols": module.store.name(),
            });
            answer_json(module, names)
        }).collect::<Vec<_>>(),
        "missing": missing.ok().map(|rows| json!({
            "count": rows.iter().map(|row| row.count).sum::<u64>(),
            "last_asked": rows.iter().map(|row| row.modified_at).max().map(json_time),
        })),
        "ids": ids,
    })
}

fn told(explanation: &Explanation) -> (&'static str, String) {
    let text = |text: &str| text.to_owned();
    match &explanation.verdict {
        Verdict::Hopeless => (
            "ignored",
            text("no symbol is ever called that: file.ptr, or an id of zeros"),
        ),
        Verdict::NotServed => (
            "ignored",
            text("the ending of the name is not among those of download.serve"),
        ),
        Verdict::Illegal(error) => ("illegal", format!("one of its names {error}")),
        Verdict::Held => ("held", text("a storage holds it")),
        Verdict::Packed => ("packed", text("a storage holds the cabinet that it is in")),
        Verdict::Renamed(key) => (
            "renamed",
            format!("it is asked for by code id, and is to be asked for as {key}"),
        ),
        Verdict::Missing => (
            "missing",
            text("no storage holds it under any of its names"),
        ),
        Verdict::Unknown => (
            "unknown",
            text("something could not be asked; try again later"),
        ),
    }
}

fn form_json(answer: &FormAnswer) -> impl Iterator<Item = Value> {
    answer.sources.iter().map(|source| {
        let mut json = answer_json(&source.held, |info| {
            json!({"stored_size": info.stored_size, "stored_at": json_time(info.modified_at)})
        });
        json["name"] = answer.form.key.to_string().into();
        json["is_cabinet"] = answer.form.is_packed.into();
        json["symbols"] = source.store.name().into();
        json["storage"] = source.storage.as_str().into();
        json["path"] = source.path.as_str().into();
        json
    })
}

fn answer_json<T>(sourced: &Sourced<T>, describe: impl Fn(&T) -> Value) -> Value {
    let (answer, found) = match &sourced.answer {
        Ok(Some(found)) => ("present", describe(found)),
        Ok(None) => ("absent", Value::Null),
        Err(_) => ("unknown", Value::Null),
    };
    let (from, age) = match sourced.origin {
        Origin::Memory(age) => ("memory", Some(age.as_secs_f64())),
        Origin::SharedCache => ("shared cache", None),
        Origin::Asked => ("asked now", None),
    };
    json!({"answer": answer, "found": found, "from": from, "age_seconds": age})
}
