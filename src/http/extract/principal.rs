//! Who sent a request.

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;

use crate::auth::{AuthError, AuthService, Principal, Uploader};
use crate::http::error::ApiError;

impl FromRequest for Principal {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let auth = request.app_data::<Data<AuthService>>().cloned();
        let sent = token_of(request.headers());
        async move {
            let auth = auth.expect("the service is registered where the routes are");
            Ok(auth.authenticate(sent?.as_deref()).await?)
        }
        .boxed_local()
    }
}

impl FromRequest for Uploader {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let principal = Principal::from_request(request, payload);
        async move { Ok(Self::try_from(principal.await?)?) }.boxed_local()
    }
}

/// As [`Uploader`], for tools that can send a token only as `key` of the query. Without one the headers count.
#[derive(Debug)]
pub(in crate::http) struct KeyedUploader(pub(in crate::http) Uploader);

impl FromRequest for KeyedUploader {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let auth = request.app_data::<Data<AuthService>>().cloned();
        let sent = match key_of(request.query_string()) {
            Some(key) => Ok(Some(key)),
            None => token_of(request.headers()),
        };
        async move {
            let auth = auth.expect("the service is registered where the routes are");
            let principal = auth.authenticate(sent?.as_deref()).await?;
            Ok(Self(Uploader::try_from(principal)?))
        }
        .boxed_local()
    }
}

fn key_of(query: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find_map(|(name, value)| (name == "key").then(|| value.into_owned()))
}

/// The token of `Auth-Token`, or else of `Authorization: Bearer`. Two of them, or one that is not text, match nothing.
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
