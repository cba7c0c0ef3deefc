//! From `database.url` to the settings of connections: what the address says, what always holds, and TLS.
//!
//! `sslmode` and `sslrootcert` are read here, since the driver knows neither all modes nor certificates. Where libpq
//! would encrypt without checking the certificate (`require`), we always verify it and the host's name: encryption
//! to an unverified peer protects nothing. The certificate authorities are those of the machine, to which operators add
//! the private ones that databases often have; `sslrootcert` names a file of authorities instead.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::deadlines::Deadlines;
use super::failure;
use crate::blocking;
use crate::db::DbError;
use crate::service_url::ServiceUrl;

/// How long the network may be silent before the server is asked whether it is there.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);

/// How long the server may take to acknowledge what was sent, or that it is there.
const SILENCE: Duration = Duration::from_secs(10);

/// Everything that a new connection needs.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
    pub(super) deadlines: Deadlines,
}

impl Connector {
    /// Reads an address, and the authorities' certificates if it asks for TLS.
    pub(super) async fn new(url: &ServiceUrl, deadlines: Deadlines) -> Result<Self, DbError> {
        let address = Address::parse(url.reveal(), deadlines)
            .map_err(|problem| DbError::Schema(format!("database.url {url}: {problem}.")))?;
        let roots = if address.config.get_ssl_mode() == SslMode::Disable {
            RootCertStore::empty()
        } else {
            let file = address.root_certificates;
            blocking::run(move || roots(file.as_deref()))
                .await
                .map_err(|error| DbError::Schema(format!("database.url {url}: {error}.")))?
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring supports the default versions of TLS")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            config: address.config,
            tls: MakeRustlsConnect::new(tls),
            deadlines,
        })
    }

    /// Opens a connection that belongs to no pool. It ends when the client is dropped.
    pub(super) async fn connect(&self) -> Result<tokio_postgres::Client, DbError> {
        let connecting = self.config.connect(self.tls.clone());
        let time_limit = self.deadlines.connect();
        let (client, connection) = tokio::time::timeout(time_limit, connecting)
            .await
            .map_err(|_| failure::no_connection(time_limit))?
            .map_err(|error| failure::cannot_connect(&error))?;
        // The pending calls get the error with which it ended.
        tokio::spawn(async move { connection.await.unwrap_or_default() });
        Ok(client)
    }
}

/// An address as read.
#[derive(Debug)]
struct Address {
    config: Config,
    /// A file of certificates to trust instead of the machine's.
    root_certificates: Option<String>,
}

impl Address {
    fn parse(url: &str, deadlines: Deadlines) -> Result<Self, String> {
        let (place, parameters) = url.split_once('?').unwrap_or((url, ""));
        let mut ssl_mode = SslMode::Prefer;
        let mut root_certificates = None;
        let mut others = Vec::new();
        for parameter in parameters.split('&').filter(|text| !text.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = percent_decode_str(value).decode_utf8_lossy();
            match name {
                "sslmode" => ssl_mode = parse_ssl_mode(&value)?,
                "sslrootcert" => {
                    root_certificates = Some(value.into_owned()).filter(|file| file != "system");
                }
                _ => others.push(parameter),
            }
        }
        let rest = match others.as_slice() {
            [] => place.to_owned(),
            others => format!("{place}?{}", others.join("&")),
        };
        let mut config: Config = rest.parse().map_err(|error| failure::describe(&error))?;
        let is_local = |host: &Host| matches!(host, Host::Unix(_));
        // Sockets of this machine cannot be eavesdropped on, and PostgreSQL speaks no TLS there.
        if config.get_hosts().iter().all(is_local) && config.get_hostaddrs().is_empty() {
            ssl_mode = SslMode::Disable;
        }
        config.ssl_mode(ssl_mode);
        complete(&mut config, deadlines);
        Ok(Self {
            config,
            root_certificates,
        })
    }
}

fn parse_ssl_mode(text: &str) -> Result<SslMode, String> {
    match text {
        "disable" => Ok(SslMode::Disable),
        "prefer" => Ok(SslMode::Prefer),
        "require" | "verify-ca" | "verify-full" => Ok(SslMode::Require),
        _ => {
            Err("sslmode is none of disable, prefer, require, verify-ca and verify-full".to_owned())
        }
    }
}

/// Adds what always holds, and what the address leaves open. Options of the address come last and win.
fn complete(config: &mut Config, deadlines: Deadlines) {
    let session = deadlines.session();
    let options = match config.get_options() {
        Some(options) => format!("{session} {options}"),
        None => session,
    };
    config.options(options);
    if config.get_application_name().is_none() {
        config.application_name("symbold");
    }
    if config.get_connect_timeout().is_none() {
        // Every host of a list gets its turn.
        let hosts = config.get_hosts().len().max(1);
        let share = deadlines.connect() / u32::try_from(hosts).unwrap_or(u32::MAX);
        config.connect_timeout(share);
    }
    config
        .tcp_user_timeout(SILENCE)
        .keepalives_idle(KEEPALIVE_IDLE)
        .keepalives_interval(SILENCE / 2)
        .keepalives_retries(2);
}

fn roots(file: Option<&str>) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let Some(file) = file else {
        // A machine without authorities trusts no server, and says so when one shows its certificate.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(roots);
    };
    let cannot_read = |error: &dyn std::fmt::Display| {
        io::Error::other(format!("cannot read certificates of {file}: {error}"))
    };
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| cannot_read(&error))? {
        let certificate = certificate.map_err(|error| cannot_read(&error))?;
        roots
            .add(certificate)
            .map_err(|error| cannot_read(&error))?;
    }
    if roots.is_empty() {
        return Err(cannot_read(&"there are none"));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn deadlines() -> Deadlines {
        Deadlines::new(Duration::from_secs(6))
    }

    fn parse(url: &str) -> Address {
        Address::parse(url, deadlines()).unwrap()
    }

    #[test]
    fn the_mode_of_tls_is_read() {
        for (url, mode) in [
            ("postgres://h/db", SslMode::Prefer),
            ("postgres://h/db?sslmode=disable", SslMode::Disable),
            ("postgres://h/db?sslmode=require", SslMode::Require),
            (
                "postgresql://h/db?port=1&sslmode=verify-full",
                SslMode::Require,
            ),
            (
                "postgres:///db?sslmode=require&host=/run/postgresql",
                SslMode::Disable,
            ),
            (
                "postgres://%2Frun%2Fpostgresql/db?sslmode=require",
                SslMode::Disable,
            ),
            ("postgres://h,%2Frun/db?sslmode=require", SslMode::Require),
        ] {
            assert_eq!(parse(url).config.get_ssl_mode(), mode, "{url}");
        }
    }

    #[test]
    fn a_file_of_authorities_is_read_and_the_rest_is_the_drivers() {
        let address = parse(
            "postgres://u:p%40@h:7/db?sslrootcert=/a%20b.pem&application_name=x&options=-c%20a%3Db",
        );
        assert_eq!(address.root_certificates.as_deref(), Some("/a b.pem"));
        let config = address.config;
        assert_eq!(config.get_password(), Some(&b"p@"[..]));
        assert_eq!(
            (config.get_dbname(), config.get_ports()),
            (Some("db"), &[7][..])
        );
        assert_eq!(config.get_application_name(), Some("x"));
        assert!(config.get_options().unwrap().ends_with("=10000 -c a=b"));
        assert_eq!(
            parse("postgres://h/db?sslrootcert=system").root_certificates,
            None
        );
    }

    #[test]
    fn every_host_of_a_list_gets_its_turn() {
        let timeout = |url| *parse(url).config.get_connect_timeout().unwrap();
        assert_eq!(timeout("postgres://h/db"), Duration::from_secs(3));
        assert_eq!(timeout("postgres://a,b,c/db"), Duration::from_secs(1));
        assert_eq!(
            timeout("postgres://h/db?connect_timeout=2"),
            Duration::from_secs(2)
        );
    }

    proptest! {
        #[test]
        fn no_address_makes_the_parser_panic(rest in "\\PC{0,60}") {
            drop(Address::parse(&format!("postgres://{rest}"), deadlines()));
        }
    }
}
