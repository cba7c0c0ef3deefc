//! Dependencies in trouble, one after the other and in every way, under two nodes.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use symbold::config::Config;
use symbold::storage::StorageKind;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::support::gate::{Gate, Way};
use crate::support::{App, ID, Zip, backends, eventually, sym};
use crate::tell;

const WAYS: [Way; 5] = [Way::Cut, Way::Silent, Way::Slow, Way::Halved, Way::Garbage];

/// How many files are asked for while a dependency is in trouble.
const FILES: usize = 4;

#[derive(Clone, Copy, Debug)]
enum Dependency {
    S3,
    Postgres,
    Redis,
}

/// Two nodes, and the way to one of their dependencies.
struct Nodes {
    one: App,
    other: App,
    gate: Gate,
    _name: TempDir,
}

impl Nodes {
    async fn start(dependency: Dependency) -> Option<Self> {
        if !backends::have_services(&format!("{dependency:?} in trouble")) {
            return None;
        }
        let name = TempDir::new().unwrap();
        let mut config = Config::default();
        backends::use_services(&mut config, name.path()).await;
        let StorageKind::S3(s3) = &mut config.storage.kind else {
            panic!("it is a bucket")
        };
        s3.requests.lookup_attempt = Duration::from_millis(500);
        s3.requests.lookup = Duration::from_secs(1);
        s3.requests.put = Duration::from_secs(2);
        s3.requests.stall = Duration::from_secs(1);
        config.database.timeout = Duration::from_secs(1);
        let gate = match dependency {
            Dependency::S3 => {
                let gate = Gate::to(s3.endpoint.trim_start_matches("http://").to_owned()).await;
                s3.endpoint = format!("http://{}", gate.address);
                gate
            }
            Dependency::Redis => {
                let url = config.cache.redis_url.reveal();
                let gate = Gate::to(url.trim_start_matches("redis://").to_owned()).await;
                config.cache.redis_url = format!("redis://{}", gate.address).as_str().into();
                gate
            }
            Dependency::Postgres => {
                let url = config.database.url.reveal();
                let (place, folder) = url.split_once("?host=").unwrap();
                let (_, database) = place.rsplit_once('/').unwrap();
                let gate = Gate::to(format!("{folder}/.s.PGSQL.5432")).await;
                let url = format!(
                    "postgres://postgres@{}/{database}?sslmode=disable",
                    gate.address
                );
                config.database.url = url.as_str().into();
                gate
            }
        };
        let start = async || {
            App::with(|own| {
                own.storage = config.storage.clone();
                own.database = config.database.clone();
                own.cache = config.cache.clone();
                own.upload.slot_wait = Duration::from_secs(5);
            })
            .await
        };
        Some(Self {
            one: start().await,
            other: start().await,
            gate,
            _name: name,
        })
    }

    /// Sends a request to both nodes.
    async fn both(&self, method: Method, path: &str) -> [StatusCode; 2] {
        let ask = async |node: &App| {
            let answer = node.request(method.clone(), path).send().await.unwrap();
            let status = answer.status();
            // The body may be cut, which is right where the store breaks off in the middle.
            drop(answer.bytes().await);
            status
        };
        tokio::join!(ask(&self.one), ask(&self.other)).into()
    }
}

fn key(way: Way, number: usize) -> String {
    format!("{way:?}{number}.pdb/{ID}/{way:?}{number}.sym")
}

fn archive(way: Way, number: usize) -> Vec<u8> {
    let text = sym(&format!("{way:?}{number}.pdb"), ID, 50);
    Zip::new().file(&key(way, number), text).bytes()
}

async fn is_uploaded(node: &App, archive: Vec<u8>) -> bool {
    let answer = node.upload(archive).await;
    let is_fine = answer.status == StatusCode::CREATED;
    let is_told_to_retry = answer.status.is_server_error() && answer.retry_after.is_some();
    assert!(is_fine || is_told_to_retry, "{answer:?}");
    is_fine
}

impl Nodes {
    /// Lets the dependency be in trouble in one way, and gives the time until everything is good again.
    async fn survive(&self, way: Way) -> Duration {
        for number in 0..FILES {
            assert!(is_uploaded(&self.one, archive(way, number)).await);
        }
        // One is remembered, the others are not.
        self.both(Method::GET, &format!("/{}", key(way, 0))).await;
        self.gate.set(way);
        let mut answers = Vec::new();
        for number in 0..FILES {
            let path = format!("/{}", key(way, number));
            answers.extend(self.both(Method::GET, &path).await);
            answers.extend(self.both(Method::HEAD, &path).await);
        }
        let is_taken = is_uploaded(&self.other, archive(way, FILES)).await;
        let allowed = [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE];
        let is_right = answers.iter().all(|status| allowed.contains(status));
        assert!(is_right, "{way:?}: {answers:?}");
        self.gate.set(Way::Open);
        let start = Instant::now();
        for node in [&self.one, &self.other] {
            let files = FILES + usize::from(is_taken);
            is_good_again(node, way, files).await;
        }
        start.elapsed()
    }
}

/// Waits until a node answers with every file, and takes uploads.
async fn is_good_again(node: &App, way: Way, files: usize) {
    eventually("every file is there again", async || {
        let mut are_there = true;
        for number in 0..files {
            let status = node.status(&format!("/{}", key(way, number))).await;
            assert_ne!(status, StatusCode::NOT_FOUND, "{way:?} {number}");
            are_there &= status == StatusCode::OK;
        }
        are_there
    })
    .await;
    eventually("uploads are taken again", async || {
        is_uploaded(node, archive(way, FILES)).await
    })
    .await;
}

async fn no_fault_of_it_is_taken_for_absence(dependency: Dependency) {
    let Some(nodes) = Nodes::start(dependency).await else {
        return;
    };
    let mut slowest = (Duration::ZERO, Way::Open);
    for way in WAYS {
        let time = nodes.survive(way).await;
        if time > slowest.0 {
            slowest = (time, way);
        }
    }
    for node in [&nodes.one, &nodes.other] {
        let missing = node.missing().await;
        assert!(missing.is_empty(), "{dependency:?}: {missing:?}");
    }
    let (time, way) = slowest;
    tell(&format!(
        "{dependency:?} in trouble in {} ways: never 404, nothing counted as missing, good again after {time:.1?} at \
         most ({way:?})",
        WAYS.len()
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_of_s3_is_taken_for_absence() {
    no_fault_of_it_is_taken_for_absence(Dependency::S3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_of_postgresql_is_taken_for_absence() {
    no_fault_of_it_is_taken_for_absence(Dependency::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_of_redis_is_taken_for_absence() {
    no_fault_of_it_is_taken_for_absence(Dependency::Redis).await;
}
