//! Fetching an archive from the address that a client named.
//!
//! Two lists guard it, both at every hop: the operator's allow list of hosts, and the addresses of the public network.
//! Redirects are followed by our own loop, since each target is checked like the first address. No proxy of the
//! environment is used, nothing of the client's request is passed on, nothing is decompressed, and size, silence, rate
//! and time are bounded as for an archive that the client sends itself.

mod address;
mod error;

use std::time::Duration;

use percent_encoding::percent_decode_str;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, LOCATION};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::pace::Pace;
use super::{IncomingArchive, Origin, TempArchive, UploadError, UploadService};
use address::PublicResolver;

pub use error::FetchError;

/// How many redirects are followed.
const REDIRECTS: usize = 5;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(3);

/// The settings of uploads by address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FetchConfig {
    /// Hosts that archives may be fetched from, and redirected to; without any there are no uploads by address.
    pub domains: Vec<String>,
    /// How many archives may be fetched at once.
    pub slots: usize,
    /// Whether `http` will do, and ports other than 443. Only for trying it out.
    pub allow_http: bool,
    /// Whether hosts may lead to private addresses. Only for archives within one's own network.
    pub allow_private: bool,
}

impl Default for FetchConfig {
    fn default() -> Self {
        Self {
            domains: Vec::new(),
            slots: 4,
            allow_http: false,
            allow_private: false,
        }
    }
}

impl FetchConfig {
    /// Checks an address that a client named or that another led to, in Tecken's order. A name that passes may still
    /// lead into a private network; that is seen when it is resolved.
    ///
    /// # Errors
    /// The first rule that the address breaks.
    pub fn check(&self, text: &str) -> Result<Url, FetchError> {
        let url = Url::parse(text.trim()).map_err(|_| FetchError::Invalid)?;
        let host = url.host_str().map(|host| host.trim_end_matches('.'));
        let Some(host) = host.filter(|host| !host.is_empty()) else {
            return Err(FetchError::Invalid);
        };
        let host = host.to_ascii_lowercase();
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            _ => return Err(FetchError::Insecure),
        }
        let has_user = !url.username().is_empty() || url.password().is_some();
        let has_port = url.port().is_some() && !self.allow_http;
        let is_listed = self
            .domains
            .iter()
            .any(|domain| domain.eq_ignore_ascii_case(&host));
        if has_user || has_port || !is_listed {
            return Err(FetchError::Domain(host));
        }
        // A resolver is never asked for an address that is one already.
        let literal = host.trim_matches(['[', ']']).parse();
        if let Ok(address) = literal
            && !self.allow_private
            && !address::is_public(address)
        {
            return Err(FetchError::Restricted);
        }
        Ok(url)
    }
}

/// Fetches archives.
#[derive(Debug)]
pub struct Fetcher {
    config: FetchConfig,
    client: Client,
    slots: Semaphore,
}

impl Fetcher {
    /// Makes a fetcher.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn new(config: FetchConfig) -> Result<Self, reqwest::Error> {
        let resolver = PublicResolver::new(config.allow_private);
        Self::with_resolver(config, resolver)
    }

    fn with_resolver(
        config: FetchConfig,
        resolver: PublicResolver,
    ) -> Result<Self, reqwest::Error> {
        // An error says that the process has a provider of cryptography already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder()
            .user_agent(concat!("symbold/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT)
            .pool_max_idle_per_host(0)
            .dns_resolver(resolver);
        if config.domains.is_empty() || config.allow_http {
            // The search for the machine's root certificates is an error where there are none.
            client = client.tls_certs_only([]);
        }
        Ok(Self {
            slots: Semaphore::new(config.slots),
            client: client.build()?,
            config,
        })
    }

    /// Fetches the archive at an address into a temporary file.
    ///
    /// # Errors
    /// The address or one that it leads to is not allowed, the other server does not have the archive or is in
    /// trouble, or the archive is too large or too slow.
    pub async fn fetch(
        &self,
        url: &str,
        uploads: &UploadService,
    ) -> Result<TempArchive, UploadError> {
        let first = self.config.check(url)?;
        let _permit = self.slots.try_acquire().map_err(|_| UploadError::Busy)?;
        let mut archive = IncomingArchive::begin(&file_name(&first), uploads).await?;
        let mut pace = Pace::new(&uploads.config);
        let (mut response, redirects) = self.follow(&first, &pace).await?;
        let shown = shown(&first);
        loop {
            let piece = pace.wait(response.chunk()).await;
            let piece = piece.map_err(|_| FetchError::Timeout(shown.clone()))?;
            let Some(piece) = piece.map_err(|error| explain(&error, &shown))? else {
                break;
            };
            pace.received(piece.len());
            archive.write(&piece).await?;
        }
        let mut archive = archive.finish().await?;
        archive.origin = Some(Origin {
            url: shown,
            redirects,
        });
        Ok(archive)
    }

    /// Follows redirects to the answer that has the archive.
    async fn follow(
        &self,
        first: &Url,
        pace: &Pace,
    ) -> Result<(Response, Vec<String>), FetchError> {
        let mut url = first.clone();
        let mut redirects = Vec::new();
        for _ in 0..=REDIRECTS {
            let request = self
                .client
                .get(url.clone())
                .header(ACCEPT_ENCODING, "identity");
            let response = pace.wait(request.send()).await;
            let response = response
                .map_err(|_| FetchError::Timeout(shown(&url)))?
                .map_err(|error| explain(&error, &shown(&url)))?;
            if !response.status().is_redirection() {
                check_answer(&response, first)?;
                return Ok((response, redirects));
            }
            let target = response
                .headers()
                .get(LOCATION)
                .and_then(|location| location.to_str().ok());
            let target = target.and_then(|target| url.join(target).ok());
            let target = target.ok_or_else(|| FetchError::Redirects(shown(first)))?;
            url = self.config.check(target.as_str())?;
            redirects.push(shown(&url));
        }
        Err(FetchError::Redirects(shown(first)))
    }
}

fn check_answer(response: &Response, first: &Url) -> Result<(), FetchError> {
    let (status, shown) = (response.status(), shown(first));
    if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        return Err(FetchError::Remote(shown, status.as_u16()));
    }
    if status.is_client_error() {
        return Err(FetchError::NotFound(shown, status.as_u16()));
    }
    if status != StatusCode::OK {
        return Err(FetchError::Status(shown));
    }
    let encoding = response.headers().get(CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| encoding != "identity") {
        return Err(FetchError::Encoding(shown));
    }
    Ok(())
}

fn explain(error: &reqwest::Error, shown: &str) -> FetchError {
    if address::is_restricted(error) {
        FetchError::Restricted
    } else if error.is_timeout() {
        FetchError::Timeout(shown.to_owned())
    } else {
        FetchError::Unreachable(shown.to_owned())
    }
}

/// The last part of the path, which is the archive's name.
fn file_name(url: &Url) -> String {
    let last = url.path().rsplit('/').next().unwrap_or_default();
    percent_decode_str(last).decode_utf8_lossy().into_owned()
}

/// An address as people may see it: a query may hold a signature.
fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    shown.into()
}

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
