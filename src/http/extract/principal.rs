//! Who sent a request, and what they may do.
//!
//! A handler names the grant that it needs in its signature, as in `ByToken<Uploader>`. The service takes nothing else,
//! so the check cannot be forgotten.

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use futures_util::{FutureExt, TryFutureExt};

use crate::auth::{AuthError, AuthService, Grant};
use crate::http::error::ApiError;

/// The grant of the token in the request's headers.
#[derive(Debug)]
pub(in crate::http) struct ByToken<G>(pub(in crate::http) G);

/// As [`ByToken`], for tools that can send a token only as `key` in the query. Without a key the headers are read.
#[derive(Debug)]
pub(in crate::http) struct ByKey<G>(pub(in crate::http) G);

impl<G: Grant> FromRequest for ByToken<G> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let granted = grant(request, token_of(request.headers()));
        granted.map_ok(Self).boxed_local()
    }
}

impl<G: Grant> FromRequest for ByKey<G> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let sent = match key_of(request.query_string()) {
            Some(key) => Ok(Some(key)),
            None => token_of(request.headers()),
        };
        grant(request, sent).map_ok(Self).boxed_local()
    }
}

/// Checks the token that was sent, and that it has the permission of the grant.
fn grant<G: Grant>(
    request: &HttpRequest,
    sent: Result<Option<String>, AuthError>,
) -> impl Future<Output = Result<G, ApiError>> + 'static {
    let auth = request.app_data::<Data<AuthService>>().cloned();
    async move {
        let auth = auth.expect("the service is registered where the routes are");
        let principal = auth.authenticate(sent?.as_deref()).await?;
        Ok(G::from_principal(principal)?)
    }
}

fn key_of(query: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find_map(|(name, value)| (name == "key").then(|| value.into_owned()))
}

/// The token of `Auth-Token`, or else of `Authorization: Bearer`. Two tokens, or one that is not
/// text, match nothing.
fn token_of(headers: &HeaderMap) -> Result<Option<String>, AuthError> {
    let mut tokens = headers.get_all("auth-token");
    if let Some(token) = tokens.next() {
        let token = token.to_str().map_err(|_| AuthError::Unknown)?;
        return if tokens.next().is_some() {
            Err(AuthError::Unknown)
        } else {
            Ok(Some(token.to_owned()))
        };
    }
    let Some(authorization) = headers.get(AUTHORIZATION) else {
        return Ok(None);
    };
    let text = authorization.to_str().map_err(|_| AuthError::Unknown)?;
    let bearer = text
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    Ok(bearer.map(|(_, token)| token.trim().to_owned()))
}
