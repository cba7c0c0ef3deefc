//! `symbold healthcheck`: what a container's HEALTHCHECK calls.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::config::Config;

/// How long the server may take to answer.
const DEADLINE: Duration = Duration::from_secs(5);

pub(super) async fn run(config: &Config) -> anyhow::Result<()> {
    let mut address: SocketAddr = config
        .server
        .listen
        .parse()
        .context("setting server.listen")?;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let url = format!("http://{address}/__lbheartbeat__");
    // No certificates are looked for: small containers have none, and none are needed here.
    let client = reqwest::Client::builder()
        .timeout(DEADLINE)
        .no_proxy()
        .tls_certs_only([])
        .build()?;
    let response = client
        .get(&url)
        .send()
        .await
        .with_context(|| format!("{url} does not answer"))?;
    ensure!(
        response.status().is_success(),
        "{url} answered {}",
        response.status()
    );
    eprintln!("symbold: {url} is alive");
    Ok(())
}
