//! What a server has acknowledged, and whether it still has it.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, StatusCode};

use crate::support::{ID, PATIENCE, Zip, eventually, random_bytes, sym};

/// How many clients upload at once.
const CLIENTS: usize = 4;

/// How many files a client uploads that nobody has uploaded before.
const NEW: u64 = 3;

/// How many files of earlier rounds are looked at after a round.
const SAMPLE: usize = 50;

/// A file, made of its number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct File(u64);

impl File {
    pub(crate) fn key(self) -> String {
        let (number, ending) = (
            self.0,
            if self.0.is_multiple_of(2) {
                "sym"
            } else {
                "dl_"
            },
        );
        format!("m{number}.pdb/{ID}/m{number}.{ending}")
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        let size = u32::try_from(self.0 * 37 % 900).unwrap();
        if self.0.is_multiple_of(2) {
            return sym(&format!("m{}.pdb", self.0), ID, size);
        }
        random_bytes(100 * size as usize, self.0)
    }
}

/// The files in the order of their first acknowledgement.
#[derive(Default)]
struct Acknowledged {
    files: Vec<File>,
    numbers: HashSet<u64>,
}

impl Acknowledged {
    fn add(&mut self, files: &[File]) {
        let new = files.iter().filter(|file| self.numbers.insert(file.0));
        self.files.extend(new);
    }
}

/// The files that a server has acknowledged.
pub(crate) struct Ledger {
    client: Client,
    token: String,
    next: AtomicU64,
    acknowledged: Mutex<Acknowledged>,
    checked: AtomicU64,
}

impl Ledger {
    pub(crate) fn new(token: String) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().tls_certs_only([]).no_proxy();
        Self {
            client: client.timeout(PATIENCE).build().unwrap(),
            token,
            next: AtomicU64::new(0),
            acknowledged: Mutex::default(),
            checked: AtomicU64::new(0),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.acknowledged.lock().unwrap().files.len()
    }

    pub(crate) fn checked(&self) -> u64 {
        self.checked.load(Ordering::Relaxed)
    }

    /// Uploads from several clients until some time after the first acknowledgement; all of them bring some of the same
    /// files, so that they skip what another has just stored.
    pub(crate) async fn upload_for(&self, url: &str, time: Duration) {
        let before = self.len();
        let uploads = (0..CLIENTS).map(|_| self.upload_on(url));
        let time_is_over = async {
            eventually("an upload is acknowledged", async || self.len() > before).await;
            tokio::time::sleep(time).await;
        };
        tokio::select! {
            _ = futures_util::future::join_all(uploads) => panic!("the server has gone"),
            () = time_is_over => {}
        }
    }

    async fn upload_on(&self, url: &str) {
        loop {
            let first = self.next.fetch_add(NEW, Ordering::Relaxed);
            let common = first.saturating_sub(first % (NEW * CLIENTS as u64));
            let files = (first..first + NEW).chain([common]).map(File);
            let files: Vec<_> = files.collect();
            match self.upload(url, &files).await {
                Ok(StatusCode::CREATED) => self.acknowledged.lock().unwrap().add(&files),
                Ok(status) => assert!(is_refused_for_now(status), "{status}"),
                Err(error) => panic!("the server lives: {error}"),
            }
        }
    }

    async fn upload(&self, url: &str, files: &[File]) -> reqwest::Result<StatusCode> {
        let mut zip = Zip::new();
        let mut names = HashSet::new();
        for file in files.iter().filter(|file| names.insert(file.0)) {
            zip = zip.file(&file.key(), file.bytes());
        }
        let part = Part::bytes(zip.bytes()).file_name("symbols.zip");
        let request = self.client.post(format!("{url}/upload/"));
        let request = request.header("Auth-Token", &self.token);
        let form = Form::new().part("symbols.zip", part);
        Ok(request.multipart(form).send().await?.status())
    }

    /// Checks that every file that was acknowledged since there were `before` of them is there and whole, and a sample
    /// of the others.
    pub(crate) async fn check_since(&self, url: &str, before: usize) {
        let files = {
            let all = &self.acknowledged.lock().unwrap().files;
            let step = (before / SAMPLE).max(1);
            let earlier = all[..before].iter().step_by(step);
            earlier.chain(&all[before..]).copied().collect::<Vec<_>>()
        };
        let checks = stream::iter(files).map(|file| self.check(url, file));
        checks.buffer_unordered(8).collect::<()>().await;
    }

    async fn check(&self, url: &str, file: File) {
        let answer = self
            .client
            .get(format!("{url}/{}", file.key()))
            .send()
            .await;
        let answer = answer.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{file:?} was acknowledged");
        let bytes = answer.bytes().await.unwrap();
        assert!(bytes == file.bytes(), "{file:?} has other bytes");
        self.checked.fetch_add(1, Ordering::Relaxed);
    }
}

/// Answers after which a client tries again.
fn is_refused_for_now(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}
