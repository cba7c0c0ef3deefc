//! The program itself on a real server: every scenario, from the archives to the report.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails, with the place where it stopped"
)]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;
use symbold::clock::SystemClock;
use symbold::config::Config;
use symbold::first_run;
use symbold::server::{Adaptors, Server};
use tempfile::TempDir;
use tokio::task::block_in_place;
use tokio_util::sync::CancellationToken;

/// A server with an administrator's token, and a folder for reports.
struct Bench {
    folder: TempDir,
    address: SocketAddr,
    stop: CancellationToken,
}

impl Bench {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config {
            data_dir: folder.path().display().to_string(),
            ..Config::default()
        };
        "127.0.0.1:0".clone_into(&mut config.server.listen);
        config.server.workers = 1;
        let adaptors = Adaptors::open(&config).await.unwrap();
        let server = Server::new(config, adaptors, Arc::new(SystemClock::new())).unwrap();
        first_run::ensure_token(server.auth(), folder.path())
            .await
            .unwrap();
        let address = server.address().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(server.run(stop.clone()));
        Self {
            folder,
            address,
            stop,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a subcommand that asks the server; returns its table and its report.
    fn run(&self, scenario: &str, arguments: &str) -> (String, Value) {
        let report = self.path("report.json");
        let url = format!("http://{}", self.address);
        let mut words = vec![scenario, "--url", &url, "--json", report.to_str().unwrap()];
        words.extend(arguments.split(' '));
        let table = run(self.folder.path(), &words).unwrap();
        (
            table,
            serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap(),
        )
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Runs the program in a folder; its output, or what it complains of.
fn run(folder: &Path, words: &[&str]) -> Result<String, String> {
    let mut program = Command::new(env!("CARGO_BIN_EXE_symbold-loadtest"));
    program.args(words).current_dir(folder);
    // The server runs on the other threads meanwhile.
    let output = block_in_place(|| program.output()).unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

const TOKEN: &str = "--token-file admin-token";

#[tokio::test(flavor = "multi_thread")]
async fn packed_keys_are_found_and_the_others_are_missing() {
    let bench = Bench::start().await;
    let folder = bench.folder.path();
    run(
        folder,
        &["trace", "--builds", "2", "--list", "-o", "keys.txt"],
    )
    .unwrap();
    let uploading = format!("--pack keys.txt --at-once 2 --expect 1 {TOKEN}");
    let (table, report) = bench.run("upload", &uploading);
    assert!(table.contains("201"), "{table}");
    assert_eq!(report["expected"], 1.0);

    let asking =
        "--keys keys.txt --requests 600 --missing 0.5 --rate 2000 --expect 1 --svg picture.svg";
    let (table, report) = bench.run("download", asking);
    assert_eq!(
        (&report["requests"], &report["expected"]),
        (&600.into(), &1.0.into())
    );
    let statuses: Vec<&Value> = report["statuses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["status"])
        .collect();
    assert_eq!(statuses, ["200", "404"]);
    // Popular keys are asked for again, and the server says that it remembers them. A missing file with a short id is
    // looked up by code id, too.
    let cache = &report["cache"];
    let (hits, lookups) = (
        cache["hits"].as_u64().unwrap(),
        cache["lookups"].as_u64().unwrap(),
    );
    assert!(
        hits > 0 && hits < lookups && lookups >= 600,
        "{hits} of {lookups}"
    );
    assert!(
        table.contains("lookups answered from the cache:"),
        "{table}"
    );
    assert!(
        std::fs::read_to_string(bench.path("picture.svg"))
            .unwrap()
            .contains("<polyline")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn downloads_are_compared_with_those_beside_uploads() {
    let bench = Bench::start().await;
    run(
        bench.folder.path(),
        &["trace", "--builds", "1", "--list", "-o", "keys.txt"],
    )
    .unwrap();
    let arguments = format!(
        "--keys keys.txt --missing 1 --rate 100 --duration 1 --generate small --count 3 --at-once 2 --expect 1 {TOKEN}"
    );
    let (table, report) = bench.run("mixed", &arguments);
    assert!(
        table.contains("The p99 of downloads beside uploads is"),
        "{table}"
    );
    assert_eq!(report["alone"]["requests"], 100);
    assert_eq!(report["uploads"]["requests"], 3);
    assert!(report["beside_uploads"]["requests"].as_u64().unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_were_not_expected_are_a_failure() {
    let bench = Bench::start().await;
    let folder = bench.folder.path();
    let trace = "URI,STATUS CODE,PRIVATE,COUNT\n/xul.pdb/AB0/xul.sym,200,False,5\n";
    std::fs::write(folder.join("trace.csv"), trace).unwrap();
    let url = format!("http://{}", bench.address);
    let words = [
        "download",
        "--url",
        &url,
        "--trace",
        "trace.csv",
        "--requests",
        "5",
        "--expect",
        "0.5",
    ];
    let complaint = run(folder, &words).unwrap_err();
    assert!(
        complaint.contains("0.00 % of the answers were as expected"),
        "{complaint}"
    );

    let words = [
        "upload",
        "--url",
        &url,
        "--generate",
        "small",
        "--count",
        "1",
        "--token",
        "wrong",
        "--expect",
        "1",
    ];
    let complaint = run(folder, &words).unwrap_err();
    assert!(complaint.contains("fewer than 100.00 %"), "{complaint}");
}
