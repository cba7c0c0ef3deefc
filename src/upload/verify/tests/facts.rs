//! What is found out about members.

use super::super::{ArchiveLimits, Content, inspect, verify_member};
use super::{KEY, archive, check};

#[test]
fn symbol_files_have_a_key_a_header_and_digests() {
    let bytes = archive(&[
        ("xul.pdb/", b""),
        (KEY, b"MODULE windows x86_64 AB xul.pdb\n"),
        (
            "c++filt/ab12/c++filt.dbg.gz",
            b"some data, some data, some data",
        ),
    ]);
    let checked = check(&bytes).unwrap();
    let [(first, facts), (second, other_facts)] = &checked[..] else {
        panic!("two files")
    };
    assert_eq!(first.name, KEY);
    assert_eq!(
        facts.header.as_ref().unwrap().debug_file.as_deref(),
        Some("xul.pdb")
    );

    let Content::Symbol(key) = &second.content else {
        panic!("a symbol file")
    };
    assert_eq!(key.to_string(), "c++filt/AB12/c++filt.dbg.gz");
    assert_eq!(other_facts.header, None);
    assert_eq!(
        hex::encode(other_facts.md5.unwrap()),
        "44e4dc5fa9d8a6664ed371c3019128ef"
    );
    assert_eq!(
        hex::encode(other_facts.sha256),
        "fdc0f0c394ae167d774446d0cb47791e906bce7c60fe714ec01f754b42d8de69"
    );
}

#[test]
fn empty_members_have_the_digests_of_nothing() {
    let checked = check(&archive(&[(KEY, b""), ("a/AB/b", b"")])).unwrap();
    for (entry, facts) in &checked {
        assert_eq!(entry.size, 0);
        assert_eq!(
            hex::encode(facts.md5.unwrap()),
            "d41d8cd98f00b204e9800998ecf8427e"
        );
    }
    assert_eq!(checked.len(), 2);
}

#[test]
fn the_header_is_read_whatever_the_case_of_the_ending() {
    let content = b"MODULE windows x86_64 AB xul.pdb\n";
    let checked = check(&archive(&[("a/AB/A.SYM", content), ("a/AB/sym", content)])).unwrap();
    assert!(checked[0].1.header.is_some() && checked[1].1.header.is_none());
}

#[test]
fn md5_only_if_wanted() {
    let bytes = archive(&[(KEY, b"data")]);
    let limits = ArchiveLimits::default();
    let entry = &inspect(&bytes[..], &limits).unwrap()[0];
    let facts = verify_member(&bytes[..], entry, &limits, false).unwrap();
    assert_eq!(facts.md5, None);
}

#[test]
fn a_failing_disk_is_not_the_archives_fault() {
    let bytes = archive(&[(KEY, b"data")]);
    let limits = ArchiveLimits::default();
    let entry = &inspect(&bytes[..], &limits).unwrap()[0];
    let error = verify_member(&bytes[..10], entry, &limits, true).unwrap_err();
    assert!(error.is_unreadable() && !error.is_too_large());
    assert_eq!(error.code(), "archive_unreadable");
}
