//! The settings of the HTTP server.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::section::{Section, Violation, violations};

/// Where the server listens and how long it waits for clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Address and port to listen on.
    pub listen: String,
    /// The base URL that clients know this server by, for messages and for the upload URLs that Breakpad's uploaders
    /// get. Empty means the address listened on, or the one that the client has used.
    pub public_url: String,
    /// The proxies whose `X-Forwarded-Host` and `X-Forwarded-Proto` are believed. None by default, not even those of
    /// this machine, since many proxies pass on what a client has put into these headers.
    pub trusted_proxies: Vec<Network>,
    /// Threads that serve requests; 0 means as many as the machine has cores.
    pub workers: usize,
    /// How many connections may be open at once; more wait to be accepted.
    pub connections: usize,
    /// How long a client may take to send a request's head.
    #[serde(with = "humantime_serde")]
    pub head: Duration,
    /// How long an idle connection is kept open; longer than the load balancer in front keeps it.
    #[serde(with = "humantime_serde")]
    pub keep_alive: Duration,
    /// How long a client may read nothing of an answer that is ready for it.
    #[serde(with = "humantime_serde")]
    pub write_idle: Duration,
    /// How long requests in flight may take to finish once the server is stopping.
    #[serde(with = "humantime_serde")]
    pub grace: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8000".to_owned(),
            public_url: String::new(),
            trusted_proxies: Vec::new(),
            workers: 0,
            connections: 20_000,
            head: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            write_idle: Duration::from_mins(1),
            grace: Duration::from_secs(30),
        }
    }
}

/// A network of addresses in CIDR notation, such as `10.0.0.0/8`, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(IpNet);

impl Network {
    /// Returns whether the address is in the network. An IPv4 address is the same in IPv6 notation.
    pub(super) fn contains(self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        let network = address.or_else(|_| text.parse());
        network.map(Self).map_err(|_| {
            format!("\"{text}\" is neither an address nor a network such as 10.0.0.0/8")
        })
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.0.to_string()
    }
}

impl Section for ServerConfig {
    fn violations(&self) -> Vec<Violation> {
        violations(
            "server",
            &[(
                "listen",
                self.listen.parse::<SocketAddr>().is_ok(),
                "is not an address and a port such as 127.0.0.1:8000",
            )],
        )
    }
}
