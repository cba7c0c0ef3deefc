//! PostgreSQL servers for tests.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;

use crate::db::DatabaseConfig;
use crate::db::postgres::connect::Connector;
use crate::service_url::ServiceUrl;

/// PostgreSQL refuses to run as root; this is `nobody`.
const NOBODY: u32 = 65_534;

/// The password of the superuser, asked for on TCP only.
pub(super) const PASSWORD: &str = "hidden/pass:word";

#[expect(
    clippy::disallowed_methods,
    reason = "`make test` tells what services there are"
)]
fn variable(name: &str, what: &str) -> Option<String> {
    let value = std::env::var(name).ok();
    if value.is_none() {
        eprintln!("left out: {what} ({name} is not set; make test runs it)");
    }
    value
}

/// A new database on the server that all tests share.
pub(super) async fn database() -> Option<DatabaseConfig> {
    let url = variable("TEST_POSTGRES_URL", "a test of PostgreSQL")?;
    Some(database_on(&url).await)
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
        ..DatabaseConfig::default()
    }
}

/// Runs statements on a connection of their own.
pub(super) async fn execute(config: &DatabaseConfig, sql: &str) {
    let connector = Connector::new(&config.url).await.unwrap();
    let client = connector.connect().await.unwrap();
    client.batch_execute(sql).await.unwrap();
}

/// A server of a test's own, which it may stop and freeze.
pub(super) struct Server {
    folder: TempDir,
    binaries: PathBuf,
    port: u16,
    process: Option<Child>,
}

impl Server {
    /// Starts a server with TLS, on a socket that trusts everybody and on a port that does not.
    pub(super) fn start() -> Option<Self> {
        let binaries = variable(
            "TEST_POSTGRES_BIN",
            "a test with a PostgreSQL server of its own",
        )?;
        let folder = tempfile::Builder::new().prefix("pg").tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut server = Self {
            folder,
            binaries: binaries.into(),
            port,
            process: None,
        };
        server.write("password", PASSWORD);
        server.write("server.pem", include_str!("tls/server.pem"));
        server.write("server.key", include_str!("tls/server.key"));
        own(server.folder.path());
        let made = server
            .command("initdb")
            .args([
                "--username=postgres",
                "--pwfile=password",
                "--auth-local=trust",
                "--auth-host=scram-sha-256",
            ])
            .args([
                "--no-sync",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--pgdata=data",
            ])
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        server.start_again();
        Some(server)
    }

    /// Its address without a password.
    pub(super) fn url(&self) -> String {
        let folder = self.folder.path().display();
        format!(
            "postgres://postgres@/postgres?host={folder}&port={}",
            self.port
        )
    }

    /// Its address on the network, with TLS.
    pub(super) fn network_url(&self, host: &str, password: &str, parameters: &str) -> String {
        let authority = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/src/db/postgres/tests/tls/authority.pem"
        );
        format!(
            "postgres://postgres:{password}@{host}:{}/postgres?sslrootcert={authority}&{parameters}",
            self.port
        )
    }

    pub(super) fn start_again(&mut self) {
        let folder = self.folder.path().display().to_string();
        let port = self.port.to_string();
        let mut command = self.command("postgres");
        command.args([
            "-D",
            "data",
            "-k",
            &folder,
            "-p",
            &port,
            "-c",
            "listen_addresses=127.0.0.1",
        ]);
        for setting in [
            "fsync=off",
            "ssl=on",
            "ssl_cert_file=../server.pem",
            "ssl_key_file=../server.key",
        ] {
            command.args(["-c", setting]);
        }
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        self.process = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        self.await_ready();
    }

    /// The last line of its file of facts tells the state.
    fn await_ready(&self) {
        let facts = self.folder.path().join("data/postmaster.pid");
        for _ in 0..3_000 {
            let text = fs::read_to_string(&facts).unwrap_or_default();
            if text
                .lines()
                .last()
                .is_some_and(|line| line.starts_with("ready"))
            {
                return;
            }
            sleep(Duration::from_millis(10));
        }
        let log = fs::read_to_string(self.folder.path().join("log"));
        panic!("the server is not ready: {log:?}");
    }

    /// Stops it at once, as a crash would.
    pub(super) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            signal("QUIT", &[process.id()]);
            process.wait().unwrap();
        }
    }

    /// Lets it and all its processes stand still until [`Self::thaw`].
    pub(super) fn freeze(&self) {
        signal("STOP", &self.processes());
    }

    pub(super) fn thaw(&self) {
        signal("CONT", &self.processes());
    }

    fn processes(&self) -> Vec<u32> {
        let main = self.process.as_ref().unwrap().id();
        let children = fs::read_to_string(format!("/proc/{main}/task/{main}/children")).unwrap();
        let children = children.split_whitespace().map(|id| id.parse().unwrap());
        [main].into_iter().chain(children).collect()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.join(program));
        command.current_dir(self.folder.path()).env("TZ", "UTC");
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        own(&path);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.thaw();
            self.stop();
        }
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

fn own(path: &Path) {
    if is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

fn signal(name: &str, processes: &[u32]) {
    let mut command = Command::new("kill");
    command.args(["-s", name]);
    command.args(processes.iter().map(u32::to_string));
    // One of the processes may have ended meanwhile.
    command.stderr(Stdio::null()).status().unwrap();
}
