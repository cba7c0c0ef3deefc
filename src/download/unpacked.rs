//! Files that were unpacked from cabinets, kept for a while.
//!
//! Debuggers that start together ask for one file at once, and a client whose connection broke asks for the rest of it.
//! A file is unpacked once for all of them: requests during the unpacking wait for its result, and later ones get the
//! same temporary file. Kept files are bounded in bytes, number and time; the file with the oldest request goes first.
//! A failure goes to all waiting requests and is not kept.

use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytesize::ByteSize;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use super::{DownloadError, UnpackError};
use crate::background::Background;
use crate::cache::CacheKey;
use crate::metrics::{CountResult, Metrics, ResultLabel};
use crate::storage::{Fetched, FilePart, ObjectBytes, ObjectInfo, ObjectMeta};

/// The most files that are kept. Each one is an open file of the process.
const MOST_FILES: usize = 256;

/// A file that was unpacked from a cabinet.
#[derive(Debug)]
pub struct Unpacked {
    /// The file, which has no name and is gone once nobody reads it.
    file: Arc<File>,
    /// Its length in bytes.
    length: u64,
    /// The version of the cabinet that it was unpacked from.
    cabinet: ObjectInfo,
}

impl Unpacked {
    pub(super) fn new(file: File, length: u64, cabinet: ObjectInfo) -> Self {
        Self {
            file: Arc::new(file),
            length,
            cabinet,
        }
    }

    /// Its length in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The version of the cabinet that it was unpacked from.
    #[must_use]
    pub fn cabinet(&self) -> &ObjectInfo {
        &self.cabinet
    }

    /// Reads a range of it, which must lie within its length.
    #[must_use]
    pub fn read(&self, range: Range<u64>) -> Fetched {
        let part = FilePart::of_temporary(Arc::clone(&self.file), range.clone());
        Fetched {
            info: ObjectInfo {
                stored_size: self.length,
                modified_at: self.cabinet.modified_at,
                version: None,
                inode: None,
                meta: ObjectMeta::default(),
            },
            range,
            bytes: ObjectBytes::File(part),
        }
    }
}

/// What comes of unpacking, for everybody who waits for it.
type Unpacking = Shared<BoxFuture<'static, Result<Arc<Unpacked>, DownloadError>>>;

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeepLimits {
    /// The most bytes of all kept files together.
    pub(super) bytes: ByteSize,
    /// How long a file is kept after it was unpacked.
    pub(super) time: Duration,
}

/// The files that are being unpacked or kept. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct UnpackedFiles {
    limits: KeepLimits,
    held: Arc<Mutex<Shelf>>,
    background: Background,
    metrics: Metrics,
}

#[derive(Debug, Default)]
struct Shelf {
    entries: HashMap<CacheKey, Entry>,
    /// Rises with every request, so it tells which of two was later.
    requests: u64,
    /// The bytes of all kept files.
    bytes: u64,
}

#[derive(Debug)]
struct Entry {
    unpacking: Unpacking,
    /// The request that began it: another entry of the same key has another one.
    begun_by: u64,
    /// The last request that asked for it.
    asked_by: u64,
    /// The file's length; `None` while it is being unpacked.
    kept: Option<u64>,
}

impl UnpackedFiles {
    pub(super) fn new(limits: KeepLimits, background: Background, metrics: Metrics) -> Self {
        // Both results are shown from the start, so that a rate of them exists before the first request.
        for result in ["unpacked", "shared"] {
            drop(
                metrics
                    .unpacked_files
                    .get_or_create(&ResultLabel { result }),
            );
        }
        Self {
            limits,
            held: Arc::default(),
            background,
            metrics,
        }
    }

    /// The file of this key. If it is neither kept nor being unpacked, `unpack` begins in a background task, so that a
    /// client that disconnects does not end what others wait for.
    pub(super) async fn get_or_unpack<F, U>(
        &self,
        key: CacheKey,
        unpack: F,
    ) -> Result<Arc<Unpacked>, DownloadError>
    where
        F: FnOnce() -> U,
        U: Future<Output = Result<Unpacked, DownloadError>> + Send + 'static,
    {
        let (unpacking, result) = {
            let mut held = self.held();
            held.requests += 1;
            let request = held.requests;
            if let Some(entry) = held.entries.get_mut(&key) {
                entry.asked_by = request;
                (entry.unpacking.clone(), "shared")
            } else {
                let unpacking = self.begin(key.clone(), request, unpack());
                let entry = Entry {
                    unpacking: unpacking.clone(),
                    begun_by: request,
                    asked_by: request,
                    kept: None,
                };
                held.entries.insert(key, entry);
                (unpacking, "unpacked")
            }
        };
        self.metrics.unpacked_files.count(result);
        unpacking.await
    }

    /// Unpacks in the background once the result is waited for.
    fn begin(
        &self,
        key: CacheKey,
        number: u64,
        unpack: impl Future<Output = Result<Unpacked, DownloadError>> + Send + 'static,
    ) -> Unpacking {
        let (files, kept_key) = (self.clone(), key.clone());
        let task = async move {
            let unpacked = unpack.await.map(Arc::new);
            match &unpacked {
                Ok(file) => files.keep(kept_key, number, file.length),
                Err(_) => files.drop_entry(&kept_key, number),
            }
            unpacked
        };
        let files = self.clone();
        let unpacking = async move {
            let ended = files.background.run(task).await;
            ended.unwrap_or_else(|panic| {
                files.drop_entry(&key, number);
                Err(UnpackError::Cabinet(panic.to_string()).into())
            })
        };
        unpacking.boxed().shared()
    }

    /// Keeps a file that has been unpacked, until its time is over or others need its room.
    fn keep(&self, key: CacheKey, number: u64, length: u64) {
        let mut held = self.held();
        if let Some(entry) = held.entries.get_mut(&key) {
            entry.kept = Some(length);
            held.bytes += length;
        }
        held.make_room(self.limits.bytes.as_u64());
        self.measure(&held);
        drop(held);
        let (files, time) = (self.clone(), self.limits.time);
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            files.drop_entry(&key, number);
        });
    }

    fn drop_entry(&self, key: &CacheKey, number: u64) {
        let mut held = self.held();
        let is_same = |entry: &Entry| entry.begun_by == number;
        if held.entries.get(key).is_some_and(is_same) {
            held.remove(key);
            self.measure(&held);
        }
    }

    fn measure(&self, held: &Shelf) {
        let bytes = i64::try_from(held.bytes).unwrap_or(i64::MAX);
        self.metrics.unpacked_bytes.set(bytes);
    }

    /// A panic elsewhere cannot have left it inconsistent.
    fn held(&self) -> MutexGuard<'_, Shelf> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    /// Removes kept files, those first that were asked for longest ago, until the rest is within the limits.
    fn make_room(&mut self, limit: u64) {
        loop {
            let kept = self
                .entries
                .iter()
                .filter(|(_, entry)| entry.kept.is_some());
            if self.bytes <= limit && kept.clone().count() <= MOST_FILES {
                return;
            }
            let Some((oldest, _)) = kept.min_by_key(|(_, entry)| entry.asked_by) else {
                return;
            };
            let oldest = oldest.clone();
            self.remove(&oldest);
        }
    }

    fn remove(&mut self, key: &CacheKey) {
        let removed = self.entries.remove(key);
        self.bytes -= removed.and_then(|entry| entry.kept).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;
    use tokio::sync::Semaphore;

    use super::*;

    const TIME: Duration = Duration::from_mins(10);

    fn files(bytes: u64) -> UnpackedFiles {
        let limits = KeepLimits {
            bytes: ByteSize::b(bytes),
            time: TIME,
        };
        UnpackedFiles::new(limits, Background::current(), Metrics::default())
    }

    fn key(name: &str) -> CacheKey {
        CacheKey::new("unpacked", &[name])
    }

    fn unpacked(length: u64) -> Unpacked {
        let cabinet = ObjectInfo {
            meta: ObjectMeta::default(),
            stored_size: 1,
            modified_at: OffsetDateTime::UNIX_EPOCH,
            version: None,
            inode: None,
        };
        Unpacked::new(tempfile::tempfile().unwrap(), length, cabinet)
    }

    /// Asks for a file, and returns whether it had to be unpacked.
    async fn ask(files: &UnpackedFiles, name: &str, length: u64) -> bool {
        let mut was_unpacked = false;
        let unpack = || {
            was_unpacked = true;
            async move { Ok(unpacked(length)) }
        };
        files.get_or_unpack(key(name), unpack).await.unwrap();
        was_unpacked
    }

    #[tokio::test]
    async fn all_who_ask_at_once_wait_for_one_unpacking() {
        let files = files(100);
        let gate = Arc::new(Semaphore::new(0));
        let ask = || {
            let gate = Arc::clone(&gate);
            files.get_or_unpack(key("x"), || async move {
                let _permit = gate.acquire_owned().await;
                Ok(unpacked(7))
            })
        };
        let asking = futures_util::future::join_all((0..12).map(|_| ask()));
        let opening = async { gate.add_permits(12) };
        let (answers, ()) = futures_util::future::join(asking, opening).await;
        let first = answers[0].as_ref().unwrap();
        assert!(
            answers
                .iter()
                .all(|one| Arc::ptr_eq(one.as_ref().unwrap(), first))
        );
        let count = |result| {
            let counted = files
                .metrics
                .unpacked_files
                .get_or_create(&ResultLabel { result });
            counted.get()
        };
        assert_eq!((count("unpacked"), count("shared")), (1, 11));
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_is_kept_for_its_time() {
        let files = files(100);
        assert!(ask(&files, "x", 7).await);
        tokio::time::sleep(TIME.saturating_sub(Duration::from_secs(1))).await;
        assert!(!ask(&files, "x", 7).await);
        assert_eq!(files.metrics.unpacked_bytes.get(), 7);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(files.metrics.unpacked_bytes.get(), 0);
        assert!(ask(&files, "x", 7).await);
    }

    #[tokio::test]
    async fn the_one_asked_for_longest_ago_makes_room() {
        let files = files(100);
        assert!(ask(&files, "a", 40).await);
        assert!(ask(&files, "b", 40).await);
        assert!(!ask(&files, "a", 40).await);
        assert!(ask(&files, "c", 40).await);
        assert!(!ask(&files, "a", 40).await);
        assert_eq!(files.metrics.unpacked_bytes.get(), 80);
        assert!(ask(&files, "b", 40).await);
        assert!(ask(&files, "large", 101).await, "it is sent and not kept");
        assert!(files.metrics.unpacked_bytes.get() <= 100);
        for number in 0..=MOST_FILES {
            ask(&files, &number.to_string(), 0).await;
        }
        assert!(files.held().entries.len() <= MOST_FILES);
    }

    #[tokio::test]
    async fn failures_and_panics_are_not_kept() {
        let files = files(100);
        let failed = files.get_or_unpack(key("x"), || async { Err(DownloadError::NotFound) });
        assert!(matches!(failed.await, Err(DownloadError::NotFound)));
        let panicked = files.get_or_unpack(key("x"), || async { panic!("on purpose") });
        assert!(matches!(panicked.await, Err(DownloadError::Unpack(_))));
        assert!(ask(&files, "x", 7).await);
    }
}
