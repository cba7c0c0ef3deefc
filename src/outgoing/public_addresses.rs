//! Which network addresses may be connected to.
//!
//! An allow list of hosts says which names the operator trusts. This module keeps even a trusted name from leading into
//! the server's own network. Names are checked when they resolve, and the connection goes to exactly the address that
//! was checked. Callers check the addresses that URLs contain.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The destination is in a network that may not be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Restricted;

impl fmt::Display for Restricted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("destination is restricted")
    }
}

impl Error for Restricted {}

/// Returns whether an error was, at its root, a restricted destination.
#[must_use]
pub fn is_restricted(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if current.is::<Restricted>() {
            return true;
        }
        cause = current.source();
    }
    false
}

/// Which networks may be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The public network alone.
    Public,
    /// Private networks too.
    Private,
}

/// Resolves names like the system, and returns only public addresses unless private ones are allowed.
#[derive(Clone)]
pub struct PublicResolver {
    /// Replaces the system's resolver, in tests.
    inner: Option<Arc<dyn Resolve>>,
    reach: Reach,
}

impl fmt::Debug for PublicResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicResolver")
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}

impl PublicResolver {
    /// Makes a resolver that uses the system's.
    #[must_use]
    pub fn new(reach: Reach) -> Self {
        Self { inner: None, reach }
    }

    #[cfg(test)]
    pub(crate) fn over(inner: Arc<dyn Resolve>) -> Self {
        Self {
            inner: Some(inner),
            reach: Reach::Public,
        }
    }
}

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = match &resolver.inner {
                Some(inner) => inner.resolve(name).await?.collect(),
                None => tokio::net::lookup_host((name.as_str(), 0)).await?.collect(),
            };
            let is_allowed =
                |address: &SocketAddr| resolver.reach == Reach::Private || is_public(address.ip());
            // One restricted address makes all of them suspect.
            if addresses.is_empty() || !addresses.iter().all(is_allowed) {
                return Err(Restricted.into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Returns whether an address belongs to the public network (IANA's registries of special-purpose addresses).
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b));
    !is_special
}

/// Only the global unicast block, without tunnels to IPv4 addresses and the documentation ranges.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let is_global_unicast = first & 0xe000 == 0x2000;
    let is_six_to_four = first == 0x2002;
    let is_special = first == 0x2001 && (second < 0x200 || second == 0xdb8);
    let is_documentation = first == 0x3fff && second < 0x1000;
    is_global_unicast && !is_six_to_four && !is_special && !is_documentation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_pass() {
        for text in [
            "8.8.8.8",
            "1.1.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "192.0.1.1",
            "2606:4700::1111",
            "2a00:1450::1",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "198.18.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fc00::1",
            "fe80::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "100::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }
}
