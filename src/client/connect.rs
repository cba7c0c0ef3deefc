//! Where requests go, and the HTTP client that takes them there.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Client, Url, redirect};

/// The server's base URL, which may have a path, with a path behind it.
pub(super) fn endpoint_of(base: &str, path: &[&str]) -> anyhow::Result<Url> {
    const EXPECTED: &str =
        "the URL must be the server's address, as in https://symbols.example.com";
    let mut url = Url::parse(base).context(EXPECTED)?;
    if !matches!(url.scheme(), "http" | "https") {
        bail!("{EXPECTED}");
    }
    url.set_query(None);
    url.set_fragment(None);
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    Ok(url)
}

/// A client that follows no redirect, as the official ones do not: a redirected POST would lose its body. Every
/// request has a connection of its own, since one that waited while files were zipped may be closed by now.
pub(super) fn client_for(endpoint: &Url, connect_timeout: Duration) -> anyhow::Result<Client> {
    // An error says that the process has a provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(concat!("symbold-upload/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .connect_timeout(connect_timeout)
        .pool_max_idle_per_host(0);
    if endpoint.scheme() == "http" {
        // The search for the machine's root certificates is an error where there are none, as in small containers.
        builder = builder.tls_certs_only([]);
    }
    if is_loopback(endpoint) {
        builder = builder.no_proxy();
    }
    builder.build().context("cannot prepare the HTTP client")
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls() {
        for (base, endpoint) in [
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000/upload/"),
            ("https://example.com/", "https://example.com/upload/"),
            (
                "https://example.com/symbols",
                "https://example.com/symbols/upload/",
            ),
            (
                "https://example.com/symbols/?a=b#c",
                "https://example.com/symbols/upload/",
            ),
        ] {
            assert_eq!(
                endpoint_of(base, &["upload", ""]).unwrap().as_str(),
                endpoint
            );
        }
        for base in ["", "example.com", "localhost:8000", "ftp://example.com"] {
            assert!(endpoint_of(base, &["upload", ""]).is_err(), "{base}");
        }
    }

    #[test]
    fn loopback_hosts() {
        for (url, expected) in [
            ("http://127.0.0.1:8000", true),
            ("http://[::1]:8000", true),
            ("http://localhost", true),
            ("http://192.0.2.1", false),
            ("http://localhost.example.com", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
