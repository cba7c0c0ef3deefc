//! The command line: one subcommand for each scenario, every number with a bound.
//!
//! Addresses and paths are checked here, before the first connection, so that a request can be written out as it is.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};
use http::Uri;
use http::uri::{PathAndQuery, Scheme};

/// Measures a running symbold server.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The scenarios.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lookups that the server can answer from memory, each as a share of the heartbeat's throughput.
    Hot(Hot),
}

/// Options of the scenario `hot`.
#[derive(Debug, Args)]
pub(crate) struct Hot {
    /// The server; plain http only
    #[arg(long, default_value = "http://127.0.0.1:8000")]
    pub(crate) url: Server,

    /// Connections, each with one request in flight
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) connections: u16,

    /// Duration of the whole run, shared by all paths
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) seconds: u64,

    /// Rounds, in each of which every path has its turn; more rounds spread the machine's moods more evenly
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,

    /// Path of a symbol that the server has, such as /xul.pdb/4C4C44…1/xul.sym
    #[arg(long, value_name = "PATH", value_parser = request_path)]
    pub(crate) found: Option<String>,

    /// Path of a symbol that the server does not have; the server counts it as missing
    #[arg(
        long,
        value_name = "PATH",
        value_parser = request_path,
        default_value = "/symbold-loadtest.pdb/0123456789ABCDEF0123456789ABCDEF1/symbold-loadtest.sym"
    )]
    pub(crate) missing: String,

    /// Also writes the report as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// Where the server listens, from a URL such as `http://127.0.0.1:8000`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// `host:port`, as the `Host` header and the resolver take it; an IPv6 address keeps its brackets.
    pub(crate) authority: String,
}

impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text
            .parse()
            .map_err(|error| format!("not a URL: {error}"))?;
        if uri.scheme() != Some(&Scheme::HTTP) {
            return Err("the URL must start with http://".to_owned());
        }
        if uri.path() != "/" || uri.query().is_some() {
            return Err("the URL must end after the host and the port".to_owned());
        }
        let host = uri.host().ok_or("the URL has no host")?;
        let port = uri.port_u16().unwrap_or(80);
        Ok(Self {
            authority: format!("{host}:{port}"),
        })
    }
}

/// A path that can stand in a request line as it is: absolute, percent-encoded where it must be.
fn request_path(text: &str) -> Result<String, String> {
    if !text.starts_with('/') {
        return Err("the path must start with /".to_owned());
    }
    let path: PathAndQuery = text
        .parse()
        .map_err(|error| format!("not a path: {error}"))?;
    Ok(path.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn hot(arguments: &[&str]) -> Result<Hot, clap::Error> {
        let words = ["symbold-loadtest", "hot"].iter().chain(arguments);
        let Command::Hot(options) = Cli::try_parse_from(words)?.command;
        Ok(options)
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_defaults_fit_a_server_started_without_configuration() {
        let options = hot(&[]).unwrap();
        assert_eq!(options.url.authority, "127.0.0.1:8000");
        assert_eq!(
            (options.connections, options.seconds, options.found),
            (32, 5, None)
        );
    }

    #[test]
    fn a_server_is_named_by_host_and_port() {
        let authority = |url: &str| url.parse::<Server>().map(|server| server.authority);
        assert_eq!(
            authority("http://localhost/"),
            Ok("localhost:80".to_owned())
        );
        assert_eq!(authority("http://[::1]:8000"), Ok("[::1]:8000".to_owned()));
        assert!(authority("https://localhost").is_err());
        assert!(authority("localhost:8000").is_err());
        assert!(authority("http://localhost/symbols").is_err());
        assert!(authority("").is_err());
    }

    #[test]
    fn what_would_break_the_request_line_is_refused() {
        assert!(hot(&["--found", "/xul.pdb/4C1/xul.sym?try"]).is_ok());
        assert!(hot(&["--found", "xul.pdb/4C1/xul.sym"]).is_err());
        assert!(hot(&["--found", "/xul.pdb/4C1/xul sym"]).is_err());
        assert!(hot(&["--found", "/xul.pdb\r\nHost: other"]).is_err());
    }

    #[test]
    fn every_number_has_a_bound() {
        for arguments in [
            ["--seconds", "0"],
            ["--seconds", "601"],
            ["--connections", "0"],
            ["--connections", "1025"],
            ["--rounds", "0"],
        ] {
            assert!(hot(&arguments).is_err(), "{arguments:?}");
        }
    }
}
