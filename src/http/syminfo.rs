//! What is known of a module, by its debug id or its code id, in Tecken's shape.

use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde_json::{Value, json};

use super::error::ApiError;
use super::extract::{ModulePath, SymbolQuery};
use super::public;
use super::symbol_url::path_of;
use crate::catalog::{Catalog, Module, ModulesError};
use symbols::{DebugId, check_name};

/// The path before the module's names.
const PREFIX: &str = "/api/syminfo";

/// What lies below `/api`.
pub(super) fn configure_api(api: &mut ServiceConfig) {
    api.service(web::scope("/syminfo").default_service(web::to(syminfo)));
}

async fn syminfo(request: HttpRequest, catalog: Data<Catalog>) -> HttpResponse {
    let path = request.uri().path();
    let Some(module) = path.strip_prefix(PREFIX).and_then(ModulePath::read) else {
        return public::readable(ApiError::not_found(path).error_response());
    };
    if let Some(response) = public::without_reading(&request) {
        return response;
    }
    public::readable(match find(&request, &module, &catalog).await {
        Ok(Some(module)) => HttpResponse::Ok().json(module_json(&module, &request)),
        Ok(None) => ApiError::no_such_module().text_response(),
        Err(error) => ApiError::from(error).error_response(),
    })
}

async fn find(
    request: &HttpRequest,
    module: &ModulePath,
    catalog: &Catalog,
) -> Result<Option<Module>, ModulesError> {
    if check_name(&module.file).is_err() {
        return Ok(None);
    }
    let lookup = SymbolQuery::read(request.query_string()).lookup();
    catalog
        .modules()
        .find_by_any_name(&module.file, &module.id, lookup)
        .await
}

/// The module, with the address of its file. What its header does not tell is empty.
fn module_json(module: &Module, request: &HttpRequest) -> Value {
    let record = &module.record;
    let connection = request.connection_info();
    let path = path_of(&record.key, module.store.into());
    let url = format!("{}://{}{path}", connection.scheme(), connection.host());
    json!({
        "debug_id": record.debug_id,
        "debug_filename": record.debug_file,
        "code_file": record.code_file.as_deref().unwrap_or_default(),
        "code_id": record.code_id.as_ref().map_or("", DebugId::as_str),
        "generator": record.generator.as_deref().unwrap_or_default(),
        "url": url,
    })
}
