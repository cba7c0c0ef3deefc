//! Native files whose symbols are converted in a child process: this very program with its hidden command.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use symbold::background::Background;
use symbold::cache::{CacheConfig, MemoFactory};
use symbold::catalog::{Catalog, Layout, UploadTarget};
use symbold::clock::{SharedClock, SystemClock};
use symbold::cpu::CpuPool;
use symbold::db::SqliteDatabase;
use symbold::metrics::Metrics;
use symbold::scratch::Scratch;
use symbold::storage::{DiskStorage, ObjectMeta, Payload, Storage};
use symbold::symbolication::SymbolicationConfig;
use symbold::symbolication::symcaches::{ModuleSymbols, StoredForm, SymcacheParts, Symcaches};

use crate::support::Program;

/// The symcaches over an object.
async fn symcaches(folder: &Path, path: &str, bytes: Vec<u8>, native: bool) -> Symcaches {
    let storage: Arc<dyn Storage> = Arc::new(DiskStorage::open(&folder.join("objects")).unwrap());
    let payload = Payload::from(Bytes::from(bytes));
    storage
        .put(path, payload, ObjectMeta::default())
        .await
        .unwrap();
    let database = Arc::new(SqliteDatabase::open(&folder.join("records")).await.unwrap());
    let (metrics, clock) = (Metrics::default(), SystemClock::new());
    let clock: SharedClock = Arc::new(clock);
    let target = |prefix| UploadTarget::new(Arc::clone(&storage), Layout::breakpad(prefix));
    let catalog = Catalog::new(
        target(""),
        Vec::new(),
        target("try"),
        Arc::clone(&database) as _,
        database as _,
        &MemoFactory::new(&CacheConfig::default(), None, &metrics, &clock),
        Background::current(),
    );
    let config = SymbolicationConfig {
        native,
        ..SymbolicationConfig::default()
    };
    let parts = SymcacheParts {
        catalog: Arc::new(catalog),
        scratch: Arc::new(Scratch::open(&folder.join("scratch")).unwrap()),
        directory: folder.join("symcache"),
        form: StoredForm::Plain,
        program: env!("CARGO_BIN_EXE_symbold").into(),
        cpu: CpuPool::new(2).unwrap(),
        background: Background::current(),
        clock,
        metrics,
    };
    Symcaches::new(&config, parts).unwrap()
}

/// The address of a function, by the symbols of the whole program.
fn address(program: &Program, function: &str) -> u64 {
    let output = Command::new("nm")
        .arg(program.path("whole"))
        .output()
        .unwrap();
    let symbols = String::from_utf8(output.stdout).unwrap();
    let line = symbols
        .lines()
        .find(|line| line.ends_with(&format!(" {function}")));
    u64::from_str_radix(line.unwrap().split_whitespace().next().unwrap(), 16).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn debug_information_answers_where_there_is_no_sym_file() {
    let program = Program::build();
    let address = address(&program, "twice");
    let folder = tempfile::tempdir().unwrap();
    let (path, bytes) = (program.key("program.debug"), program.bytes("split"));
    let symcaches = symcaches(folder.path(), &path, bytes, true).await;
    let opened = symcaches.open("program", &program.debug_id).await.unwrap();
    let ModuleSymbols::Usable(symcache) = opened else {
        panic!("it is usable: {opened:?}");
    };
    assert_eq!(symcache.program_file, None);
    let mut batch = symcache.batch();
    let frame = batch
        .lookup(u32::try_from(address).unwrap().into())
        .unwrap();
    assert_eq!(frame.function, "twice");
    assert!(frame.file.unwrap().ends_with("main.c"));
    assert_eq!(frame.line.unwrap().get(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_other_builds_and_damaged_ones_are_unusable() {
    let program = Program::build();
    let split = program.bytes("split");
    let other_id = format!("{}0", "A".repeat(32));
    for (id, bytes) in [
        (other_id.as_str(), split.clone()),
        (program.debug_id.as_str(), split[..split.len() / 2].to_vec()),
        (program.debug_id.as_str(), b"no ELF file".to_vec()),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = format!("program/{id}/program.dbg");
        let symcaches = symcaches(folder.path(), &path, bytes, true).await;
        let opened = symcaches.open("program", id).await.unwrap();
        assert!(matches!(opened, ModuleSymbols::Unusable(_)), "{opened:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn they_are_not_looked_at_where_the_setting_forbids_it() {
    let folder = tempfile::tempdir().unwrap();
    let (id, path) = ("AB0", "program/AB0/program.dbg");
    let symcaches = symcaches(folder.path(), path, b"anything".to_vec(), false).await;
    let opened = symcaches.open("program", id).await.unwrap();
    assert!(matches!(opened, ModuleSymbols::Absent), "{opened:?}");
}
