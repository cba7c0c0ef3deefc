//! The names and ids of a module, found by its debug id or its code id, in Tecken's shape.

use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde::Serialize;

use super::services::SymbolServices;
use super::url::path_of;
use crate::catalog::{Catalog, Module, ModulesError};
use crate::http::error::ApiError;
use crate::http::extract::{ModulePath, SymbolQuery};
use symbols::{DebugId, check_name};

/// The path before the module's names.
pub(super) const PREFIX: &str = "/api/syminfo";

/// Answers with the names and ids of a module.
pub(super) async fn answer(
    request: &HttpRequest,
    path: &ModulePath,
    services: &SymbolServices,
) -> HttpResponse {
    match find(request, path, &services.catalog).await {
        Ok(Some(module)) => match services.base_url.of(request) {
            Ok(base_url) => HttpResponse::Ok().json(ModuleJson::of(&module, &base_url)),
            Err(error) => error.error_response(),
        },
        Ok(None) => ApiError::no_such_module().text_response(),
        Err(error) => ApiError::from(error).error_response(),
    }
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

/// A module, with the URL of its file. Fields that its header lacks are empty.
#[derive(Debug, Serialize)]
struct ModuleJson<'module> {
    code_file: &'module str,
    code_id: &'module str,
    debug_filename: &'module str,
    debug_id: &'module str,
    generator: &'module str,
    url: String,
}

impl<'module> ModuleJson<'module> {
    fn of(module: &'module Module, base_url: &str) -> Self {
        let record = &module.record;
        let path = path_of(&record.key, module.store.into());
        let url = format!("{base_url}{path}");
        Self {
            code_file: record.code_file.as_deref().unwrap_or_default(),
            code_id: record.code_id.as_ref().map_or("", DebugId::as_str),
            debug_filename: &record.debug_file,
            debug_id: record.debug_id.as_str(),
            generator: record.generator.as_deref().unwrap_or_default(),
            url,
        }
    }
}
