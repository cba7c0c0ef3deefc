//! Fetches what a redirect names.
//!
//! A symbol server may answer with the address of the file in an object store. Most loads are about that answer alone;
//! a measurement of the time that a client waits follows it, with a second connection that stays open as long as the
//! redirects lead to the same host.

use http::Uri;
use http::uri::Scheme;
use thiserror::Error;
use tokio::net::lookup_host;

use super::client::{Answer, Client, ClientError};

/// A redirect that brought no answer.
#[derive(Debug, Error)]
pub(crate) enum FollowError {
    /// Not an address with a host, over http.
    #[error("redirected to what is no http:// address: {0}")]
    Address(String),
    /// The host has no address, or none could be asked for.
    #[error("redirected to {0}, which has no address")]
    Unknown(String),
    /// No answer came.
    #[error("redirected to {host}: {source}")]
    Exchange {
        /// `host:port`.
        host: String,
        /// What went wrong.
        source: ClientError,
    },
}

/// Follows one redirect at a time.
#[derive(Debug, Default)]
pub(crate) struct Follower {
    /// The connection of the last redirect, with its `host:port`.
    last: Option<(String, Client)>,
}

impl Follower {
    /// Fetches the address and throws the body away. Further redirects are answers.
    pub(crate) async fn follow(&mut self, location: &str) -> Result<Answer, FollowError> {
        let wrong = || FollowError::Address(location.to_owned());
        let uri: Uri = location.parse().map_err(|_| wrong())?;
        let host = uri.host().ok_or_else(wrong)?;
        if uri.scheme() != Some(&Scheme::HTTP) {
            return Err(wrong());
        }
        let host = format!("{host}:{}", uri.port_u16().unwrap_or(80));
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let authority = uri
            .authority()
            .map_or(host.as_str(), |authority| authority.as_str());
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nAccept-Encoding: gzip\r\n\r\n");
        let client = self.client(&host).await?;
        let answer = client.exchange(request.as_bytes(), 0).await;
        answer.map_err(|source| FollowError::Exchange { host, source })
    }

    async fn client(&mut self, host: &str) -> Result<&mut Client, FollowError> {
        let is_known = self.last.as_ref().is_some_and(|(last, _)| last == host);
        if !is_known {
            let found = lookup_host(host)
                .await
                .ok()
                .and_then(|mut addresses| addresses.next());
            let address = found.ok_or_else(|| FollowError::Unknown(host.to_owned()))?;
            self.last = Some((host.to_owned(), Client::new(address)));
        }
        let (_, client) = self.last.as_mut().expect("it was set above");
        Ok(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_cannot_be_followed_is_told() {
        for location in [
            "https://store/a",
            "/relative",
            "ftp://store/a",
            "http://",
            "not an address",
        ] {
            let error = Follower::default().follow(location).await.unwrap_err();
            assert!(
                matches!(error, FollowError::Address(_)),
                "{location}: {error}"
            );
        }
    }
}
