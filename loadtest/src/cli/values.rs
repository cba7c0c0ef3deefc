//! The values of options, checked before the first connection, so that a request can be written out as it is.

use std::str::FromStr;

use http::Uri;
use http::uri::{PathAndQuery, Scheme};

/// Where the server listens, from a URL such as `http://127.0.0.1:8000`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// `host:port`, as the `Host` header and the resolver take it; an IPv6 address keeps its brackets.
    pub(crate) authority: String,
}

impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text
            .parse()
            .map_err(|error| format!("not a URL: {error}"))?;
        if uri.scheme() != Some(&Scheme::HTTP) {
            return Err("the URL must start with http://".to_owned());
        }
        if uri.path() != "/" || uri.query().is_some() {
            return Err("the URL must end after the host and the port".to_owned());
        }
        let host = uri.host().ok_or("the URL has no host")?;
        let port = uri.port_u16().unwrap_or(80);
        Ok(Self {
            authority: format!("{host}:{port}"),
        })
    }
}

/// A path that can stand in a request line as it is: absolute, percent-encoded where it must be.
pub(super) fn request_path(text: &str) -> Result<String, String> {
    if !text.starts_with('/') {
        return Err("the path must start with /".to_owned());
    }
    let path: PathAndQuery = text
        .parse()
        .map_err(|error| format!("not a path: {error}"))?;
    Ok(path.as_str().to_owned())
}

/// Requests a second: positive, and no more than a generator on one thread can make.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    bounded(text, 0.001, 1e6)
}

pub(super) fn share(text: &str) -> Result<f64, String> {
    bounded(text, 0.0, 1.0)
}

pub(super) fn exponent(text: &str) -> Result<f64, String> {
    bounded(text, 0.0, 10.0)
}

fn bounded(text: &str, least: f64, most: f64) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if !(least..=most).contains(&number) {
        return Err(format!("must be from {least} to {most}"));
    }
    Ok(number)
}

/// A secret that can stand in a header.
pub(crate) fn token(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("a token has no spaces and only ASCII characters".to_owned());
    }
    Ok(text.to_owned())
}
