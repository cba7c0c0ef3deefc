//! Requests to servers outside the deployment: archives at URLs that clients name.
//!
//! [`client`] makes the HTTP client for URLs that others choose. It ignores proxies of the environment, follows no
//! redirect and passes on nothing of the client's request. Names resolve through [`PublicResolver`], so that no name
//! leads into a private network unless the operator allows it. Callers check each URL before they request it, and
//! follow redirects themselves, since every target needs the same check.

mod public_addresses;

use std::time::Duration;

use reqwest::{Client, redirect};

pub use public_addresses::{PublicResolver, Reach, is_public, is_restricted};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(3);

/// Whose certificates a client trusts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authorities {
    /// The authorities that the machine trusts. It is an error if there are none.
    OfMachine,
    /// None: the client speaks plain HTTP only.
    None,
}

/// Makes a client.
///
/// # Errors
/// The machine trusts no certificate authority and the client needs one.
pub fn client(
    resolver: PublicResolver,
    authorities: Authorities,
) -> Result<Client, reqwest::Error> {
    // An error means that the process has a cryptography provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut client = Client::builder()
        .user_agent(concat!("symbold/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT)
        .pool_max_idle_per_host(0)
        .dns_resolver(resolver);
    if authorities == Authorities::None {
        client = client.tls_certs_only([]);
    }
    client.build()
}
