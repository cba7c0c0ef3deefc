//! Why is it missing? What was asked, where, and with which answer, as JSON.

use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde_json::{Value, json};

use super::Symbols;
use crate::catalog::{Module, Origin, Sourced};
use crate::db::DbError;
use crate::db::files::HeldId;
use crate::db::missing::MissingRecord;
use crate::download::{CandidateAnswer, DownloadError, Explanation, Verdict, Wanted};
use crate::http::error::ApiError;
use crate::http::extract::{SymbolPath, SymbolQuery};
use crate::http::json::json_time;

/// The path before that of the symbol.
pub(super) const PREFIX: &str = "/api/explain";

/// Answers with what would become of a request for a symbol, and why.
pub(super) async fn answer(
    request: &HttpRequest,
    symbol: &SymbolPath<'_>,
    symbols: &Symbols,
) -> HttpResponse {
    match explain(request, symbol, symbols).await {
        Ok(explanation) => HttpResponse::Ok().json(explanation),
        Err(error) => ApiError::from(error).error_response(),
    }
}

async fn explain(
    request: &HttpRequest,
    symbol: &SymbolPath<'_>,
    symbols: &Symbols,
) -> Result<Value, DownloadError> {
    let wanted = &symbol.wanted;
    let includes_try = symbol.is_try || SymbolQuery::read(request.query_string()).includes_try;
    let explanation = symbols.downloads.explain(wanted, includes_try).await?;
    let (debug_file, id, file_name) = (&wanted.debug_file, &wanted.id, &wanted.file_name);
    let missing = symbols.missing.of_file(debug_file, id.as_str(), file_name);
    let missing = missing.await;
    Ok(explanation_json(
        wanted,
        includes_try,
        &explanation,
        missing,
    ))
}

/// What the database could not tell is null.
fn explanation_json(
    wanted: &Wanted<'_>,
    includes_try: bool,
    explanation: &Explanation,
    missing: Result<Vec<MissingRecord>, DbError>,
) -> Value {
    let (verdict, reason) = told(explanation);
    let ids = explanation.ids.as_ref().ok().map(|ids| {
        let id = |held: &HeldId| {
            json!({"debug_id": held.debug_id, "symbols": kind(held.is_try), "stored_at": json_time(held.stored_at)})
        };
        ids.iter().map(id).collect::<Vec<_>>()
    });
    json!({
        "debug_file": wanted.debug_file,
        "id": wanted.id.as_str(),
        "file": wanted.file_name,
        "try": includes_try,
        "verdict": verdict,
        "reason": reason,
        "lookups": explanation.candidates.iter().flat_map(candidate_json).collect::<Vec<_>>(),
        "modules": explanation.modules.iter().map(|module| {
            let names = |module: &Module| json!({
                "debug_file": module.record.debug_file,
                "debug_id": module.record.debug_id,
                "symbols": kind(module.is_try),
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

fn candidate_json(answer: &CandidateAnswer) -> impl Iterator<Item = Value> {
    answer.sources.iter().map(|source| {
        let mut json = answer_json(&source.held, |info| {
            json!({"stored_size": info.stored_size, "stored_at": json_time(info.modified_at)})
        });
        json["name"] = answer.candidate.key.to_string().into();
        json["is_cabinet"] = answer.candidate.is_packed.into();
        json["symbols"] = kind(source.is_try).into();
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

fn kind(is_try: bool) -> &'static str {
    if is_try { "try" } else { "regular" }
}
