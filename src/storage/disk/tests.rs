//! The storage against its contract, and what is its own.

use std::os::unix::fs::symlink;

use bytes::Bytes;
use futures_util::StreamExt;

use super::*;
use crate::storage::contract;
use crate::storage::{Inventory, SetAside};

fn open() -> (tempfile::TempDir, DiskStorage) {
    let root = tempfile::tempdir().unwrap();
    let storage = DiskStorage::open(root.path()).unwrap();
    (root, storage)
}

#[tokio::test]
async fn a_directory_keeps_the_contract_of_storages() {
    let (_root, storage) = open();
    contract::check_storage(&storage).await;
}

#[tokio::test]
async fn a_directory_that_is_only_read_keeps_the_contract_of_sources() {
    let (root, storage) = open();
    let source = DiskSource::open(root.path()).unwrap();
    contract::check_source(&source, &storage).await;
}

/// The directories that a storage syncs, with whether an object's name was in them at that moment.
type Synced = Arc<std::sync::Mutex<Vec<(String, bool)>>>;

/// A storage that tells how it syncs the way to an object.
fn recording(root: &Path, object: &'static str) -> (DiskStorage, Synced) {
    let synced = Synced::default();
    let record = Arc::clone(&synced);
    let storage = DiskStorage::open_with(root, |root| {
        let base = root.to_owned();
        DurableNames::with(root, move |directory| {
            durable_dirs::sync(directory)?;
            let name = directory.strip_prefix(&base).unwrap().to_string_lossy();
            let is_there = base.join(object).exists();
            record.lock().unwrap().push((name.into_owned(), is_there));
            Ok(())
        })
    });
    (storage.unwrap(), synced)
}

fn taken(synced: &Synced) -> Vec<(String, bool)> {
    std::mem::take(&mut *synced.lock().unwrap())
}

#[tokio::test]
async fn every_name_on_the_way_to_an_object_is_synced_once_it_is_there() {
    const PATH: &str = "v1/a/AB/a.sym";
    let root = tempfile::tempdir().unwrap();
    let (storage, synced) = recording(root.path(), PATH);
    let put = async || {
        let text = Bytes::from_static(b"text").into();
        storage
            .put(PATH, text, ObjectMeta::default())
            .await
            .unwrap();
    };
    put().await;
    let step = |name: &str, is_there| (name.to_owned(), is_there);
    let folders = ["", "v1", "v1/a"].map(|name| step(name, false));
    let last = step("v1/a/AB", true);
    assert_eq!(
        taken(&synced),
        [&folders[..], std::slice::from_ref(&last)].concat()
    );
    storage.make_durable(PATH).await.unwrap();
    assert_eq!(taken(&synced), [], "this process has synced it");
    put().await;
    assert_eq!(taken(&synced), [last], "its folders are known");
}

#[tokio::test]
async fn an_object_that_another_process_has_put_is_synced_before_it_is_skipped() {
    const PATH: &str = "v1/a/AB/a.sym";
    let (root, other) = open();
    let text = Bytes::from_static(b"text").into();
    let put = other.put(PATH, text, ObjectMeta::default());
    put.await.unwrap();
    let (storage, synced) = recording(root.path(), PATH);
    let all = ["", "v1", "v1/a", "v1/a/AB"].map(|name| (name.to_owned(), true));
    storage.make_durable(PATH).await.unwrap();
    assert_eq!(taken(&synced), all, "not even its folders are known");
    storage.make_durable(PATH).await.unwrap();
    assert_eq!(taken(&synced), []);
    let text = Bytes::from_static(b"other").into();
    let put = other.put(PATH, text, ObjectMeta::default());
    put.await.unwrap();
    storage.make_durable(PATH).await.unwrap();
    assert_eq!(taken(&synced), all[3..], "it was replaced");
}

#[tokio::test]
async fn a_directory_keeps_the_contract_of_inventories() {
    let (root, storage) = open();
    let source = DiskSource::open(root.path()).unwrap();
    contract::check_inventory(&source, &storage).await;
}

#[tokio::test]
async fn everything_that_is_no_folder_is_listed_and_can_be_set_aside() {
    let (root, storage) = open();
    let text = Bytes::from_static(b"text");
    let stored = storage.put("v1/a/AB/a.sym", text.into(), ObjectMeta::default());
    stored.await.unwrap();
    let source = DiskSource::open(root.path()).unwrap();
    let at = |path: &str| root.path().join(path);
    let elsewhere = tempfile::tempdir().unwrap();
    fs::rename(at("v1/a"), elsewhere.path().join("a")).unwrap();
    symlink(elsewhere.path().join("a"), at("v1/a")).unwrap();
    symlink("/nowhere", at("v1/a/AB/nowhere.sym")).unwrap();
    symlink("/etc/passwd", at("v1/a/AB/passwd.sym")).unwrap();
    symlink(at("v1"), at("v1/ring")).unwrap();
    let listed: Vec<_> = source.list("v1").collect().await;
    let (listed, failed): (Vec<_>, Vec<_>) = listed.into_iter().partition(Result::is_ok);
    assert_eq!(failed.len(), 1, "the ring: {failed:?}");
    let mut listed: Vec<_> = listed.into_iter().map(Result::unwrap).collect();
    listed.sort_by_key(|listed| listed.path.clone());
    let names: Vec<_> = listed.iter().map(|it| it.path.as_str()).collect();
    let folder = "v1/a/AB";
    let expected = ["a.sym", "nowhere.sym", "passwd.sym"].map(|name| format!("{folder}/{name}"));
    assert_eq!(names, expected);
    let moved = source.set_aside(&listed[2]).await.unwrap();
    assert_eq!(
        moved,
        SetAside::At(".damaged/v1/a/AB/passwd.sym".to_owned())
    );
    assert!(!at("v1/a/AB/passwd.sym").is_symlink());
    assert!(at(".damaged/v1/a/AB/passwd.sym").is_symlink());
}

#[tokio::test]
async fn a_directory_without_its_disk_is_not_an_empty_one() {
    let (root, storage) = open();
    let source = DiskSource::open(root.path()).unwrap();
    drop(storage);
    fs::remove_dir_all(root.path()).unwrap();
    let listed: Vec<_> = source.list("v1").collect().await;
    assert!(matches!(&listed[..], [Err(_)]), "{listed:?}");
}

#[tokio::test]
async fn objects_survive_reopening() {
    let (root, storage) = open();
    storage
        .put(
            "v1/a/AB/a.sym",
            Bytes::from_static(b"text").into(),
            ObjectMeta::default(),
        )
        .await
        .unwrap();
    drop(storage);
    let storage = DiskStorage::open(root.path()).unwrap();
    assert_eq!(
        storage
            .head("v1/a/AB/a.sym")
            .await
            .unwrap()
            .unwrap()
            .stored_size,
        4
    );
}

#[tokio::test]
async fn a_directory_that_is_only_read_is_neither_made_nor_changed() {
    let (root, storage) = open();
    let bytes = Bytes::from_static(b"text").into();
    let stored = storage.put("v1/a/AB/a.sym", bytes, ObjectMeta::default());
    stored.await.unwrap();
    drop(storage);
    let entries = || fs::read_dir(root.path()).unwrap().count();
    let before = entries();
    let source = DiskSource::open(root.path()).unwrap();
    assert!(source.head("v1/a/AB/a.sym").await.unwrap().is_some());
    source.check().await.unwrap();
    assert_eq!(entries(), before);
    let missing = root.path().join("misspelt");
    let error = DiskSource::open(&missing).unwrap_err();
    assert!(error.to_string().contains("storage.directory"), "{error}");
    assert!(!missing.exists());
}

#[tokio::test]
async fn damage_is_an_error_and_not_absence() {
    let (root, storage) = open();
    storage
        .put(
            "v1/a/AB/a.sym",
            Bytes::from_static(b"text").into(),
            ObjectMeta::default(),
        )
        .await
        .unwrap();
    let path = root.path().join("v1/a/AB/a.sym");
    let whole = fs::read(&path).unwrap();
    for length in [0, 3, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let error = storage.head("v1/a/AB/a.sym").await.unwrap_err();
        assert!(
            matches!(error, StorageError::Damaged { .. }),
            "{length}: {error}"
        );
    }
    let mut cut_in_the_middle = whole.clone();
    cut_in_the_middle.remove(1);
    fs::write(&path, &cut_in_the_middle).unwrap();
    assert!(matches!(
        storage.fetch("v1/a/AB/a.sym", None).await,
        Err(StorageError::Damaged { .. })
    ));
}

#[tokio::test]
async fn a_storage_that_has_gone_holds_nothing_absent() {
    let (root, storage) = open();
    let source = DiskSource::open(root.path()).unwrap();
    let path = root.path().to_owned();
    fs::rename(&path, path.with_extension("elsewhere")).unwrap();
    let sources: [&dyn ObjectSource; 2] = [&storage, &source];
    for source in sources {
        let error = source.head("v1/a/AB/a.sym").await.unwrap_err();
        assert!(error.to_string().contains("mounted"), "{error}");
    }
    // What a mount point is without its disk.
    fs::create_dir(&path).unwrap();
    assert!(storage.fetch("v1/a/AB/a.sym", None).await.is_err());
    fs::remove_dir_all(path.with_extension("elsewhere")).unwrap();
}

#[tokio::test]
async fn only_files_are_objects_and_folders_may_be_linked() {
    let (root, storage) = open();
    let text = || Bytes::from_static(b"text").into();
    let meta = ObjectMeta::default;
    storage.put("v1/a/AB/a.sym", text(), meta()).await.unwrap();
    let at = |path: &str| root.path().join(path);
    symlink(at("v1/a/AB/a.sym"), at("v1/a/AB/link.sym")).unwrap();
    symlink("/etc/passwd", at("v1/a/AB/passwd.sym")).unwrap();
    symlink(at("v1/a"), at("v1/b")).unwrap();
    fs::create_dir(at("v1/a/AB/folder.sym")).unwrap();
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        at("v1/a/AB/pipe.sym"),
        rustix::fs::Mode::RUSR,
    )
    .unwrap();
    for name in ["link", "passwd", "folder", "pipe"] {
        let read = storage.fetch(&format!("v1/a/AB/{name}.sym"), None).await;
        assert!(matches!(read, Err(StorageError::Damaged { .. })), "{name}");
    }
    assert!(storage.head("v1/b/AB/a.sym").await.unwrap().is_some());
}

#[tokio::test]
async fn a_failed_put_leaves_nothing() {
    let (root, storage) = open();
    let file = Arc::new(tempfile::tempfile().unwrap());
    let short = Payload::new(vec![super::super::Part::File {
        file,
        offset: 0,
        length: 10,
    }]);
    storage
        .put("v1/a/AB/a.sym", short, ObjectMeta::default())
        .await
        .unwrap_err();
    assert_eq!(storage.head("v1/a/AB/a.sym").await.unwrap(), None);
    assert_eq!(
        fs::read_dir(root.path().join("v1/a/AB")).unwrap().count(),
        0
    );
}
