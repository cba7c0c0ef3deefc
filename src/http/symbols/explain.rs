//! Explains the answer to a request for a symbol: which sources were searched for which names, and what they answered.

use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde::Serialize;
use symbols::Store;

use super::services::SymbolServices;
use crate::catalog::{Module, NoAnswer, Origin, SourceAnswer, Sourced};
use crate::db::files::HeldId;
use crate::db::missing::MissingRecord;
use crate::download::{CandidateAnswer, DownloadError, Explanation, Verdict};
use crate::http::error::ApiError;
use crate::http::extract::{SymbolPath, SymbolQuery};
use crate::http::json::json_time;
use crate::symbolication::symcaches::{SymcacheExplanation, SymcacheState};

/// The path before that of the symbol.
pub(super) const PREFIX: &str = "/api/explain";

/// Answers how a request for a symbol would be answered, and why.
pub(super) async fn answer(
    request: &HttpRequest,
    symbol: &SymbolPath<'_>,
    services: &SymbolServices,
) -> HttpResponse {
    let result = explain(request, symbol, services).await;
    result.unwrap_or_else(|error| ApiError::from(error).error_response())
}

async fn explain(
    request: &HttpRequest,
    symbol: &SymbolPath<'_>,
    services: &SymbolServices,
) -> Result<HttpResponse, DownloadError> {
    let wanted = &symbol.wanted;
    let query = SymbolQuery::read(request.query_string());
    let stores = query.stores.union(symbol.stores);
    let explanation = services.downloads.explain(wanted, stores).await?;
    let (debug_file, id, file) = (&wanted.debug_file, wanted.id.as_str(), &wanted.file_name);
    let missing = services.missing.of_file(debug_file, id, file).await;
    let symcache = symcache(&explanation, symbol, services).await;
    let (verdict, reason) = verdict_and_reason(&explanation);
    let (ids, candidates) = (explanation.ids.as_ref().ok(), explanation.candidates.iter());
    Ok(HttpResponse::Ok().json(ExplanationJson {
        debug_file,
        file,
        id,
        ids: ids.map(|ids| ids.iter().map(IdJson::from).collect()),
        lookups: candidates.flat_map(lookups_json).collect(),
        missing: missing.ok().as_deref().map(MissingJson::of),
        modules: explanation.modules.iter().map(module_json).collect(),
        reason,
        symbolication: symcache.as_ref().map(SymcacheJson::of),
        is_try: stores.includes(Store::Try),
        verdict,
    }))
}

/// The symcache of a `.sym` file, if addresses of its module are looked up in this file.
async fn symcache(
    explanation: &Explanation,
    symbol: &SymbolPath<'_>,
    services: &SymbolServices,
) -> Option<SymcacheExplanation> {
    let wanted = &symbol.wanted;
    if !matches!(explanation.verdict, Verdict::Held) || !wanted.file_name.ends_with(".sym") {
        return None;
    }
    let id = wanted.id.as_str();
    let symcache = services.symcaches.explain(&wanted.debug_file, id).await;
    let symcache = symcache.ok().flatten();
    symcache.filter(|symcache| symcache.source.file_name() == wanted.file_name)
}

/// How a request would be answered, and why. Members that need the database are null when it is unavailable.
#[derive(Debug, Serialize)]
struct ExplanationJson<'explanation> {
    debug_file: &'explanation str,
    file: &'explanation str,
    id: &'explanation str,
    ids: Option<Vec<IdJson<'explanation>>>,
    lookups: Vec<LookupJson<'explanation>>,
    missing: Option<MissingJson>,
    modules: Vec<AnswerJson<FoundModuleJson<'explanation>>>,
    reason: String,
    symbolication: Option<SymcacheJson<'explanation>>,
    #[serde(rename = "try")]
    is_try: bool,
    verdict: &'static str,
}

/// A debug id of the debug file.
#[derive(Debug, Serialize)]
struct IdJson<'explanation> {
    debug_id: &'explanation str,
    stored_at: String,
    symbols: &'static str,
}

/// One name in one source.
#[derive(Debug, Serialize)]
struct LookupJson<'explanation> {
    #[serde(flatten)]
    answer: AnswerJson<FoundObjectJson>,
    is_cabinet: bool,
    name: String,
    path: &'explanation str,
    storage: &'explanation str,
    symbols: &'static str,
}

/// An answer, and where it comes from.
#[derive(Debug, Serialize)]
struct AnswerJson<T> {
    age_seconds: Option<f64>,
    answer: &'static str,
    found: Option<T>,
    from: &'static str,
}

#[derive(Debug, Serialize)]
struct FoundObjectJson {
    stored_at: String,
    stored_size: u64,
}

#[derive(Debug, Serialize)]
struct FoundModuleJson<'explanation> {
    debug_file: &'explanation str,
    debug_id: &'explanation str,
    symbols: &'static str,
}

/// The symcache in which addresses of the module are looked up.
#[derive(Debug, Serialize)]
struct SymcacheJson<'explanation> {
    digest: String,
    line: Option<u64>,
    size: Option<u64>,
    source: String,
    state: &'static str,
    symcache: &'explanation str,
    version: &'static str,
}

impl<'explanation> SymcacheJson<'explanation> {
    fn of(symcache: &'explanation SymcacheExplanation) -> Self {
        let (state, size, line) = match symcache.state {
            SymcacheState::Usable { length } => ("usable", Some(length), None),
            SymcacheState::Unusable(unusable) => (unusable.reason.name(), None, unusable.line),
            SymcacheState::Stored => ("stored", None, None),
            SymcacheState::NotMade => ("not_made", None, None),
        };
        Self {
            digest: symcache.digest.to_string(),
            line,
            size,
            source: symcache.source.to_string(),
            state,
            symcache: &symcache.path,
            version: symcache.versions,
        }
    }
}

/// How often the file was missed, and when last.
#[derive(Debug, Serialize)]
struct MissingJson {
    count: u64,
    last_asked: Option<String>,
}

impl MissingJson {
    fn of(rows: &[MissingRecord]) -> Self {
        Self {
            count: rows.iter().map(|row| row.count).sum(),
            last_asked: rows.iter().map(|row| row.modified_at).max().map(json_time),
        }
    }
}

impl<'explanation> From<&'explanation HeldId> for IdJson<'explanation> {
    fn from(held: &'explanation HeldId) -> Self {
        Self {
            debug_id: held.debug_id.as_str(),
            stored_at: json_time(held.stored_at),
            symbols: held.store.name(),
        }
    }
}

/// The verdict by its stable name, and a sentence for people.
fn verdict_and_reason(explanation: &Explanation) -> (&'static str, String) {
    let text = |text: &str| text.to_owned();
    match &explanation.verdict {
        Verdict::Hopeless => (
            "ignored",
            text("no symbol has such a name: file.ptr, or an id of zeros"),
        ),
        Verdict::NotServed => (
            "ignored",
            text("the suffix of the file name is not in the setting download.serve"),
        ),
        Verdict::Illegal(error) => ("illegal", format!("one of its names {error}")),
        Verdict::Held => ("held", text("a storage holds it")),
        Verdict::Packed => ("packed", text("a storage holds the cabinet that it is in")),
        Verdict::Renamed(key) => (
            "renamed",
            format!("the path has a code id; clients are redirected to {key}"),
        ),
        Verdict::Missing => (
            "missing",
            text("no storage holds it under any of its names"),
        ),
        Verdict::Damaged => (
            "damaged",
            text(
                "a storage holds it, and the object is damaged; upload it again, which replaces it",
            ),
        ),
        Verdict::Unknown => (
            "unknown",
            text("a source or the database could not be queried; try again later"),
        ),
    }
}

fn lookups_json(answer: &CandidateAnswer) -> impl Iterator<Item = LookupJson<'_>> {
    let candidate = &answer.candidate;
    answer
        .sources
        .iter()
        .map(|source: &SourceAnswer| LookupJson {
            answer: answer_json(&source.held, |info| FoundObjectJson {
                stored_at: json_time(info.modified_at),
                stored_size: info.stored_size,
            }),
            is_cabinet: candidate.is_packed,
            name: candidate.key.to_string(),
            path: &source.path,
            storage: &source.storage,
            symbols: source.store.name(),
        })
}

fn module_json(module: &Sourced<Module>) -> AnswerJson<FoundModuleJson<'_>> {
    answer_json(module, |module| FoundModuleJson {
        debug_file: &module.record.debug_file,
        debug_id: module.record.debug_id.as_str(),
        symbols: module.store.name(),
    })
}

fn answer_json<'sourced, T, J>(
    sourced: &'sourced Sourced<T>,
    describe: impl Fn(&'sourced T) -> J,
) -> AnswerJson<J> {
    let (answer, found) = match &sourced.answer {
        Ok(Some(found)) => ("present", Some(describe(found))),
        Ok(None) => ("absent", None),
        Err(NoAnswer::Damaged) => ("damaged", None),
        Err(NoAnswer::Unknown) => ("unknown", None),
    };
    let (from, age_seconds) = match sourced.origin {
        Origin::Memory(age) => ("memory", Some(age.as_secs_f64())),
        Origin::SharedCache => ("shared cache", None),
        Origin::Asked => ("asked now", None),
    };
    AnswerJson {
        age_seconds,
        answer,
        found,
        from,
    }
}
