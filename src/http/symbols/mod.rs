//! The scope of symbols: files by path and by build id, and what is known of them.
//!
//! It takes every path that no other route has. Its policy is written here, once, for all that it answers:
//!
//! - It only reads: `OPTIONS` answers so, and methods other than GET and HEAD are refused.
//! - Scripts of any site may read its answers (`cors`); no token or cookie ever matters.
//! - No answer may be cached unless it says so itself.
//! - Errors about a file are plain text, as debuggers show them. Other errors are JSON.

mod cors;
mod debuginfod;
mod download;
mod explain;
mod services;
mod syminfo;
mod url;

use actix_web::http::Method;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, ResponseError};

use super::error::ApiError;
use super::extract::{BuildPath, ModulePath, SymbolPath};

pub(super) use services::SymbolServices;

/// The resource that a path of the scope names.
enum Resource<'path> {
    /// A file by its debug file and id.
    Symbol(SymbolPath<'path>),
    /// A file, or a part of one, by its build id.
    Build(BuildPath),
    /// A search for files of builds.
    Search,
    /// What is known of a module.
    Module(ModulePath),
    /// The explanation of the answer to a request for a symbol.
    Explanation(SymbolPath<'path>),
}

impl<'path> Resource<'path> {
    /// Reads a path; `None` if there can be nothing at it.
    fn read(path: &'path str) -> Option<Self> {
        // The paths of debuginfod look like those of symbols, so they come first.
        if let Some(build) = BuildPath::read(path) {
            return Some(Self::Build(build));
        }
        if let Some(symbol) = SymbolPath::read(path) {
            return Some(Self::Symbol(symbol));
        }
        if path == debuginfod::METADATA {
            return Some(Self::Search);
        }
        if let Some(rest) = path.strip_prefix(syminfo::PREFIX) {
            return ModulePath::read(rest).map(Self::Module);
        }
        let rest = path.strip_prefix(explain::PREFIX)?;
        SymbolPath::read(rest).map(Self::Explanation)
    }
}

/// Answers every path that no other route has.
pub(super) async fn answer(request: HttpRequest, services: Data<SymbolServices>) -> HttpResponse {
    let resource = match to_be_read(&request) {
        Ok(resource) => resource,
        Err(response) => return cors::allow(*response),
    };
    // Most requests are for symbols. The others are boxed, so that the future of a symbol's answer stays small.
    let response = match &resource {
        Resource::Symbol(path) => download::answer(&request, path, &services).await,
        Resource::Build(path) => Box::pin(debuginfod::answer(&request, path, &services)).await,
        Resource::Search => Box::pin(debuginfod::answer_search(&request, &services)).await,
        Resource::Module(path) => Box::pin(syminfo::answer(&request, path, &services)).await,
        Resource::Explanation(path) => Box::pin(explain::answer(&request, path, &services)).await,
    };
    cors::allow(response)
}

/// The resource that a GET or HEAD request names, or the answer to any other request; boxed, since it is rare.
fn to_be_read(request: &HttpRequest) -> Result<Resource<'_>, Box<HttpResponse>> {
    let path = request.uri().path();
    let resource = Resource::read(path).ok_or_else(|| Box::new(nothing_at(request, path)))?;
    match cors::without_reading(request) {
        None => Ok(resource),
        Some(response) => Err(Box::new(response)),
    }
}

/// The answer to a path at which there can be nothing. `*` is the server as a whole (RFC 9110, 9.3.7).
fn nothing_at(request: &HttpRequest, path: &str) -> HttpResponse {
    if path == "*" && request.method() == Method::OPTIONS {
        return cors::methods_of_server();
    }
    ApiError::not_found(path).error_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What actix adds to the future of a handler, in bytes: the request and the handler's arguments.
    const AROUND: usize = 112;

    /// The largest allocation that glibc serves from its thread caches, in bytes (`malloc.c`).
    const AT_ONCE: usize = 1032;

    #[test]
    fn the_future_of_an_answer_is_small() {
        fn size_of_future<F>(_: impl Fn(HttpRequest, Data<SymbolServices>) -> F) -> usize {
            size_of::<F>()
        }
        let size = size_of_future(answer) + AROUND;
        assert!(size <= AT_ONCE, "{size}");
    }

    #[test]
    fn paths_name_what_they_did() {
        let read = |path| match Resource::read(path) {
            None => "nothing",
            Some(Resource::Symbol(_)) => "symbol",
            Some(Resource::Build(_)) => "build",
            Some(Resource::Search) => "search",
            Some(Resource::Module(_)) => "module",
            Some(Resource::Explanation(_)) => "explanation",
        };
        for (path, resource) in [
            ("/buildid/abcd/debuginfo", "build"),
            ("/buildid/abcd/buildid.sym", "symbol"),
            ("/buildid/abcd", "nothing"),
            ("/metadata", "search"),
            ("/metadata/AB/a.sym", "symbol"),
            ("/api/syminfo/xul.pdb/AB", "module"),
            ("/api/syminfo/AB", "nothing"),
            ("/api/syminfos/AB", "nothing"),
            ("/api/explain/xul.pdb/AB/xul.sym", "explanation"),
            ("/api/explain/try/xul.pdb/AB/xul.sym", "explanation"),
            ("/api/explain", "nothing"),
            ("/api/AB/api.sym", "symbol"),
            ("/", "nothing"),
        ] {
            assert_eq!(read(path), resource, "{path}");
        }
    }
}
