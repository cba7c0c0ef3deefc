//! Mixed load for a long time: nothing fails, and neither memory nor open files grow.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::multipart::{Form, Part};
use reqwest::{Client, StatusCode};
use tokio::time::{Instant, sleep};

use crate::support::{ID, PATIENCE, Running, Site, Zip, random_bytes, sym};
use crate::{how_many, tell};

/// How much memory may come together between the middle of a run and its end, in KiB.
const GROWTH: u64 = 64 * 1024;

/// Open files at the end that were not open at the start: connections and files that are just closing.
const FILES: usize = 16;

/// A pause of each client between two requests.
const PAUSE: Duration = Duration::from_millis(2);

/// How large every tenth file is, in bytes.
const LARGE: usize = 3 << 20;

/// What the clients share.
struct Load {
    client: Client,
    url: String,
    token: String,
    uploaded: AtomicU64,
    requests: AtomicU64,
    end: Instant,
}

fn key(number: u64) -> String {
    let ending = if number.is_multiple_of(2) {
        "sym"
    } else {
        "dl_"
    };
    format!("s{number}.pdb/{ID}/s{number}.{ending}")
}

fn bytes(number: u64) -> Vec<u8> {
    match number % 10 {
        9 => random_bytes(LARGE, number),
        1 | 3 | 5 | 7 => random_bytes(5_000, number),
        _ => sym(&format!("s{number}.pdb"), ID, 300),
    }
}

impl Load {
    /// Uploads one new file after the other, each with the one before.
    async fn upload(&self) {
        let mut number = 1;
        while Instant::now() < self.end {
            let zip = [number - 1, number].into_iter();
            let zip = zip.fold(Zip::new(), |zip, one| zip.file(&key(one), bytes(one)));
            let status = self.send(zip.bytes()).await;
            assert_eq!(status, StatusCode::CREATED);
            self.uploaded.store(number, Ordering::Release);
            number += 1;
            sleep(10 * PAUSE).await;
        }
    }

    /// Sends archives that are refused.
    async fn annoy(&self) {
        while Instant::now() < self.end {
            let status = self.send(random_bytes(20_000, 3)).await;
            assert_eq!(status, StatusCode::BAD_REQUEST);
            let cut = Zip::new().file(&key(4), bytes(4)).bytes();
            let status = self.send(cut[..cut.len() / 2].to_vec()).await;
            assert_eq!(status, StatusCode::BAD_REQUEST);
            sleep(50 * PAUSE).await;
        }
    }

    async fn send(&self, archive: Vec<u8>) -> StatusCode {
        let part = Part::bytes(archive).file_name("symbols.zip");
        let request = self.client.post(format!("{}/upload/", self.url));
        let request = request.header("Auth-Token", &self.token);
        let request = request.multipart(Form::new().part("symbols.zip", part));
        self.requests.fetch_add(1, Ordering::Relaxed);
        request.send().await.unwrap().status()
    }

    /// Downloads what is there and what is not, in every way.
    async fn download(&self, seed: u64) {
        let mut state = seed;
        while Instant::now() < self.end {
            state = u64::from_le_bytes(random_bytes(8, state).try_into().unwrap()) ^ seed;
            let uploaded = self.uploaded.load(Ordering::Acquire);
            let known = state / 16 % (uploaded + 1);
            let (path, expected) = match state % 16 {
                0..8 if uploaded > 0 => (key(known), StatusCode::OK),
                8 | 9 if uploaded > 0 => (format!("{}?_refresh", key(known)), StatusCode::OK),
                10 => (format!("api/explain/{}", key(known)), StatusCode::OK),
                11 => (
                    format!("x{}.pdb/{ID}/x.sym", state % 50),
                    StatusCode::NOT_FOUND,
                ),
                12 => ("missingsymbols/".to_owned(), StatusCode::OK),
                _ => (format!("x{state}.pdb/{ID}/x.sym"), StatusCode::NOT_FOUND),
            };
            let request = self.client.get(format!("{}/{path}", self.url));
            let request = if state.is_multiple_of(3) {
                request.header("accept-encoding", "gzip")
            } else {
                request
            };
            let mut answer = request.send().await.unwrap();
            assert_eq!(answer.status(), expected, "{path}");
            // Some clients leave in the middle.
            while let Some(piece) = answer.chunk().await.unwrap() {
                if state.is_multiple_of(7) && !piece.is_empty() {
                    break;
                }
            }
            self.requests.fetch_add(1, Ordering::Relaxed);
            sleep(PAUSE).await;
        }
    }
}

/// A value of `/proc/PID/status`, in KiB.
fn memory(server: &Running, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let words = line.unwrap().trim_start_matches(':').split_whitespace();
    words.into_iter().next().unwrap().parse().unwrap()
}

fn open_files(server: &Running) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.child.id()))
        .unwrap()
        .count()
}

async fn memory_and_files_stay_level(mut site: Site, what: &str) {
    let seconds = Duration::from_secs(how_many("FAULTS_SECONDS", 5));
    site.variables
        .push(("SYMBOLD_CACHE__LOCAL_SIZE", "4 MiB".to_owned()));
    let server = site.serve();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().tls_certs_only([]).no_proxy();
    let client = client.timeout(PATIENCE).build().unwrap();
    let load = Arc::new(Load {
        client,
        url: server.url.clone(),
        token: site.token(),
        uploaded: AtomicU64::new(0),
        requests: AtomicU64::new(0),
        end: Instant::now() + seconds,
    });
    let (files, start) = (open_files(&server), memory(&server, "VmRSS"));
    let mut clients = tokio::task::JoinSet::new();
    for seed in 1..=4 {
        let load = Arc::clone(&load);
        clients.spawn(async move { load.download(seed).await });
    }
    let one = Arc::clone(&load);
    clients.spawn(async move { one.upload().await });
    let one = Arc::clone(&load);
    clients.spawn(async move { one.annoy().await });
    sleep(seconds / 2).await;
    let middle = memory(&server, "VmRSS");
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    let end = memory(&server, "VmRSS");
    let (requests, uploads) = (
        load.requests.load(Ordering::Relaxed),
        load.uploaded.load(Ordering::Relaxed),
    );
    drop(load);
    crate::support::eventually("all connections are closed", async || {
        open_files(&server) <= files + FILES
    })
    .await;
    tell(&format!(
        "{what}: {requests} requests and {uploads} uploads in {} s, memory {} MiB at the start, {} in the middle, {} \
         at the end, {} at most",
        seconds.as_secs(),
        start / 1024,
        middle / 1024,
        end / 1024,
        memory(&server, "VmHWM") / 1024
    ));
    assert!(end <= middle + GROWTH, "{middle} KiB, then {end} KiB");
    assert_eq!(server.stop().0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_and_files_stay_level_on_a_disk() {
    memory_and_files_stay_level(Site::embedded(), "mixed load, disk and SQLite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_and_files_stay_level_with_s3() {
    if let Some(site) = Site::on_services("mixed load with S3").await {
        memory_and_files_stay_level(site, "mixed load, S3, PostgreSQL and Redis").await;
    }
}
