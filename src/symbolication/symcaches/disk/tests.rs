use std::io::{Read, Write};

use super::*;

fn open(root: &Path, largest_total: u64) -> NodeDirectory {
    NodeDirectory::open(root, largest_total, Metrics::default()).unwrap()
}

fn keep(directory: &NodeDirectory, name: &str, bytes: &[u8]) -> File {
    let mut file = directory.temporary().unwrap();
    file.write_all(bytes).unwrap();
    directory.keep(name, file).unwrap()
}

fn names(directory: &NodeDirectory) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(&directory.files)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_file_that_was_not_used_for_longest_goes_first_and_stays_readable() {
    let root = tempfile::tempdir().unwrap();
    let directory = open(root.path(), 30);
    for name in ["a", "b", "c"] {
        keep(&directory, name, &[7; 10]);
    }
    let mut oldest = directory.file("b").unwrap();
    assert!(directory.file("a").is_some());
    keep(&directory, "d", &[7; 20]);
    assert_eq!(names(&directory), ["a", "d"]);
    assert!(directory.file("b").is_none() && directory.file("c").is_none());
    let mut bytes = Vec::new();
    oldest.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, [7; 10]);
    let metrics = directory.metrics.render();
    assert!(
        metrics.contains("symbold_symcache_evictions_total 2\n"),
        "{metrics}"
    );
    assert!(
        metrics.contains("symbold_symcache_disk_bytes 30\n"),
        "{metrics}"
    );
}

#[test]
fn a_file_larger_than_everything_is_not_kept() {
    let root = tempfile::tempdir().unwrap();
    let directory = open(root.path(), 9);
    let mut file = keep(&directory, "a", &[1; 10]);
    assert_eq!(names(&directory), [""; 0]);
    std::io::Seek::rewind(&mut file).unwrap();
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut file, &mut bytes).unwrap();
    assert_eq!(bytes, [1; 10], "but it is there for who made it");
}

#[test]
fn a_restart_keeps_files_and_removes_the_rest() {
    let root = tempfile::tempdir().unwrap();
    let directory = open(root.path(), 100);
    keep(&directory, "a", b"a");
    // As if the process had been killed.
    let (_, left) = directory.temporary().unwrap().keep().unwrap();
    let foreign = root.path().join("0/0-8");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("x"), "x").unwrap();
    drop(directory);
    let directory = open(root.path(), 100);
    assert!(!left.exists() && !foreign.exists());
    assert!(directory.file("a").is_some());
    assert!(directory.file("b").is_none());
}

#[test]
fn a_second_process_has_a_folder_of_its_own() {
    let root = tempfile::tempdir().unwrap();
    let first = open(root.path(), 100);
    keep(&first, "a", b"a");
    let second = open(root.path(), 100);
    assert!(second.file("a").is_none());
    keep(&second, "b", b"b");
    drop((first, second));
    let only = open(root.path(), 100);
    assert!(only.file("a").is_some());
    assert!(
        !root.path().join("1").exists(),
        "no process holds the second one"
    );
}

#[test]
fn a_folder_without_a_lock_is_removed() {
    let root = tempfile::tempdir().unwrap();
    let left = root.path().join("3");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("x"), "x").unwrap();
    let directory = open(root.path(), 100);
    assert!(!left.exists());
    drop(directory);
}

#[test]
fn a_file_that_someone_removed_is_not_there() {
    let root = tempfile::tempdir().unwrap();
    let directory = open(root.path(), 100);
    keep(&directory, "a", b"a");
    fs::remove_file(directory.files.join("a")).unwrap();
    assert!(directory.file("a").is_none());
    keep(&directory, "a", b"a");
    directory.remove("a");
    assert!(directory.file("a").is_none() && names(&directory).is_empty());
}
