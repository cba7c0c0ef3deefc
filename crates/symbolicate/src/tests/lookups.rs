//! What addresses mean, in files that show a rule each.

use std::fs;
use std::path::Path;

use super::{MODULE, convert};
use crate::{Frame, Symcache, SymcacheError};

/// Converts a file of the test data.
fn open(name: &str) -> Symcache<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name);
    Symcache::new(convert(&fs::read(path).unwrap()).unwrap().0).unwrap()
}

/// Converts records after a `MODULE` record.
fn open_records(records: &str) -> Symcache<Vec<u8>> {
    Symcache::new(convert(format!("{MODULE}{records}").as_bytes()).unwrap().0).unwrap()
}

/// An address in one line: what is inlined, then the outer function.
fn describe(symcache: &Symcache<Vec<u8>>, address: u64) -> String {
    let mut batch = symcache.batch();
    let Some(frame) = batch.lookup(address) else {
        return "nothing".to_owned();
    };
    let Frame {
        function,
        function_offset,
        file,
        line,
        inlines,
    } = frame;
    let place = |file: Option<&str>, line: Option<std::num::NonZeroU32>| {
        format!("{}:{}", file.unwrap_or("-"), line.map_or(0, Into::into))
    };
    let mut words: Vec<_> = inlines
        .iter()
        .map(|inline| {
            format!(
                "{} {}",
                inline.function,
                place(inline.file.as_deref(), inline.line)
            )
        })
        .collect();
    words.push(format!(
        "{function}+{function_offset:x} {}",
        place(file.as_deref(), line)
    ));
    words.join(" < ")
}

#[test]
fn inlined_functions_have_the_line_and_their_callers_the_calls() {
    let symcache = open("everything.sym");
    let describe = |address| describe(&symcache, address);
    let document = "hg:hg.mozilla.org/mozilla-central:dom/base/nsDocument.cpp:55c63a6c547f1fecd412505a064f21fd1e1ec48e";
    let maybe =
        "hg:hg.mozilla.org/mozilla-central:mfbt/Maybe.h:55c63a6c547f1fecd412505a064f21fd1e1ec48e";
    let outer = "mozilla::dom::Document::Reset(nsIChannel*)";
    assert_eq!(describe(0x1000), format!("{outer}+0 {document}:40"));
    assert_eq!(
        describe(0x1012),
        format!("mozilla::Maybe<int>::emplace(int&&) {maybe}:100 < {outer}+12 {document}:42")
    );
    assert!(
        describe(0x1016)
            .starts_with("std::move<int> D:\\build\\include\\xutility:300 < core::option::")
    );
    assert_eq!(describe(0x1016).matches(" < ").count(), 3);
}

#[test]
fn paths_are_joined_and_cleaned() {
    let symcache = open("everything.sym");
    assert!(describe(&symcache, 0x1120).ends_with(" D:\\build\\include\\xutility:5"));
    assert!(describe(&symcache, 0x1128).ends_with(" relative/file.c:6"));
}

#[test]
fn unknown_files_and_lines() {
    let symcache = open_records("FILE 0 a.c\nFUNC 10 30 0 f\n10 10 5 9\n20 10 0 0\n30 10 -7 0\n");
    assert_eq!(describe(&symcache, 0x10), "f+0 -:0");
    assert_eq!(describe(&symcache, 0x20), "f+10 a.c:0");
    assert_eq!(describe(&symcache, 0x3f), "f+2f a.c:0");
    let inlined = open("inline-odd.sym");
    assert_eq!(describe(&inlined, 0x1000), " a.c:1 < outer+0 a.c:5");
    assert_eq!(describe(&inlined, 0x1020), "known a.c:2 < outer+20 -:0");
}

#[test]
fn gaps_overlaps_and_ends() {
    let symcache = open("everything.sym");
    let describe = |address| describe(&symcache, address);
    // A function without lines, one without size, and one in another one, behind which there is nothing.
    assert_eq!(describe(0x1160), "no lines at all+0 -:0");
    assert_eq!(describe(0x1170), "nothing");
    assert!(describe(0x1188).starts_with("overlapping outer+8 "));
    assert!(describe(0x1190).starts_with("overlapping inner+0 "));
    assert_eq!(describe(0x11a0), "nothing");
    // Lines are cut at the ends of their function, and reach up to the next one in it.
    assert_eq!(describe(0x11f8), "nothing");
    assert_eq!(describe(0x1200), "lines stick out+0 -:0");
    assert!(describe(0x121f).starts_with("lines stick out+1f hg:"));
    assert_eq!(describe(0x1220), "nothing");
    assert!(describe(0x1318).ends_with(":1"));
}

#[test]
fn publics_hold_where_no_function_is() {
    let symcache = open_records(
        "FILE 0 a.c\nFUNC 20 10 0 f\n20 10 1 0\n\
         PUBLIC 10 0 p\nPUBLIC 10 0 second\nPUBLIC 28 0 inside\nPUBLIC 40 0 last\n",
    );
    let expected = [
        (0xf, "nothing"),
        (0x10, "p+0 -:0"),
        (0x1f, "p+f -:0"),
        (0x20, "f+0 a.c:1"),
        (0x28, "inside+0 -:0"),
        (0x30, "nothing"),
        (0x40, "last+0 -:0"),
        (0xffff_ffff, "last+ffffffbf -:0"),
        (0x1_0000_0010, "nothing"),
        (u64::MAX, "nothing"),
    ];
    for (address, meaning) in expected {
        assert_eq!(describe(&symcache, address), meaning, "{address:x}");
    }
}

#[test]
fn of_two_functions_with_one_start_the_later_counts() {
    let symcache = open("same-start.sym");
    assert_eq!(describe(&symcache, 0x10), "twin_again+0 a.c:2");
    assert_eq!(describe(&symcache, 0x20), "twin+0 a.c:3");
}

#[test]
fn symcaches_at_any_address_in_memory() {
    let (symcache, _) = convert(format!("{MODULE}PUBLIC 10 0 p\n").as_bytes()).unwrap();
    for offset in 0..8 {
        let bytes = [vec![0; offset], symcache.clone()].concat();
        let symcache = Symcache::new(&bytes[offset..]).unwrap();
        assert_eq!(symcache.batch().lookup(0x12).unwrap().function, "p");
    }
}

#[test]
fn other_bytes_are_no_symcache() {
    let (good, _) = convert(format!("{MODULE}PUBLIC 10 0 p\n").as_bytes()).unwrap();
    let refusal = |change: fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        Symcache::new(bytes).unwrap_err()
    };
    assert_eq!(refusal(Vec::clear), SymcacheError::Format);
    assert_eq!(refusal(|bytes| bytes[0] = b's'), SymcacheError::Format);
    assert_eq!(
        refusal(|bytes| bytes[..4].reverse()),
        SymcacheError::Version
    );
    assert_eq!(refusal(|bytes| bytes[4] = 8), SymcacheError::Version);
    assert_eq!(refusal(|bytes| bytes.truncate(40)), SymcacheError::Cut);
    assert_eq!(refusal(|bytes| _ = bytes.pop()), SymcacheError::Cut);
    // More ranges than locations.
    assert_eq!(refusal(|bytes| bytes[56] = 9), SymcacheError::Cut);
}

#[test]
fn a_circle_of_calls_ends() {
    let (mut bytes, _) = convert(
        format!("{MODULE}FILE 0 a.c\nFUNC 10 10 0 f\nINLINE 0 1 0 0 10 10\n10 10 2 0\n").as_bytes(),
    )
    .unwrap();
    // The location of the call, the first one, is itself inlined into itself: the last number of it.
    let files_and_functions = 24 + 2 * 16;
    let inlined_into = 80 + files_and_functions + 12;
    bytes[inlined_into..inlined_into + 4].copy_from_slice(&[0; 4]);
    let symcache = Symcache::new(bytes).unwrap();
    let frame = symcache.batch().lookup(0x10).unwrap();
    assert_eq!((frame.function, frame.inlines.len()), ("f", 1024));
}
