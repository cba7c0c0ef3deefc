use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use bytesize::ByteSize;
use futures_util::FutureExt;
use futures_util::future::join_all;
use sha2::{Digest, Sha256 as Hasher};
use symbols::{Sha256, Store, SymbolKey};
use tempfile::TempDir;

use super::*;
use crate::cache::{CacheConfig, MemoFactory};
use crate::catalog::{Layout, UploadTarget};
use crate::clock::SystemClock;
use crate::db::SqliteDatabase;
use crate::metrics::{ReasonLabel, ResultLabel};
use crate::storage::{DiskStorage, ObjectMeta, Payload, Storage};

const ID: &str = "44E4EC8C2F41492B9369D6B9A059577C2";

/// Two functions, of which the second has this name.
fn sym(second: &str) -> Vec<u8> {
    format!(
        "MODULE windows x86_64 {ID} a.pdb\nINFO CODE_ID 5E9A1234F000 a.dll\n\
         FUNC 1000 10 0 first\nFUNC 1010 10 0 {second}\n"
    )
    .into_bytes()
}

/// A storage with symbols, for any number of nodes.
struct Cluster {
    folder: TempDir,
    storage: Arc<dyn Storage>,
    catalog: Arc<Catalog>,
}

/// One of its nodes.
struct Node {
    symcaches: Symcaches,
    metrics: Metrics,
    directory: PathBuf,
}

impl Cluster {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let objects = folder.path().join("objects");
        let storage: Arc<dyn Storage> = Arc::new(DiskStorage::open(&objects).unwrap());
        let database = SqliteDatabase::open(&folder.path().join("records")).await;
        let database = Arc::new(database.unwrap());
        let clock: SharedClock = Arc::new(SystemClock::new());
        let target = |prefix| UploadTarget::new(Arc::clone(&storage), Layout::breakpad(prefix));
        let catalog = Arc::new(Catalog::new(
            target("v1"),
            Vec::new(),
            target("try"),
            Arc::clone(&database) as _,
            database as _,
            &MemoFactory::new(&CacheConfig::default(), None, &Metrics::default(), &clock),
            Background::current(),
        ));
        Self {
            folder,
            storage,
            catalog,
        }
    }

    fn node(&self, name: &str) -> Node {
        self.node_with(name, &SymbolicationConfig::default(), StoredForm::Gzipped)
    }

    fn node_with(&self, name: &str, config: &SymbolicationConfig, form: StoredForm) -> Node {
        let metrics = Metrics::default();
        let directory = self.folder.path().join(name);
        let scratch = Scratch::open(&self.folder.path().join("scratch")).unwrap();
        let parts = SymcacheParts {
            catalog: Arc::clone(&self.catalog),
            scratch: Arc::new(scratch),
            directory: directory.clone(),
            form,
            program: "/nonexistent".into(),
            cpu: CpuPool::new(2).unwrap(),
            background: Background::current(),
            clock: Arc::new(SystemClock::new()),
            metrics: metrics.clone(),
        };
        let symcaches = Symcaches::new(config, parts).unwrap();
        Node {
            symcaches,
            metrics,
            directory,
        }
    }

    async fn put(&self, store: Store, bytes: Vec<u8>) {
        let key = SymbolKey::new("a.pdb", ID, "a.sym").unwrap();
        let target = self.catalog.upload_target(store);
        let meta = ObjectMeta {
            original_sha256: Some(Sha256::new(Hasher::digest(&bytes).into())),
            ..ObjectMeta::default()
        };
        let (path, payload) = (target.path(&key), Payload::from(Bytes::from(bytes)));
        self.storage.put(&path, payload, meta).await.unwrap();
        self.catalog.forget(target.source(), &path).await;
    }

    /// The files of the symcaches that are stored.
    fn stored(&self) -> Vec<PathBuf> {
        let root = self.folder.path().join("objects/v1/.symcache");
        files(&root)
    }

    /// Waits until a symcache is stored, which happens after the answer.
    async fn wait_until_stored(&self, count: usize) {
        while self.stored().len() < count {
            tokio::task::yield_now().await;
        }
    }
}

impl Node {
    async fn open(&self) -> Result<ModuleSymbols, SymcacheFailure> {
        self.symcaches.open("a.pdb", ID).await
    }

    /// The name at the second function's address.
    async fn second(&self) -> String {
        let ModuleSymbols::Usable(symcache) = self.open().await.unwrap() else {
            panic!("the symbols are usable");
        };
        assert_eq!(symcache.program_file.as_deref(), Some("a.dll"));
        symcache.batch().lookup(0x1010).unwrap().function.to_owned()
    }

    fn lookups(&self, result: &'static str) -> u64 {
        let label = ResultLabel { result };
        self.metrics.symcache_lookups.get_or_create(&label).get()
    }
}

fn files(folder: &std::path::Path) -> Vec<PathBuf> {
    let entries = walkdir::WalkDir::new(folder).into_iter().flatten();
    let files = entries.filter(|entry| entry.file_type().is_file());
    files.map(walkdir::DirEntry::into_path).collect()
}

#[tokio::test]
async fn a_module_is_absent_then_converted_then_open() {
    let cluster = Cluster::start().await;
    let node = cluster.node("a");
    assert!(matches!(node.open().await, Ok(ModuleSymbols::Absent)));
    let odd = node.symcaches.open("a/b", "no id").await;
    assert!(matches!(odd, Ok(ModuleSymbols::Absent)));
    cluster.put(Store::Try, sym("tried")).await;
    assert_eq!(node.second().await, "tried");
    cluster.put(Store::Regular, sym("regular")).await;
    assert_eq!(node.second().await, "regular");
    assert_eq!(node.second().await, "regular");
    let lower = node.symcaches.open("a.pdb", &ID.to_lowercase()).await;
    assert!(matches!(lower, Ok(ModuleSymbols::Usable(_))));
    let counts = ["absent", "converted", "open"].map(|result| node.lookups(result));
    assert_eq!(counts, [2, 2, 2]);
    assert!(node.metrics.render().contains("symbold_symcaches_open 2\n"));
}

#[tokio::test]
async fn other_nodes_and_restarted_ones_do_not_convert() {
    for form in [StoredForm::Plain, StoredForm::Gzipped] {
        let cluster = Cluster::start().await;
        cluster.put(Store::Regular, sym("second")).await;
        let config = SymbolicationConfig::default();
        let first = cluster.node_with("a", &config, form);
        assert_eq!(first.second().await, "second");
        cluster.wait_until_stored(1).await;
        let other = cluster.node_with("b", &config, form);
        assert_eq!(other.second().await, "second");
        assert_eq!((other.lookups("store"), other.lookups("converted")), (1, 0));
        drop(first);
        let restarted = cluster.node_with("a", &config, form);
        assert_eq!(restarted.second().await, "second");
        assert_eq!(restarted.lookups("disk"), 1);
    }
}

#[tokio::test]
async fn replaced_symbols_are_never_answered_from_the_old_symcache() {
    let cluster = Cluster::start().await;
    let (one, other) = (cluster.node("a"), cluster.node("b"));
    for number in 0..3 {
        let name = format!("version{number}");
        cluster.put(Store::Regular, sym(&name)).await;
        assert_eq!(one.second().await, name);
        assert_eq!(other.second().await, name);
    }
}

#[tokio::test]
async fn damaged_and_foreign_symcaches_are_made_again() {
    let cluster = Cluster::start().await;
    cluster.put(Store::Regular, sym("second")).await;
    let config = SymbolicationConfig::default();
    let first = cluster.node_with("first", &config, StoredForm::Plain);
    assert_eq!(first.second().await, "second");
    cluster.wait_until_stored(1).await;
    let stored = cluster.stored().remove(0);
    let good = fs::read(&stored).unwrap();
    let kept = files(&first.directory);
    let kept = kept.iter().find(|file| file.extension().is_some()).unwrap();
    let name = kept.strip_prefix(&first.directory).unwrap();
    for (number, at) in [8, 100, 4000, file::HEADER + 3].into_iter().enumerate() {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        fs::write(&stored, &bytes).unwrap();
        let node = cluster.node_with(&format!("flipped{number}"), &config, StoredForm::Plain);
        assert_eq!(node.second().await, "second");
        assert_eq!((node.lookups("store"), node.lookups("converted")), (0, 1));
        while fs::read(&stored).unwrap() != good {
            tokio::task::yield_now().await;
        }
        // The same in the node's directory.
        let kept = node.directory.join(name);
        drop(node);
        let whole = fs::read(&kept).unwrap();
        fs::write(&kept, &bytes[..whole.len() - 1]).unwrap();
        let node = cluster.node_with(&format!("flipped{number}"), &config, StoredForm::Plain);
        assert_eq!(node.second().await, "second");
        assert_eq!((node.lookups("disk"), node.lookups("store")), (0, 1));
        assert_eq!(fs::read(&kept).unwrap(), whole);
    }
    fs::write(&stored, &good[..good.len() / 2]).unwrap();
    let node = cluster.node("cut");
    assert_eq!(node.second().await, "second");
    assert_eq!(node.lookups("converted"), 1);
}

#[tokio::test]
async fn unusable_symbols_are_remembered_with_the_line() {
    let cluster = Cluster::start().await;
    let damaged = [sym("second"), b"FUNC what\n".to_vec()].concat();
    cluster.put(Store::Regular, damaged).await;
    let is_unusable = |answer: Result<ModuleSymbols, SymcacheFailure>| {
        let Ok(ModuleSymbols::Unusable(unusable)) = answer else {
            panic!("they are unusable: {answer:?}");
        };
        assert_eq!(
            (unusable.reason.name(), unusable.line),
            ("damaged", Some(5))
        );
    };
    let label = ReasonLabel { reason: "damaged" };
    let failures = |node: &Node| {
        let failures = &node.metrics.symcache_convert_failures;
        failures.get_or_create(&label).get()
    };
    let node = cluster.node("a");
    is_unusable(node.open().await);
    is_unusable(node.open().await);
    assert_eq!((failures(&node), node.lookups("unusable")), (1, 2));
    cluster.wait_until_stored(1).await;
    for again in [cluster.node("a"), cluster.node("b")] {
        is_unusable(again.open().await);
        assert_eq!(failures(&again), 0, "it was not converted again");
    }
    cluster.put(Store::Regular, sym("mended")).await;
    assert_eq!(node.second().await, "mended");
}

#[tokio::test]
async fn what_is_too_large_depends_on_the_setting_and_is_not_stored() {
    let cluster = Cluster::start().await;
    cluster.put(Store::Regular, sym("second")).await;
    let small = SymbolicationConfig {
        max_source_size: ByteSize::b(20),
        ..SymbolicationConfig::default()
    };
    let node = cluster.node_with("a", &small, StoredForm::Plain);
    let answer = node.open().await;
    assert!(
        matches!(answer, Ok(ModuleSymbols::Unusable(Unusable::TOO_LARGE))),
        "{answer:?}"
    );
    drop(node);
    assert_eq!(cluster.node("a").second().await, "second");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_who_wait_share_one_conversion_that_goes_on_without_them() {
    let cluster = Cluster::start().await;
    let functions: Vec<_> = (0..20_000)
        .map(|at| format!("FUNC {at:x}00 10 0 name{at}\n"))
        .collect();
    let symbols = format!("MODULE windows x86_64 {ID} a.pdb\n{}", functions.concat());
    cluster.put(Store::Regular, symbols.into_bytes()).await;
    let node = cluster.node("a");
    assert!(node.open().now_or_never().is_none(), "it takes a while");
    // The first request has been dropped.
    let answers = join_all((0..50).map(|_| node.open())).await;
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer, Ok(ModuleSymbols::Usable(_))))
    );
    assert_eq!(node.lookups("converted"), 1);
}

#[tokio::test]
async fn a_failure_is_not_remembered() {
    let cluster = Cluster::start().await;
    cluster.put(Store::Regular, sym("second")).await;
    let node = cluster.node("a");
    let (objects, away) = (
        cluster.folder.path().join("objects"),
        cluster.folder.path().join("away"),
    );
    fs::rename(&objects, &away).unwrap();
    let failed = node.open().await;
    assert!(failed.is_err(), "{failed:?}");
    fs::rename(&away, &objects).unwrap();
    assert_eq!(node.second().await, "second");
    assert_eq!((node.lookups("failed"), node.lookups("absent")), (1, 0));
}
