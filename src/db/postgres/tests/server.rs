//! PostgreSQL servers for tests.

#[path = "../../../../tests/it/support/services.rs"]
#[expect(dead_code, reason = "these tests need only one of the servers")]
mod services;

use std::fs::{self, Permissions};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::time::Duration;

use crate::db::DatabaseConfig;
use crate::db::postgres::connect::Connector;
use crate::db::postgres::deadlines::Deadlines;
use crate::service_url::ServiceUrl;

pub(super) use services::OwnPostgres;

/// The password of the administrator, asked for on TCP only.
pub(super) const PASSWORD: &str = "hidden@pass:word";

/// The authority that signed the certificate of [`Networked`].
const AUTHORITY: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/src/db/postgres/tests/tls/authority.pem"
);

/// How long a call of a test may take where its deadline is not what is tested, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A new database on the server that all tests share.
pub(super) async fn database() -> Option<DatabaseConfig> {
    let Some(url) = std::env::var_os("TEST_POSTGRES_URL") else {
        // Not `eprintln`, whose text the test harness keeps to itself when a test passes.
        let left_out = "left out: PostgreSQL (TEST_POSTGRES_URL is not set; make test runs it)";
        let _ = writeln!(std::io::stderr(), "{left_out}");
        return None;
    };
    Some(database_on(url.to_str().unwrap()).await)
}

/// A new database on a server.
pub(super) async fn database_on(url: &str) -> DatabaseConfig {
    let mut random = [0; 8];
    getrandom::fill(&mut random).unwrap();
    let name = format!("symbold_{}", hex::encode(random));
    execute(&config(url), &format!("CREATE DATABASE {name}")).await;
    let (place, parameters) = url.split_once('?').unwrap_or((url, ""));
    let (server, _) = place.rsplit_once('/').unwrap();
    config(&format!("{server}/{name}?{parameters}"))
}

pub(super) fn config(url: &str) -> DatabaseConfig {
    DatabaseConfig {
        url: ServiceUrl::from(url),
        timeout: PATIENCE,
        ..DatabaseConfig::default()
    }
}

/// A connection of a test's own.
pub(super) async fn connect(config: &DatabaseConfig) -> tokio_postgres::Client {
    connector(config).await.connect().await.unwrap()
}

pub(super) async fn connector(config: &DatabaseConfig) -> Connector {
    let deadlines = Deadlines::new(config.timeout);
    Connector::new(&config.url, deadlines).await.unwrap()
}

/// Runs statements on a connection of their own.
pub(super) async fn execute(config: &DatabaseConfig, sql: &str) {
    let client = connect(config).await;
    client.batch_execute(sql).await.unwrap();
}

/// A server with a port, which has a certificate for `localhost` and asks for the password.
pub(super) struct Networked {
    _server: OwnPostgres,
    port: u16,
}

impl Networked {
    pub(super) async fn launch() -> Option<Self> {
        let mut server = OwnPostgres::launch()?;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let url = server.url();
        for setting in [
            "listen_addresses = '127.0.0.1'",
            "ssl = on",
            &format!("port = {port}"),
        ] {
            execute(&config(&url), &format!("ALTER SYSTEM SET {setting}")).await;
        }
        let password = format!("ALTER ROLE postgres PASSWORD '{PASSWORD}'");
        execute(&config(&url), &password).await;
        let (_, folder) = url.split_once("host=").unwrap();
        let write = |name, text| write(Path::new(folder), name, text);
        write("server.crt", include_str!("tls/server.pem"));
        write("server.key", include_str!("tls/server.key"));
        write("pg_hba.conf", "host all all 127.0.0.1/32 scram-sha-256\n");
        server.stop();
        server.start();
        Some(Self {
            _server: server,
            port,
        })
    }

    /// An address by which it can be reached.
    pub(super) fn url(&self, host: &str, password: &str, parameters: &str) -> String {
        format!(
            "postgres://postgres:{password}@{host}:{}/postgres?sslrootcert={AUTHORITY}&{parameters}",
            self.port
        )
    }
}

/// Writes a file that the server's user owns, and nobody else may read.
fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let owner = fs::metadata(folder).unwrap();
    chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
}
