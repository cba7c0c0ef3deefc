//! Paths as clients write them: addresses that end in a slash make doubled ones.
//!
//! Clients join their configured address and a path that begins with a slash. `dump_syms` and Breakpad's `symupload`
//! send `//xul.pdb/…` as soon as the address ends in a slash, and `/try//xul.pdb/…` if it ends in `/try/`. elfutils'
//! server folds such slashes, too.

use std::borrow::Cow;

use actix_web::dev::ServiceRequest;
use actix_web::http::Uri;
use actix_web::http::uri::PathAndQuery;

/// The prefix of try symbols.
const TRY: &str = "/try";

/// Makes runs of slashes at the start of a request's path, and after `/try` there, one slash. Nearly all requests have
/// none, and pay for two comparisons only.
pub(super) fn fold_slashes(request: &mut ServiceRequest) {
    let path = request.uri().path();
    if !(path.starts_with("//") || path.starts_with("/try//")) {
        return;
    }
    let Some(uri) = with_path(request.uri(), &folded(path)) else {
        return;
    };
    request.match_info_mut().get_mut().update(&uri);
    request.head_mut().uri = uri;
}

/// The path with the runs of slashes folded.
fn folded(path: &str) -> Cow<'_, str> {
    let path = from_last_slash(path);
    let below_try = path.strip_prefix(TRY).filter(|rest| rest.starts_with("//"));
    below_try.map_or(Cow::Borrowed(path), |rest| {
        Cow::Owned(format!("{TRY}{}", from_last_slash(rest)))
    })
}

/// `/a//b` of `///a//b`.
fn from_last_slash(path: &str) -> &str {
    let slashes = path.len() - path.trim_start_matches('/').len();
    &path[slashes.saturating_sub(1)..]
}

/// The URI with another path; `None` if it would not be one.
fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let target = match uri.query() {
        Some(query) => PathAndQuery::try_from(format!("{path}?{query}")),
        None => PathAndQuery::try_from(path),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(target.ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_at_the_start_and_after_try_are_one_slash() {
        for (path, expected) in [
            ("/", "/"),
            ("//", "/"),
            ("/a.pdb/AB/a.sym", "/a.pdb/AB/a.sym"),
            ("///a.pdb/AB/a.sym", "/a.pdb/AB/a.sym"),
            ("/a.pdb//AB/a.sym", "/a.pdb//AB/a.sym"),
            ("/try///a.pdb/AB/a.sym", "/try/a.pdb/AB/a.sym"),
            ("//try//", "/try/"),
            ("/tryst//AB/a.sym", "/tryst//AB/a.sym"),
        ] {
            assert_eq!(folded(path), expected, "{path}");
        }
    }

    #[test]
    fn the_rest_of_the_uri_stays() {
        let with_path = |uri: &str| with_path(&uri.parse().unwrap(), "/b").unwrap().to_string();
        assert_eq!(with_path("/a?code_id=%41&x"), "/b?code_id=%41&x");
        assert_eq!(with_path("http://host:1//a"), "http://host:1/b");
    }
}
