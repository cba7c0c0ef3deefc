//! Uploads during which the n-th call of the storage or of the database fails, for every n.
//!
//! Whatever fails, the answer is 503, what lies in the bucket is whole, nothing is recorded as completed, and the same
//! upload sent again ends with 201 and skips exactly what is there.

use std::io::Read as _;
use std::sync::Arc;

use flate2::read::GzDecoder;
use reqwest::StatusCode;
use serde_json::json;
use sha2::{Digest, Sha256};
use symbold::db::Database;
use symbold::db::uploads::UploadState;
use symbold::storage::Storage;
use symbold::upload::Overwrite;

use crate::support::faults::{Fault, Faults, wrap};
use crate::support::{Answer, App, ID, Zip, bytes_of, eventually, random_bytes, sym};

/// More calls than any of these uploads makes.
const MANY: usize = 100;

/// More numbers than are skipped between two records.
const GAP: i64 = 10;

struct Place {
    app: App,
    storage: Arc<dyn Storage>,
    database: Arc<dyn Database>,
    storage_faults: Arc<Faults>,
    database_faults: Arc<Faults>,
}

/// An upload of a module of its own, some of whose files were uploaded before.
struct Release {
    /// Keys with the bytes that the upload before has brought, if it has, and those of this one.
    files: Vec<(String, Option<Vec<u8>>, Vec<u8>)>,
}

impl Release {
    fn new(name: &str) -> Self {
        let pdb = format!("{name}.pdb");
        let key = |file: &str| format!("{pdb}/{ID}/{name}{file}");
        let unchanged = random_bytes(900, 3);
        Self {
            files: vec![
                (key(".sym"), None, sym(&pdb, ID, 200)),
                (key(".dl_"), Some(unchanged.clone()), unchanged),
                (
                    key(".pd_"),
                    Some(random_bytes(700, 1)),
                    random_bytes(700, 2),
                ),
                (key(".dbg.gz"), None, random_bytes(500, 4)),
            ],
        }
    }

    fn before(&self) -> Zip {
        let known = self
            .files
            .iter()
            .filter_map(|(key, old, _)| Some((key, old.as_ref()?)));
        known.fold(Zip::new(), |zip, (key, bytes)| zip.stored(key, bytes))
    }

    fn archive(&self) -> Zip {
        self.files
            .iter()
            .fold(Zip::new(), |zip, (key, _, bytes)| zip.file(key, bytes))
    }
}

impl Place {
    async fn open(overwrite: Overwrite) -> Self {
        let (storage_faults, database_faults) = (Faults::none(), Faults::none());
        let mut sound = None;
        let app = App::wrapped(
            // One file after the other, so that the calls have an order.
            |config| {
                config.upload.stores = 1;
                config.upload.overwrite = overwrite;
            },
            |adaptors| {
                sound = Some((
                    Arc::clone(&adaptors.storage),
                    Arc::clone(&adaptors.database),
                ));
                wrap(adaptors, &storage_faults, &database_faults)
            },
        )
        .await;
        let (storage, database) = sound.unwrap();
        Self {
            app,
            storage,
            database,
            storage_faults,
            database_faults,
        }
    }

    /// The original bytes of the object of a key, which is whole and says of itself what is true.
    async fn stored(&self, key: &str) -> Option<Vec<u8>> {
        let fetched = self
            .storage
            .fetch(&format!("v1/{key}"), None)
            .await
            .unwrap()?;
        let (meta, stored_size) = (fetched.info.meta.clone(), fetched.info.stored_size);
        let bytes = bytes_of(fetched).await;
        assert_eq!(bytes.len() as u64, stored_size, "{key}");
        let mut original = bytes;
        if meta.is_gzipped {
            let gzipped = std::mem::take(&mut original);
            GzDecoder::new(gzipped.as_slice())
                .read_to_end(&mut original)
                .unwrap();
        }
        let is_text = original.starts_with(b"MODULE");
        assert_eq!(meta.is_gzipped, is_text, "{key}");
        assert_eq!(meta.original_size, Some(original.len() as u64), "{key}");
        let digest = symbols::Sha256::new(Sha256::digest(&original).into());
        assert_eq!(meta.original_sha256, Some(digest), "{key}");
        Some(original)
    }

    /// The numbers of all completed uploads, and of those that are still pending.
    async fn records(&self) -> (Vec<i64>, Vec<i64>) {
        let (mut completed, mut pending) = (Vec::new(), Vec::new());
        let (mut id, mut last) = (0, 0);
        while id < last + GAP {
            id += 1;
            let Some((record, _)) = self.database.upload(id).await.unwrap() else {
                continue;
            };
            last = id;
            match record.state {
                UploadState::Completed(_) => completed.push(id),
                UploadState::Pending => pending.push(id),
                UploadState::Failed(_) => {}
            }
        }
        (completed, pending)
    }

    /// Sends an upload again until nothing of the first attempt is in its way.
    async fn retry(&self, release: &Release) -> Answer {
        let answer = tokio::sync::Mutex::new(None);
        eventually("the upload is not contended", async || {
            let again = self.app.upload(release.archive()).await;
            let is_contended = again.code() == "contended";
            *answer.lock().await = Some(again);
            !is_contended
        })
        .await;
        answer.into_inner().unwrap()
    }

    /// Uploads a release while calls fail, and tells whether one did.
    async fn survives(
        &self,
        what: &str,
        faults: &Faults,
        failing: std::ops::Range<usize>,
        fault: Fault,
    ) -> bool {
        let release =
            Release::new(&what.replace(|character: char| !character.is_alphanumeric(), "_"));
        let before = self.app.upload(release.before()).await;
        assert_eq!(before.status, StatusCode::CREATED, "{what}: {before:?}");
        let (completed, _) = self.records().await;

        let is_outage = failing.len() > 1;
        faults.fail(failing, fault);
        let answer = self.app.upload(release.archive()).await;
        let struck = faults.heal();
        let mut skipped = Vec::new();
        for (key, old, new) in &release.files {
            let stored = self.stored(key).await;
            assert!(
                stored == *old || stored.as_ref() == Some(new),
                "{what}: {key}"
            );
            if stored.as_ref() == Some(new) {
                skipped.push(key.clone());
            }
        }
        if answer.status == StatusCode::CREATED {
            let is_completion = fault == Fault::AnswerLost
                && std::ptr::eq(faults, &raw const *self.database_faults);
            assert!(struck == 0 || is_completion, "{what}: {answer:?}");
            assert_eq!(skipped.len(), release.files.len(), "{what}");
        } else {
            assert_eq!(
                answer.status,
                StatusCode::SERVICE_UNAVAILABLE,
                "{what}: {answer:?}"
            );
            assert!(answer.retry_after.is_some(), "{what}");
            // With the database away from the completion on, no node can know that it was carried out.
            let is_unknown = is_outage && fault == Fault::AnswerLost;
            assert!(is_unknown || self.records().await.0 == completed, "{what}");
            let again = self.retry(&release).await;
            assert_eq!(again.status, StatusCode::CREATED, "{what}: {again:?}");
            assert_eq!(
                again.json["upload"]["skipped_keys"],
                json!(skipped),
                "{what}"
            );
        }
        for (key, _, new) in &release.files {
            assert_eq!(self.app.fetch(key).await, *new, "{what}: {key}");
        }
        eventually("nothing is pending", async || {
            self.records().await.1.is_empty()
        })
        .await;
        struck > 0
    }
}

/// Lets every call in turn fail, alone or with all that follow, until an upload meets no failure.
async fn every_call_fails_in_turn(
    overwrite: Overwrite,
    faults: impl Fn(&Place) -> &Arc<Faults>,
    calls: usize,
) {
    let place = Place::open(overwrite).await;
    let faults = Arc::clone(faults(&place));
    for fault in [Fault::Refused, Fault::AnswerLost] {
        for length in [1, MANY] {
            let mut number = 0;
            let what = |number| format!("{overwrite:?} {fault:?} {length} from {number}");
            while place
                .survives(&what(number), &faults, number..number + length, fault)
                .await
            {
                number += 1;
            }
            assert_eq!(number, calls, "an upload makes as many calls");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_storage_fails_at_any_moment() {
    // A lookup of each of four files; three of them are stored, and the one that is skipped is made durable.
    every_call_fails_in_turn(Overwrite::Allow, |place| &place.storage_faults, 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_storage_fails_at_any_moment_where_files_are_protected() {
    // All four are looked up before the first is stored, too.
    every_call_fails_in_turn(Overwrite::SameUploader, |place| &place.storage_faults, 12).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_fails_at_any_moment() {
    // The token, the beginning and the completion.
    every_call_fails_in_turn(Overwrite::Allow, |place| &place.database_faults, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_fails_at_any_moment_where_files_are_protected() {
    // Who stored the changed file is asked, too.
    every_call_fails_in_turn(Overwrite::SameUploader, |place| &place.database_faults, 4).await;
}
