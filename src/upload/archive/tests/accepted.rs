//! Every legal form.

use std::fs::File;
use std::io::Write;

use super::builder::{KEY, Member, archive, archive_zip64};
use super::{ArchiveLimits, check, inspect, verify};
use crate::upload::archive::{ArchiveError, Content, Method, ReadAt};

#[test]
fn an_archive_of_nothing() {
    assert_eq!(archive(&[]).len(), 22);
    assert!(check(&archive(&[])).unwrap().is_empty());
    assert!(check(&archive_zip64(&[])).unwrap().is_empty());
}

#[test]
fn entries_say_where_the_data_is() {
    let bytes = archive(&[
        Member::directory("xul.pdb/"),
        Member::stored(KEY, b"MODULE windows x86_64 AB xul.pdb\n"),
        Member::deflated(
            "c++filt/ab12/c++filt.dbg.gz",
            b"some data, some data, some data",
        ),
    ]);
    let checked = check(&bytes).unwrap();
    let [(first, digest), (second, other_digest)] = &checked[..] else {
        panic!("two files")
    };

    assert_eq!(
        (first.name.as_str(), first.method, first.size),
        (KEY, Method::Stored, 33)
    );
    let start = usize::try_from(first.data_offset).unwrap();
    assert!(bytes[start..].starts_with(b"MODULE windows"));
    assert_eq!(
        digest.header.as_ref().unwrap().debug_file.as_deref(),
        Some("xul.pdb")
    );

    assert_eq!((second.method, second.size), (Method::Deflated, 31));
    assert!(second.compressed_size < second.size);
    let Content::Symbol(key) = &second.content else {
        panic!("a symbol file")
    };
    assert_eq!(key.to_string(), "c++filt/AB12/c++filt.dbg.gz");
    assert_eq!(other_digest.header, None);
    assert_eq!(
        hex::encode(other_digest.md5.unwrap()),
        "44e4dc5fa9d8a6664ed371c3019128ef"
    );
}

#[test]
fn entries_come_in_the_order_of_their_data() {
    let (first, second) = (
        Member::stored("a/AB/1", b"first"),
        Member::stored("a/AB/2", b"second"),
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
    assert_eq!(names, ["a/AB/1", "a/AB/2"]);
}

#[test]
fn empty_members_are_members() {
    let checked = check(&archive(&[
        Member::stored(KEY, b""),
        Member::deflated("a/AB/b", b""),
    ]))
    .unwrap();
    for (entry, digest) in &checked {
        assert_eq!(entry.size, 0);
        assert_eq!(
            hex::encode(digest.md5.unwrap()),
            "d41d8cd98f00b204e9800998ecf8427e"
        );
    }
    assert_eq!(checked.len(), 2);
}

#[test]
fn ignored_members_are_told_apart() {
    let names = [
        ".DS_Store",
        "a/.DS_Store",
        "a/AB/.DS_Store",
        "xul-symbols.txt",
        "XUL-Symbols.TXT",
    ];
    let members: Vec<_> = names
        .iter()
        .map(|name| Member::stored(name, b"x"))
        .collect();
    for (entry, digest) in check(&archive(&members)).unwrap() {
        assert_eq!((entry.content, digest.header), (Content::Ignored, None));
    }
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
fn the_header_is_read_whatever_the_case_of_the_ending() {
    let content = b"MODULE windows x86_64 AB xul.pdb\n";
    let bytes = archive(&[
        Member::deflated("a/AB/A.SYM", content),
        Member::deflated("a/AB/sym", content),
    ]);
    let checked = check(&bytes).unwrap();
    assert!(checked[0].1.header.is_some() && checked[1].1.header.is_none());
}

#[test]
fn md5_only_if_wanted() {
    let bytes = archive(&[Member::stored(KEY, b"data")]);
    let limits = ArchiveLimits::default();
    let entry = &inspect(&bytes[..], &limits).unwrap()[0];
    assert_eq!(verify(&bytes[..], entry, &limits, false).unwrap().md5, None);
}

#[test]
fn a_zip_in_a_zip_is_only_bytes() {
    let inner = archive(&[Member::stored("../../evil", b"evil")]);
    assert_eq!(
        check(&archive(&[Member::stored(KEY, &inner)]))
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn files_are_read_like_memory() {
    let bytes = archive(&[Member::deflated(KEY, b"MODULE")]);
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    let limits = ArchiveLimits::default();
    let entries = inspect(&file, &limits).unwrap();
    assert_eq!(entries, inspect(&bytes[..], &limits).unwrap());
    assert_eq!(
        verify(&file, &entries[0], &limits, true).unwrap(),
        verify(&bytes[..], &entries[0], &limits, true).unwrap()
    );

    file.set_len(40).unwrap();
    let error = verify(&file, &entries[0], &limits, true).unwrap_err();
    assert!(matches!(error, ArchiveError::Read(_)) && !error.is_too_large());
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

#[test]
fn limits_are_a_section_of_the_configuration() {
    let limits: ArchiveLimits = toml::from_str("entries = 5\nmember_size = \"1 GiB\"").unwrap();
    assert_eq!(limits.entries, 5);
    assert_eq!(limits.member_size, bytesize::ByteSize::gib(1));
    assert_eq!(limits.total_size, ArchiveLimits::default().total_size);
    assert!(toml::from_str::<ArchiveLimits>("entrie = 5").is_err());
    let text = toml::to_string(&ArchiveLimits::default()).unwrap();
    assert_eq!(
        toml::from_str::<ArchiveLimits>(&text).unwrap(),
        ArchiveLimits::default()
    );
}
