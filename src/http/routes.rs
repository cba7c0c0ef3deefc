//! The table of routes: paths, methods, handlers, and what the metrics call them.
//!
//! The router is configured from the table, and labels are looked up in it. A path that no row has belongs to the scope
//! of symbols, whose rows name the kinds of paths that it reads by itself.

use actix_web::guard::{self, Guard};
use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, Resource, ResponseError, Route};

use super::api::{health, missing, operations, uploads};
use super::error::ApiError;
use super::{breakpad, symbols, upload};

/// The prefix of paths that contain an upload key, which is a secret.
const UPLOAD_KEYS: &str = "/v1/uploads/";

/// The label of symbols, and of every path that is no other route's.
const SYMBOL: &str = "/{debug_file}/{id}/{file}";

/// All routes. Routes whose paths share their first part are tried in this order.
static TABLE: &[Endpoint] = &[
    get(&["/"], || web::to(operations::front_page)),
    get(&["/__version__"], || web::to(operations::version)),
    get(&["/metrics"], || web::to(operations::metrics)),
    any(&["/__lbheartbeat__"], || web::to(health::alive)),
    any(&["/__heartbeat__"], || web::to(health::heartbeat)),
    post(&["/upload", "/upload/"], || web::to(upload::upload)),
    post(&["/upload/auth_info", "/upload/auth_info/"], || {
        web::to(upload::auth_info)
    }),
    post(&["/symupload"], || web::to(breakpad::symupload)),
    post(&["/v1/uploads:create"], || web::to(breakpad::create)),
    post(&["/v1/uploads/{key}:complete"], || {
        web::to(breakpad::complete)
    })
    .called("/v1/uploads/{key}"),
    put(&["/v1/uploads/{key}"], || web::to(breakpad::put)),
    only(
        Method::GET,
        &["/v1/symbols/{debug_file}/{debug_id}:checkStatus"],
        || web::to(breakpad::check_status),
    )
    .called("/v1/symbols/{debug_file}/{id}"),
    get(&["/missingsymbols.csv"], || web::to(missing::csv_file)),
    get(&["/missingsymbols", "/missingsymbols/"], || {
        web::to(missing::json_page)
    }),
    get(
        &["/api/downloads/missing", "/api/downloads/missing/"],
        || web::to(missing::summary),
    ),
    get(&["/api/uploads/upload/{id}"], || web::to(uploads::record)),
    symbols("/api/explain/{debug_file}/{id}/{file}"),
    symbols("/api/syminfo/{file}/{id}"),
    symbols("/buildid/{build_id}/{file}"),
    symbols("/metadata"),
    symbols(SYMBOL),
];

/// The paths of a route, in the router's grammar.
type Paths = &'static [&'static str];

/// A row of the table.
struct Endpoint {
    /// Empty for the paths that the scope of symbols parses itself.
    paths: Paths,
    /// The label in the metrics: the first path unless [`Self::called`] sets another. If a part of it varies, it labels
    /// all paths that begin with what stands before that part.
    label: &'static str,
    /// The label up to its first part that varies.
    fixed: &'static str,
    methods: Methods,
    handler: fn() -> Route,
}

/// The methods of a route, and how other methods are answered.
enum Methods {
    /// All methods are allowed.
    Any,
    /// Only GET and HEAD are allowed. With another method the path can only be a symbol's, so the answer is usually
    /// 404.
    Get,
    /// Only this method is allowed, and HEAD where it is GET. Others are refused with 405.
    Only(Method),
}

const fn any(paths: Paths, handler: fn() -> Route) -> Endpoint {
    Endpoint::new(paths, paths[0], Methods::Any, handler)
}

const fn get(paths: Paths, handler: fn() -> Route) -> Endpoint {
    Endpoint::new(paths, paths[0], Methods::Get, handler)
}

const fn post(paths: Paths, handler: fn() -> Route) -> Endpoint {
    only(Method::POST, paths, handler)
}

const fn put(paths: Paths, handler: fn() -> Route) -> Endpoint {
    only(Method::PUT, paths, handler)
}

const fn only(method: Method, paths: Paths, handler: fn() -> Route) -> Endpoint {
    Endpoint::new(paths, paths[0], Methods::Only(method), handler)
}

/// A kind of path that the scope of symbols parses itself.
const fn symbols(label: &'static str) -> Endpoint {
    Endpoint::new(&[], label, Methods::Any, || web::to(symbols::answer))
}

impl Endpoint {
    const fn new(
        paths: Paths,
        label: &'static str,
        methods: Methods,
        handler: fn() -> Route,
    ) -> Self {
        Self {
            paths,
            label,
            fixed: fixed_part(label),
            methods,
            handler,
        }
    }

    const fn called(mut self, label: &'static str) -> Self {
        self.label = label;
        self.fixed = fixed_part(label);
        self
    }

    /// Returns whether the label is that of this path.
    fn names(&self, path: &str) -> bool {
        if self.fixed.len() == self.label.len() {
            path == self.label
        } else {
            path.starts_with(self.fixed)
        }
    }

    /// The router's entry for one of the paths, or for the rest of it below its first part.
    fn resource(&'static self, path: &str) -> Resource {
        let (resource, route) = (web::resource(path), (self.handler)());
        match &self.methods {
            Methods::Any => resource.route(route),
            Methods::Get => resource.guard(reading()).route(route),
            Methods::Only(Method::GET) => resource
                .route(route.guard(reading()))
                .default_service(refusal("GET, HEAD")),
            Methods::Only(method) => resource
                .route(route.method(method.clone()))
                .default_service(refusal(method.as_str())),
        }
    }
}

/// A pattern up to its first part that varies.
const fn fixed_part(pattern: &'static str) -> &'static str {
    let mut end = 0;
    while end < pattern.len() && pattern.as_bytes()[end] != b'{' {
        end += 1;
    }
    pattern.split_at(end).0
}

/// GET and HEAD. The library sends no body to HEAD.
fn reading() -> impl Guard {
    guard::Any(guard::Get()).or(guard::Head())
}

/// Refuses all methods but the allowed ones.
fn refusal(allowed: &'static str) -> Route {
    web::to(move |request: HttpRequest| async move {
        let (method, path) = (request.method(), request.path());
        ApiError::method_not_allowed(method, path, allowed).error_response()
    })
}

/// Registers all routes with the router.
///
/// Nearly every request is for a symbol, and the router recognises it by trying every other route first. So there is
/// one route for each first part of a path, and first parts never vary: no regular expression runs on the path of a
/// symbol.
pub(super) fn configure(app: &mut ServiceConfig) {
    let mut rows = TABLE
        .iter()
        .flat_map(|row| row.paths.iter().map(move |path| (*path, row)))
        .collect::<Vec<_>>();
    while let Some(&(path, _)) = rows.first() {
        let first = first_part(path);
        let (of_first, others): (Vec<_>, _) = rows
            .into_iter()
            .partition(|(path, _)| first_part(path) == first);
        rows = others;
        if let [(path, row)] = of_first[..]
            && path == first
        {
            app.service(row.resource(path));
            continue;
        }
        let resources = of_first
            .iter()
            .map(|(path, row)| row.resource(&path[first.len()..]));
        app.service(resources.fold(web::scope(first), actix_web::Scope::service));
    }
    app.default_service(web::to(symbols::answer));
}

/// `/upload` of `/upload/auth_info`.
fn first_part(path: &str) -> &str {
    let end = path[1..].find('/').map_or(path.len(), |end| end + 1);
    &path[..end]
}

/// The label of a path in the metrics.
pub(super) fn label_of(path: &str) -> &'static str {
    let path = if path.len() > 1 {
        path.trim_end_matches('/')
    } else {
        path
    };
    let row = TABLE.iter().find(|row| row.names(path));
    row.map_or(SYMBOL, |row| row.label)
}

/// A path as it may be logged, without an upload key.
pub(super) fn shown_path(path: &str) -> &str {
    if path.starts_with(UPLOAD_KEYS) {
        return label_of(path);
    }
    path
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::future::ready;

    use actix_web::{App, HttpResponse, test};

    use super::*;

    /// A path that the pattern matches.
    fn sample(pattern: &str) -> String {
        let mut parts = pattern.split(['{', '}']);
        let mut path = parts.next().unwrap().to_owned();
        while let (Some(_name), Some(rest)) = (parts.next(), parts.next()) {
            path += "0";
            path += rest;
        }
        path
    }

    #[test]
    fn the_log_shows_no_upload_key() {
        for path in ["/v1/uploads/0123abcd", "/v1/uploads/0123abcd:complete"] {
            assert_eq!(shown_path(path), "/v1/uploads/{key}");
        }
        assert_eq!(shown_path("/a.pdb/AB/a.sym"), "/a.pdb/AB/a.sym");
    }

    #[test]
    fn every_path_has_the_label_of_its_row() {
        for row in TABLE {
            for pattern in row.paths.iter().chain([&row.label]) {
                assert_eq!(label_of(&sample(pattern)), row.label, "{pattern}");
            }
        }
        for path in ["/a.pdb/AB/a.sym", "/upload/AB/a.sym", "/nowhere", "*"] {
            assert_eq!(label_of(path), SYMBOL, "{path}");
        }
    }

    #[tokio::test]
    async fn the_router_knows_every_path_of_the_table() {
        let app = App::new().configure(configure).wrap_fn(|request, _| {
            let pattern = request.match_pattern().unwrap_or_default();
            ready(Ok(request.into_response(HttpResponse::Ok().body(pattern))))
        });
        let app = test::init_service(app).await;
        for path in TABLE.iter().flat_map(|row| row.paths) {
            let request = test::TestRequest::with_uri(&sample(path)).to_request();
            let pattern = test::call_and_read_body(&app, request).await;
            assert_eq!(pattern, path.as_bytes(), "{path}");
        }
    }

    #[test]
    fn every_label_is_documented_and_every_documented_label_exists() {
        let text = include_str!("../../docs/api.md");
        let section = text
            .split("\n## ")
            .find(|section| section.starts_with("Routes\n"));
        let documented: BTreeSet<&str> = section
            .unwrap()
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
            .collect();
        let labels = TABLE.iter().map(|row| row.label).collect();
        assert_eq!(documented, labels);
    }
}
