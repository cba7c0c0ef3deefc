//! Servers of a test's own, for tests that stop, freeze or restart one.
//!
//! The servers of `tests/with-services` belong to every test at once, so none may take them away. That script says
//! where the programs are, and [`OwnRedis`] and [`OwnPostgres`] start further instances in a temporary directory. Unit
//! tests include this file by its path; it needs nothing but the standard library and `tempfile`.

use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tempfile::TempDir;

/// A Redis of the test's own, without persistence.
pub(crate) type OwnRedis = Own<Redis>;

/// A PostgreSQL of the test's own, which answers on a socket in its directory; its data survive [`Own::stop`].
pub(crate) type OwnPostgres = Own<Postgres>;

/// How often, every hundredth of a second, a server is asked whether it has got there.
const POLLS: u32 = 6000;

/// The user `nobody`, by whom root starts PostgreSQL, which refuses to run as root.
const NOBODY: u32 = 65534;

/// What differs between the servers.
pub(crate) trait Kind: Sized {
    /// The variable that says where the programs are.
    const VARIABLE: &'static str;
    /// The signal that ends the server at once, as a crash does.
    const CRASH: &'static str;

    /// Makes the data that the server starts from.
    fn prepare(programs: &Path, folder: &Path) -> Self;
    /// The server in the foreground.
    fn command(&self, programs: &Path, folder: &Path) -> Command;
    fn is_ready(&self, folder: &Path, process: u32) -> bool;
    fn url(&self, folder: &Path) -> String;
}

/// A server that goes away with this value.
pub(crate) struct Own<K: Kind> {
    kind: K,
    programs: PathBuf,
    process: Option<Child>,
    folder: TempDir,
}

impl<K: Kind> Own<K> {
    /// Starts a server; `None`, and a line that says so, when nobody said where its programs are.
    pub(crate) fn launch() -> Option<Self> {
        let Some(programs) = std::env::var_os(K::VARIABLE).map(PathBuf::from) else {
            let thread = std::thread::current();
            let test = thread.name().unwrap_or("a test");
            // Not `eprintln`, whose text the test harness keeps to itself when a test passes.
            let _ = writeln!(
                std::io::stderr(),
                "left out: {test} ({} is not set; make test runs it)",
                K::VARIABLE
            );
            return None;
        };
        let folder = tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o711))
            .tempdir()
            .unwrap();
        let kind = K::prepare(&programs, folder.path());
        let mut server = Self {
            kind,
            programs,
            process: None,
            folder,
        };
        server.start();
        Some(server)
    }

    /// Where the server is; the same after every start.
    pub(crate) fn url(&self) -> String {
        self.kind.url(self.folder.path())
    }

    /// Starts the server again, and returns when it is ready.
    pub(crate) fn start(&mut self) {
        assert!(self.process.is_none(), "the server is running");
        let folder = self.folder.path();
        let log = folder.join("log");
        let output = File::create(&log).unwrap();
        let mut command = self.kind.command(&self.programs, folder);
        command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        let process = self.process.insert(command.spawn().unwrap());
        let has_settled = poll(|| {
            self.kind.is_ready(folder, process.id()) || process.try_wait().unwrap().is_some()
        });
        assert!(
            has_settled && process.try_wait().unwrap().is_none(),
            "the server does not start: {}",
            fs::read_to_string(&log).unwrap()
        );
    }

    /// Ends the server as a crash does: what it had not written is gone, and its connections break.
    pub(crate) fn stop(&mut self) {
        let family = self.family();
        let Some(mut process) = self.process.take() else {
            return;
        };
        signal(K::CRASH, &family);
        signal("CONT", &family);
        if !poll(|| process.try_wait().unwrap().is_some()) {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Makes the server fall silent: connections stay open, new ones are taken by the kernel, and nobody answers.
    pub(crate) fn freeze(&self) {
        // The first process first, so that it starts no other in between.
        signal("STOP", &self.family()[..1]);
        signal("STOP", &self.family());
    }

    /// Lets a frozen server go on where it was.
    pub(crate) fn thaw(&self) {
        signal("CONT", &self.family());
    }

    /// The server's first process, followed by those that it started; PostgreSQL has one for each connection.
    fn family(&self) -> Vec<String> {
        let Some(process) = &self.process else {
            return Vec::new();
        };
        let first = process.id().to_string();
        let children =
            fs::read_to_string(format!("/proc/{first}/task/{first}/children")).unwrap_or_default();
        let mut family = vec![first];
        family.extend(children.split_whitespace().map(str::to_owned));
        family
    }
}

impl<K: Kind> Drop for Own<K> {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Redis on a port of 127.0.0.1.
pub(crate) struct Redis {
    port: u16,
}

impl Kind for Redis {
    const VARIABLE: &'static str = "TEST_REDIS_SERVER";
    const CRASH: &'static str = "KILL";

    fn prepare(_: &Path, _: &Path) -> Self {
        Self { port: free_port() }
    }

    fn command(&self, programs: &Path, _: &Path) -> Command {
        let mut command = Command::new(programs);
        command
            .args(["--bind", "127.0.0.1", "--port"])
            .arg(self.port.to_string())
            .args(["--save", "", "--appendonly", "no"]);
        command
    }

    fn is_ready(&self, folder: &Path, _: u32) -> bool {
        let log = fs::read_to_string(folder.join("log")).unwrap();
        log.contains("Ready to accept connections")
    }

    fn url(&self, _: &Path) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

/// PostgreSQL on a socket.
pub(crate) struct Postgres;

impl Kind for Postgres {
    const VARIABLE: &'static str = "TEST_POSTGRES_BIN";
    /// The immediate shutdown; after `KILL` its shared memory would stay behind.
    const CRASH: &'static str = "QUIT";

    fn prepare(programs: &Path, folder: &Path) -> Self {
        let data = folder.join("data");
        fs::create_dir(&data).unwrap();
        if is_root(folder) {
            chown(&data, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let mut initdb = not_as_root(&programs.join("initdb"), folder);
        initdb
            .current_dir(folder)
            .arg("--pgdata")
            .arg(&data)
            .args(["--username=postgres", "--auth=trust", "--no-sync"])
            .args(["--encoding=UTF8", "--locale=C.UTF-8"]);
        let output = initdb.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        // In the file, where `ALTER SYSTEM` wins over it, for a test that wants to connect by TCP.
        let settings = data.join("postgresql.conf");
        let mut settings = File::options().append(true).open(settings).unwrap();
        settings.write_all(b"listen_addresses = ''\n").unwrap();
        Self
    }

    fn command(&self, programs: &Path, folder: &Path) -> Command {
        let data = folder.join("data");
        let mut command = not_as_root(&programs.join("postgres"), folder);
        command.arg("-D").arg(&data).arg("-k").arg(&data);
        command.args(["-c", "fsync=off"]);
        command
    }

    /// The file's first line is the process, and its last line the state, as `pg_ctl` reads them.
    fn is_ready(&self, folder: &Path, process: u32) -> bool {
        let state = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
        let is_this_one = state.lines().next() == Some(&process.to_string());
        let last = state.lines().last().unwrap_or_default();
        is_this_one && last.trim() == "ready"
    }

    fn url(&self, folder: &Path) -> String {
        let socket = folder.join("data");
        format!("postgres://postgres@/postgres?host={}", socket.display())
    }
}

/// What this process made is root's, so this process is root.
fn is_root(made_here: &Path) -> bool {
    fs::metadata(made_here).unwrap().uid() == 0
}

fn not_as_root(program: &Path, made_here: &Path) -> Command {
    let mut command = Command::new(program);
    if is_root(made_here) {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// A port that nobody listens on, for this process alone: the kernel does not hand out ports of this range, and a
/// server that is stopped finds its own still free.
fn free_port() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    const PORTS: u32 = 2600;
    loop {
        let start = process::id().wrapping_mul(13) % PORTS;
        let taken = u32::from(TAKEN.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(30_100 + (start + taken) % PORTS).unwrap();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// Sends a signal; a process that has ended meanwhile does not matter. `kill` is part of every shell.
fn signal(name: &str, processes: &[String]) {
    Command::new("sh")
        .args(["-c", "kill -s \"$0\" \"$@\" 2>/dev/null", name])
        .args(processes)
        .status()
        .unwrap();
}

/// Waits until something holds; false if it never does.
fn poll(mut holds: impl FnMut() -> bool) -> bool {
    for _ in 0..POLLS {
        if holds() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}
