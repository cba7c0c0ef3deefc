//! The program itself, as people start it.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use symbold::config::Config;
use symbold::storage::StorageKind;
use tempfile::TempDir;

use super::backends;
use super::variable;

/// The program with nothing of this machine's environment and everything under a folder.
pub(crate) fn symbold(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_symbold"));
    command.env_clear().current_dir(folder);
    command.env("SYMBOLD_SERVER__LISTEN", "127.0.0.1:0");
    // What is tested is not how fast this machine is.
    command.env("SYMBOLD_DATABASE__TIMEOUT", "1min");
    command
}

/// A server that runs until it is dropped or told to stop.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) url: String,
    /// The line of the log that tells the address.
    pub(crate) started: String,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let started = log
            .by_ref()
            .lines()
            .map_while(Result::ok)
            .find(|line| line.contains("http://"))
            .expect("the server logs its address");
        // A server whose log nobody reads would wait for its reader at some time.
        std::thread::spawn(move || io::copy(&mut log, &mut io::sink()));
        let (_, rest) = started.split_once("http://").unwrap();
        let address = rest.split(['"', ' ']).next().unwrap();
        let url = format!("http://{address}");
        Self {
            child,
            url,
            started,
        }
    }

    /// Sends a signal, by its name.
    pub(crate) fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        kill.args(["-s", name, &self.child.id().to_string()]);
        assert!(kill.status().unwrap().success());
    }

    /// Tells it to stop and gives its exit code and what it said.
    pub(crate) fn stop(mut self) -> (Option<i32>, String) {
        self.signal("TERM");
        let status = self.child.wait().unwrap();
        let mut said = String::new();
        self.child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        (status.code(), said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Where a program runs: a folder for its files, and variables beside the defaults of tests.
pub(crate) struct Site {
    folder: TempDir,
    pub(crate) variables: Vec<(&'static str, String)>,
}

impl Site {
    /// On the embedded defaults.
    pub(crate) fn embedded() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            variables: Vec::new(),
        }
    }

    /// On a database, a bucket and a namespace of its own, if the services run.
    pub(crate) async fn on_services(test: &str) -> Option<Self> {
        if !backends::have_services(test) {
            return None;
        }
        let mut site = Self::embedded();
        let mut config = Config::default();
        backends::use_services(&mut config, site.folder.path()).await;
        let StorageKind::S3(s3) = config.storage.kind else {
            panic!("it is a bucket")
        };
        let credentials = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"];
        let credentials = credentials.map(|name| (name, variable(name).unwrap()));
        site.variables.extend(credentials);
        site.variables.extend([
            (
                "SYMBOLD_DATABASE__URL",
                config.database.url.reveal().to_owned(),
            ),
            (
                "SYMBOLD_CACHE__REDIS_URL",
                config.cache.redis_url.reveal().to_owned(),
            ),
            ("SYMBOLD_CACHE__NAMESPACE", config.cache.namespace),
            ("SYMBOLD_STORAGE__KIND", "s3".to_owned()),
            ("SYMBOLD_STORAGE__ENDPOINT", s3.endpoint),
            ("SYMBOLD_STORAGE__BUCKET", s3.bucket),
            ("SYMBOLD_STORAGE__ACCESS", "proxy".to_owned()),
        ]);
        Some(site)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn variable(&self, name: &str) -> &str {
        let known = self.variables.iter().find(|(known, _)| *known == name);
        &known.unwrap().1
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = symbold(self.folder.path());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.args(arguments);
        command
    }

    /// Starts a server.
    pub(crate) fn serve(&self) -> Running {
        Running::start(&mut self.command(&[]))
    }

    /// Runs a command to its end: its exit code, and what it wrote to standard output and standard error.
    pub(crate) fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code(), text(stdout), text(stderr))
    }

    /// Makes a token that may upload.
    pub(crate) fn token(&self) -> String {
        let create = ["token", "create", "--email", "ci@example.com"];
        let arguments = [&create[..], &["--permission", "upload_symbols"]].concat();
        let (code, secret, said) = self.run(&arguments);
        assert_eq!(code, Some(0), "{said}");
        secret.trim().to_owned()
    }
}
