//! Verifying real directories, with faults between them and the walk.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32};

use async_trait::async_trait;
use bytes::Bytes;
use sha2::Digest;
use symbols::Sha256;
use tempfile::TempDir;

use super::*;
use crate::storage::{
    self, Address, DiskConfig, Fetched, Listing, ObjectInfo, ObjectMeta, Storage, StorageKind,
};

const SETTINGS: VerificationSettings = VerificationSettings {
    since: None,
    rate: ByteSize(u64::MAX),
    repair: Repair::Nothing,
};

struct Place {
    root: TempDir,
    storage: Arc<dyn Storage>,
    inventory: Arc<dyn Inventory>,
}

impl Place {
    async fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let kind = StorageKind::Disk(DiskConfig::default());
        Self {
            storage: storage::open(&kind, root.path()).await.unwrap(),
            inventory: storage::open_inventory(&kind, root.path()).await.unwrap(),
            root,
        }
    }

    async fn put(&self, path: &str, bytes: &'static [u8]) {
        let meta = ObjectMeta {
            original_sha256: Some(Sha256::new(sha2::Sha256::digest(bytes).into())),
            ..ObjectMeta::default()
        };
        let payload = Bytes::from_static(bytes).into();
        self.storage.put(path, payload, meta).await.unwrap();
    }

    fn file(&self, path: &str) -> std::path::PathBuf {
        self.root.path().join("objects").join(path)
    }

    fn verification(&self, settings: VerificationSettings) -> Verification {
        verification(Arc::clone(&self.inventory), settings)
    }
}

fn verification(inventory: Arc<dyn Inventory>, settings: VerificationSettings) -> Verification {
    let layouts = vec![Layout::breakpad("v1"), Layout::breakpad("v1/try")];
    Verification::new(inventory, layouts, settings)
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    bytes[0] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Two whole objects, a flipped one, a cut one, one without a digest, one that is no symbol, and a symcache.
async fn mixed() -> Place {
    let place = Place::new().await;
    for path in [
        "v1/a/AB/a.sym",
        "v1/try/a/AB/a.sym",
        "v1/a/AB/flipped.sym",
        "v1/try/a/AB/cut.sym",
        "v1/readme.txt",
        "v1/.symcache/1-9/a/AB/0123.symc",
    ] {
        place.put(path, b"text").await;
    }
    let bare = Bytes::from_static(b"bare").into();
    let put = place
        .storage
        .put("v1/b/AB/b.sym", bare, ObjectMeta::default());
    put.await.unwrap();
    flip(&place.file("v1/a/AB/flipped.sym"));
    fs::write(place.file("v1/try/a/AB/cut.sym"), "te").unwrap();
    place
}

fn paths(problems: &Problems) -> Vec<&str> {
    let mut paths: Vec<_> = problems.first.iter().map(|it| it.path.as_str()).collect();
    paths.sort_unstable();
    paths
}

const DAMAGED: [&str; 2] = ["v1/a/AB/flipped.sym", "v1/try/a/AB/cut.sym"];

#[tokio::test]
async fn every_object_is_compared_and_damage_is_only_told() {
    let place = mixed().await;
    let mut told = 0;
    let (report, end) = place.verification(SETTINGS).run(|_| told += 1).await;
    assert_eq!(end, End::Whole);
    assert_eq!(
        (report.intact, report.without_digest, report.checked()),
        (2, 1, 5)
    );
    assert_eq!(paths(&report.damaged), DAMAGED);
    assert_eq!(paths(&report.foreign), ["v1/readme.txt"]);
    assert_eq!((report.unreadable.count, report.set_aside.count), (0, 0));
    assert!(told >= 6, "{told}");
    for path in DAMAGED {
        assert!(place.file(path).exists());
    }
}

#[tokio::test]
async fn a_repair_sets_damaged_objects_aside_and_nothing_else() {
    let place = mixed().await;
    let repair = VerificationSettings {
        repair: Repair::SetAside,
        ..SETTINGS
    };
    let (report, _) = place.verification(repair).run(|_| {}).await;
    assert_eq!((report.damaged.count, report.damaged()), (0, 2));
    assert_eq!(paths(&report.set_aside), DAMAGED);
    for path in DAMAGED {
        assert_eq!(place.storage.head(path).await.unwrap(), None);
        assert!(place.file(&format!(".damaged/{path}")).exists());
    }
    assert!(place.file("v1/readme.txt").exists());
    let (report, _) = place.verification(SETTINGS).run(|_| {}).await;
    assert_eq!(
        (report.intact, report.without_digest, report.checked()),
        (2, 1, 3)
    );
}

#[tokio::test]
async fn only_objects_since_a_time_are_read() {
    let place = mixed().await;
    let old = place.file("v1/a/AB/flipped.sym");
    let old = fs::File::options().write(true).open(old).unwrap();
    old.set_modified(std::time::UNIX_EPOCH).unwrap();
    let since = VerificationSettings {
        since: Some(OffsetDateTime::UNIX_EPOCH + time::Duration::DAY),
        ..SETTINGS
    };
    let (report, _) = place.verification(since).run(|_| {}).await;
    assert_eq!((report.older, report.checked()), (1, 4));
    assert_eq!(paths(&report.damaged), ["v1/try/a/AB/cut.sym"]);
}

/// A place that fails as the test wants.
#[derive(Debug)]
struct Faulty {
    sound: Arc<dyn Inventory>,
    /// So many fetches come with other bytes.
    flipped: AtomicU32,
    is_away: AtomicBool,
    fetches: AtomicU32,
}

impl Faulty {
    fn new(place: &Place) -> Arc<Self> {
        Arc::new(Self {
            sound: Arc::clone(&place.inventory),
            flipped: AtomicU32::new(0),
            is_away: AtomicBool::new(false),
            fetches: AtomicU32::new(0),
        })
    }
}

#[async_trait]
impl ObjectSource for Faulty {
    fn name(&self) -> &str {
        self.sound.name()
    }

    fn location(&self) -> &str {
        self.sound.location()
    }

    async fn head(&self, path: &str) -> Result<Option<ObjectInfo>, StorageError> {
        self.sound.head(path).await
    }

    async fn fetch(
        &self,
        path: &str,
        range: Option<Range<u64>>,
    ) -> Result<Option<Fetched>, StorageError> {
        self.fetches.fetch_add(1, Ordering::Relaxed);
        if self.is_away.load(Ordering::Relaxed) {
            return Err(StorageError::Unavailable {
                storage: "the test's".to_owned(),
                reason: "the test wants it so".to_owned(),
            });
        }
        let fetched = self.sound.fetch(path, range).await?;
        let left = self.flipped.load(Ordering::Relaxed);
        if left == 0 {
            return Ok(fetched);
        }
        self.flipped.store(left - 1, Ordering::Relaxed);
        Ok(fetched.map(|mut fetched| {
            fetched.info.meta.original_sha256 = Some(Sha256::new([0; 32]));
            fetched
        }))
    }

    async fn address(&self, path: &str) -> Result<Option<Address>, StorageError> {
        self.sound.address(path).await
    }

    async fn check(&self) -> Result<(), StorageError> {
        self.sound.check().await
    }
}

#[async_trait]
impl Inventory for Faulty {
    fn list(&self, folder: &str) -> Listing {
        self.sound.list(folder)
    }

    async fn set_aside(&self, listed: &Listed) -> Result<SetAside, StorageError> {
        self.sound.set_aside(listed).await
    }
}

const REPAIR: VerificationSettings = VerificationSettings {
    repair: Repair::SetAside,
    ..SETTINGS
};

#[tokio::test]
async fn a_reading_that_is_wrong_once_is_no_damage() {
    let place = Place::new().await;
    place.put("v1/a/AB/a.sym", b"text").await;
    let faulty = Faulty::new(&place);
    faulty.flipped.store(1, Ordering::Relaxed);
    let (report, _) = verification(faulty, REPAIR).run(|_| {}).await;
    assert_eq!((report.unreadable.count, report.damaged()), (1, 0));
    assert!(place.file("v1/a/AB/a.sym").exists());
}

#[tokio::test]
async fn a_storage_that_is_away_is_given_up_and_nothing_is_called_damaged() {
    let place = Place::new().await;
    for number in 0..100 {
        place.put(&format!("v1/a/AB/{number}.sym"), b"text").await;
    }
    let faulty = Faulty::new(&place);
    faulty.is_away.store(true, Ordering::Relaxed);
    let inventory = Arc::clone(&faulty);
    let (report, end) = verification(inventory, REPAIR).run(|_| {}).await;
    assert_eq!((end, report.damaged()), (End::GaveUp, 0));
    assert_eq!(report.unreadable.count, u64::from(UNREADABLE));
    assert!(faulty.fetches.load(Ordering::Relaxed) < 30);
}

#[tokio::test(start_paused = true)]
async fn reading_takes_the_time_that_its_rate_allows() {
    let place = Place::new().await;
    for number in 0..11 {
        place.put(&format!("v1/a/AB/{number}.sym"), b"text").await;
    }
    let slow = VerificationSettings {
        rate: ByteSize(COST / 2),
        ..SETTINGS
    };
    let start = tokio::time::Instant::now();
    let (report, _) = place.verification(slow).run(|_| {}).await;
    assert_eq!(report.intact, 11);
    assert_eq!(start.elapsed().as_secs(), 22, "two seconds for each");
}
