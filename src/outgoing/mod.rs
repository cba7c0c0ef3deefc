//! Requests to servers outside the deployment: archives at addresses that clients name.
//!
//! [`client`] makes the one kind of HTTP client for addresses that other people choose. It takes no proxy from the
//! environment, follows no redirect and tells nothing of the request that it serves. Names resolve through
//! [`PublicResolver`], so that no name leads into a private network unless the operator allows that. Callers check each
//! address before they ask for it, and follow redirects themselves, since every target needs the same check.

mod public_addresses;

use std::time::Duration;

use reqwest::{Client, redirect};

pub use public_addresses::{PublicResolver, Reach, is_public, is_restricted};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(3);

/// Whose certificates a client trusts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authorities {
    /// Those that the machine trusts. A machine without any is an error.
    OfMachine,
    /// None: the client speaks HTTP in clear only.
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
    if authorities == Authorities::None {
        client = client.tls_certs_only([]);
    }
    client.build()
}
