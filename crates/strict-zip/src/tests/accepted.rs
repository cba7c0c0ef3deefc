//! Every legal form.

use std::fs::File;
use std::io::Write;

use super::builder::{Member, NAME, archive, archive_zip64};
use super::{Error, Limits, PlainPaths, check, inspect, verify, verify_alone};
use crate::{Method, ReadAt};

#[test]
fn an_archive_of_nothing() {
    assert_eq!(archive(&[]).len(), 22);
    assert!(check(&archive(&[])).unwrap().is_empty());
    assert!(check(&archive_zip64(&[])).unwrap().is_empty());
}

#[test]
fn entries_say_where_the_data_is() {
    let bytes = archive(&[
        Member::directory("harbour/"),
        Member::stored(NAME, b"nine cranes, all of them lit.\n"),
        Member::deflated("c++/ab12/c++.txt.gz", b"some data, some data, some data"),
    ]);
    let checked = check(&bytes).unwrap();
    let [(first, content), (second, other_content)] = &checked[..] else {
        panic!("two files")
    };

    let told = (first.name.as_str(), first.method, first.size);
    assert_eq!(told, (NAME, Method::Stored, 30));
    let start = usize::try_from(first.data_offset).unwrap();
    assert!(bytes[start..].starts_with(b"nine cranes"));
    assert_eq!(content, b"nine cranes, all of them lit.\n");

    assert_eq!((second.method, second.size), (Method::Deflated, 31));
    assert!(second.compressed_size < second.size);
    assert_eq!(other_content, b"some data, some data, some data");
}

#[test]
fn empty_members_are_members() {
    let bytes = archive(&[Member::stored(NAME, b""), Member::deflated("a/b/b", b"")]);
    let checked = check(&bytes).unwrap();
    assert_eq!(checked.len(), 2);
    for (entry, content) in &checked {
        assert_eq!((entry.size, content.len()), (0, 0));
    }
}

#[test]
fn entries_come_in_the_order_of_their_data() {
    let (first, second) = (
        Member::stored("a/b/1", b"first"),
        Member::stored("a/b/2", b"second"),
    );
    let mut bytes = Vec::new();
    let directory = super::builder::append_members(&mut bytes, &[first, second]);
    let length = directory.len() / 2;
    let swapped = [&directory[length..], &directory[..length]].concat();
    super::builder::append_end(&mut bytes, 2, &swapped);
    let names: Vec<_> = check(&bytes)
        .unwrap()
        .into_iter()
        .map(|(entry, _)| entry.name)
        .collect();
    assert_eq!(names, ["a/b/1", "a/b/2"]);
}

#[test]
fn directories_are_left_out() {
    let deflated = Member::deflated("b/", b"")
        .central(|header| (header.made_by, header.attributes) = (20, 0x10));
    assert!(
        check(&archive(&[Member::directory("a/b c/d/"), deflated]))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_zip_in_a_zip_is_only_bytes() {
    let inner = archive(&[Member::stored("../../evil", b"evil")]);
    assert_eq!(
        check(&archive(&[Member::stored(NAME, &inner)]))
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn files_are_read_like_memory() {
    let bytes = archive(&[Member::deflated(NAME, b"SAMPLE")]);
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    let limits = Limits::default();
    let entries = inspect(&file, &limits, &PlainPaths).unwrap();
    assert_eq!(entries, inspect(&bytes[..], &limits, &PlainPaths).unwrap());
    let mut content = Vec::new();
    let sink = |piece: &[u8]| {
        content.extend_from_slice(piece);
        Ok::<_, Error>(())
    };
    verify(&file, &entries[0], &limits, sink).unwrap();
    assert_eq!(content, check(&bytes).unwrap()[0].1);

    file.set_len(40).unwrap();
    let error = verify_alone(&file, &entries[0], &limits).unwrap_err();
    assert!(matches!(error, Error::Read(_)) && !error.is_too_large());
}

#[test]
fn a_sink_may_fail() {
    let bytes = archive(&[Member::deflated(NAME, b"SAMPLE")]);
    let limits = Limits::default();
    let entry = &inspect(&bytes[..], &limits, &PlainPaths).unwrap()[0];
    let full = || Error::Read(std::io::ErrorKind::StorageFull.into());
    let error = verify(&bytes[..], entry, &limits, |_| Err(full())).unwrap_err();
    assert!(matches!(error, Error::Read(error) if error.kind() == std::io::ErrorKind::StorageFull));
}

#[test]
fn reads_beyond_the_end_fail() {
    let bytes: &[u8] = b"abc";
    let mut buffer = [0; 2];
    bytes.read_exact_at(&mut buffer, 1).unwrap();
    assert_eq!(&buffer, b"bc");
    for offset in [2, 3, 4, u64::MAX] {
        assert!(bytes.read_exact_at(&mut buffer, offset).is_err());
    }
    assert!(
        <File as ReadAt>::read_exact_at(&tempfile::tempfile().unwrap(), &mut buffer, 0).is_err()
    );
}
