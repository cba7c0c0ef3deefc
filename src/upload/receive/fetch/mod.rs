//! Fetches an archive from the URL that a client named.
//!
//! Two checks guard every hop: the host must be on the operator's allow list, and its addresses must be public. We
//! follow redirects ourselves, so that each target gets the same checks as the first URL. Proxies of the environment
//! are ignored, nothing of the client's request is passed on, and nothing is decompressed. Size, silence, rate and time
//! are limited as for an archive that the client sends itself.

use percent_encoding::percent_decode_str;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, LOCATION};
use reqwest::{Client, Response, StatusCode, Url};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::ReceiveError;
use super::fetch_error::FetchError;
use super::incoming::IncomingFile;
use super::pace::Pace;
use super::submission::{FetchedFrom, ReceivedFile};
use crate::outgoing::{self, Authorities, PublicResolver, Reach};

/// How many redirects are followed.
const REDIRECTS: usize = 5;

/// The settings of uploads by URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FetchConfig {
    /// Hosts that archives may be fetched from or redirected to. If empty, there are no uploads by URL.
    pub domains: Vec<String>,
    /// How many archives may be fetched at once.
    pub slots: usize,
    /// Whether `http`, and ports other than 443, are allowed. Only for tests.
    pub allow_http: bool,
    /// Whether hosts may have private addresses. Only for archives in the operator's own network.
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
    /// Checks a URL that a client named or a redirect led to, in Tecken's order. A host that passes may still have a
    /// private address, which is checked when its name is resolved.
    ///
    /// # Errors
    /// The first rule that the URL breaks.
    pub fn check(&self, text: &str) -> Result<Url, FetchError> {
        if self.domains.is_empty() {
            return Err(FetchError::Disabled);
        }
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
        // An address in the place of a host name never reaches the resolver.
        let literal = host.trim_matches(['[', ']']).parse();
        if let Ok(address) = literal
            && !self.allow_private
            && !outgoing::is_public(address)
        {
            return Err(FetchError::Restricted);
        }
        Ok(url)
    }
}

/// Fetches archives.
#[derive(Debug)]
pub(super) struct Fetcher {
    config: FetchConfig,
    client: Client,
    slots: Semaphore,
}

/// A checked URL, and one of the slots for fetching.
#[derive(Debug)]
pub(super) struct FetchSlot<'a> {
    url: Url,
    _permit: SemaphorePermit<'a>,
}

impl FetchSlot<'_> {
    /// The last part of the path, which is the archive's name.
    pub(super) fn file_name(&self) -> String {
        file_name(&self.url)
    }
}

impl Fetcher {
    /// Makes a fetcher.
    pub(super) fn new(config: FetchConfig) -> Result<Self, reqwest::Error> {
        let reach = if config.allow_private {
            Reach::Private
        } else {
            Reach::Public
        };
        Self::with_resolver(config, PublicResolver::new(reach))
    }

    fn with_resolver(
        config: FetchConfig,
        resolver: PublicResolver,
    ) -> Result<Self, reqwest::Error> {
        // A machine without certificate authorities is an error only if we need them.
        let authorities = if config.domains.is_empty() || config.allow_http {
            Authorities::None
        } else {
            Authorities::OfMachine
        };
        Ok(Self {
            slots: Semaphore::new(config.slots),
            client: outgoing::client(resolver, authorities)?,
            config,
        })
    }

    /// Checks a URL and takes a slot.
    pub(super) fn enter(&self, url: &str) -> Result<FetchSlot<'_>, ReceiveError> {
        let url = self.config.check(url)?;
        let permit = self.slots.try_acquire().map_err(|_| ReceiveError::Busy)?;
        Ok(FetchSlot {
            url,
            _permit: permit,
        })
    }

    /// Fetches the archive at the checked URL.
    pub(super) async fn fetch(
        &self,
        slot: FetchSlot<'_>,
        mut archive: IncomingFile,
        mut pace: Pace,
    ) -> Result<ReceivedFile, ReceiveError> {
        let (mut response, redirects) = self.follow(&slot.url, &pace).await?;
        let shown = shown(&slot.url);
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
        archive.fetched_from = Some(FetchedFrom {
            url: shown,
            redirects,
        });
        Ok(archive)
    }

    /// Follows redirects to the response that carries the archive.
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
                check_response(&response, first)?;
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

fn check_response(response: &Response, first: &Url) -> Result<(), FetchError> {
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
    if outgoing::is_restricted(error) {
        FetchError::Restricted
    } else if error.is_timeout() {
        FetchError::Timeout(shown.to_owned())
    } else {
        FetchError::Unreachable(shown.to_owned())
    }
}

/// The last part of the path, decoded.
fn file_name(url: &Url) -> String {
    let last = url.path().rsplit('/').next().unwrap_or_default();
    percent_decode_str(last).decode_utf8_lossy().into_owned()
}

/// A URL without the parts that may hold a signature, for records and messages.
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
