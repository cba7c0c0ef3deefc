//! The base URL of this server, as a client knows it; it begins the URLs in answers.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::Uri;
use actix_web::http::header::{self, HeaderMap, HeaderName};

use super::config::{Network, ServerConfig};
use super::error::ApiError;
use super::host::{bad_host, is_host};

const FORWARDED_HOST: HeaderName = header::X_FORWARDED_HOST;
const FORWARDED_PROTO: HeaderName = header::X_FORWARDED_PROTO;

/// What the configuration says of the addresses of this server.
#[derive(Clone, Debug)]
pub struct BaseUrl {
    /// Without a slash at its end; empty if it is not configured.
    public_url: String,
    trusted_proxies: Vec<Network>,
}

impl From<&ServerConfig> for BaseUrl {
    fn from(config: &ServerConfig) -> Self {
        Self {
            public_url: config.public_url.trim_end_matches('/').to_owned(),
            trusted_proxies: config.trusted_proxies.clone(),
        }
    }
}

impl BaseUrl {
    /// The base URL for the client of this request, without a slash at its end: the configured one, or the one that the
    /// client has used. A trusted proxy knows better than the request which one that was.
    ///
    /// # Errors
    /// The request names no host, or the proxy none, or another protocol than HTTP.
    pub(super) fn of(&self, request: &HttpRequest) -> Result<String, ApiError> {
        if !self.public_url.is_empty() {
            return Ok(self.public_url.clone());
        }
        let peer = request.peer_addr().map(|peer| peer.ip());
        let (mut scheme, mut host) = ("http", None);
        if peer.is_some_and(|peer| self.trusts(peer)) {
            if let Some(forwarded) = last_of(request.headers(), &FORWARDED_PROTO)? {
                scheme = scheme_of(forwarded)?;
            }
            host = last_of(request.headers(), &FORWARDED_HOST)?;
        }
        let host = match host {
            Some(host) => host,
            None => host_of(request.uri(), request.headers())?,
        };
        if !is_host(host.as_bytes()) {
            return Err(bad_host());
        }
        Ok(format!("{scheme}://{host}"))
    }

    fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies
            .iter()
            .any(|network| network.contains(peer))
    }
}

/// The last value of a header. Proxies add theirs behind those that the client has sent.
fn last_of<'request>(
    headers: &'request HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'request str>, ApiError> {
    let Some(value) = headers.get_all(name).last() else {
        return Ok(None);
    };
    let value = value.to_str().map_err(|_| bad_host())?;
    Ok(value.rsplit(',').next().map(str::trim))
}

fn scheme_of(text: &str) -> Result<&'static str, ApiError> {
    let schemes = ["http", "https"];
    let scheme = schemes
        .into_iter()
        .find(|scheme| text.eq_ignore_ascii_case(scheme));
    let sentence =
        "X-Forwarded-Proto is neither http nor https. Correct what the proxy in front sends";
    scheme.ok_or_else(|| ApiError::bad_request("bad_forwarded_proto", sentence))
}

/// The host that a request names. One in the request's target overrules the header (RFC 9112, 3.2.2).
fn host_of<'request>(
    uri: &'request Uri,
    headers: &'request HeaderMap,
) -> Result<&'request str, ApiError> {
    if let Some(authority) = uri.authority() {
        return Ok(authority.as_str());
    }
    let host = headers.get(header::HOST).ok_or_else(bad_host)?;
    host.to_str().map_err(|_| bad_host())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn of(request: TestRequest, trusted: &[&str]) -> Option<String> {
        let base_url = BaseUrl {
            public_url: String::new(),
            trusted_proxies: trusted
                .iter()
                .map(|text| Network::try_from((*text).to_owned()).unwrap())
                .collect(),
        };
        let request = request.peer_addr("10.1.2.3:4".parse().unwrap());
        base_url.of(&request.to_http_request()).ok()
    }

    fn forwarded(host: &str, proto: &str) -> TestRequest {
        TestRequest::get()
            .insert_header(("Host", "inner:8000"))
            .insert_header(("X-Forwarded-Host", host))
            .insert_header(("X-Forwarded-Proto", proto))
    }

    #[test]
    fn forwarded_headers_are_believed_from_trusted_proxies_only() {
        let request = || forwarded("outer.example", "HTTPS");
        let (inner, outer) = ("http://inner:8000", "https://outer.example");
        assert_eq!(of(request(), &[]).as_deref(), Some(inner));
        assert_eq!(of(request(), &["10.1.2.4"]).as_deref(), Some(inner));
        assert_eq!(of(request(), &["10.1.2.3"]).as_deref(), Some(outer));
        assert_eq!(
            of(request(), &["::1", "10.1.0.0/16"]).as_deref(),
            Some(outer)
        );
    }

    #[test]
    fn the_nearest_proxy_is_believed_and_nonsense_is_refused() {
        let trusted = ["10.0.0.0/8"];
        let last = of(
            forwarded("evil.example, outer.example", "javascript, http"),
            &trusted,
        );
        assert_eq!(last.as_deref(), Some("http://outer.example"));
        assert_eq!(of(forwarded("x\"y", "http"), &trusted), None);
        assert_eq!(of(forwarded("outer.example", "javascript"), &trusted), None);
        assert_eq!(of(forwarded("", "http"), &trusted), None);
        assert_eq!(of(TestRequest::get(), &trusted), None);
    }
}
