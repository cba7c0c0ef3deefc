//! Files that ask for more than they are worth.

use std::fmt::Write;
use std::io::{self, BufReader, Read};

use super::{MODULE, convert_by_symbolic, convert_with};
use crate::{Limits, SymError, Symcache, convert_sym};

/// Limits that small files reach.
fn low_limits() -> Limits {
    Limits {
        line_length: 2_000,
        inline_depth: 512,
        inline_ranges: 1_000,
        function_lines: 500,
        locations: 3_000,
        strings: 20_000,
    }
}

/// Checks that a file becomes what symbolic makes of it.
fn accept(records: &str) -> Vec<u8> {
    let text = format!("{MODULE}FILE 0 a.c\n{records}");
    let (symcache, _) = convert_with(text.as_bytes(), &low_limits()).unwrap();
    assert!(Some(&symcache) == convert_by_symbolic(text.as_bytes()).as_ref());
    symcache
}

/// What there is too much of in a file, and in which line.
fn excess(records: &str) -> (&'static str, u64) {
    let text = format!("{MODULE}FILE 0 a.c\n{records}");
    match convert_with(text.as_bytes(), &low_limits()).unwrap_err() {
        SymError::TooComplex { line, what, .. } => (what, line),
        error => panic!("{error:?}"),
    }
}

fn repeat(count: u64, mut record: impl FnMut(u64) -> String) -> String {
    (0..count).fold(String::new(), |mut text, index| {
        writeln!(text, "{}", record(index)).unwrap();
        text
    })
}

#[test]
fn deeply_nested_inlined_functions_are_cut() {
    let inlines = repeat(900, |depth| format!("INLINE {depth} 5 0 0 10 40"));
    let bytes = accept(&format!("FUNC 10 40 0 f\n{inlines}10 40 1 0\n"));
    let symcache = Symcache::new(bytes).unwrap();
    let frame = symcache.batch().lookup(0x10).unwrap();
    // Depths 0 to 512.
    assert_eq!((frame.function, frame.inlines.len()), ("f", 513));
}

#[test]
fn ranges_that_cut_each_other_into_many_pieces() {
    let short = repeat(100, |index| format!("INLINE 0 1 0 0 {index:x} 1"));
    let few = repeat(8, |depth| format!("INLINE {} 1 0 0 0 64", depth + 1));
    let many = repeat(20, |depth| format!("INLINE {} 1 0 0 0 64", depth + 1));
    accept(&format!("FUNC 0 64 0 f\n{short}{few}0 64 1 0\n"));
    // A hundred times twenty pieces, found when the function ends.
    let bomb = format!("FUNC 0 64 0 f\n{short}{many}0 64 1 0\nFUNC 100 1 0 g\n");
    assert_eq!(excess(&bomb), ("inlined ranges in one function", 125));
}

#[test]
fn ranges_that_push_each_other_away() {
    // Each starts in the one before and ends behind it, so all are moved again and again.
    let moved = |count: u64| repeat(count, |index| format!("INLINE 0 1 0 0 {index:x} {count:x}"));
    accept(&format!("FUNC 0 1000 0 f\n{}", moved(30)));
    let (what, _) = excess(&format!("FUNC 0 1000 0 f\n{}", moved(600)));
    assert_eq!(what, "inlined ranges in one function");
    let (what, line) = excess(&format!("FUNC 0 1000 0 f\n{}", moved(1_500)));
    assert_eq!((what, line), ("inlined ranges in one function", 1_004));
}

#[test]
fn everything_at_one_address() {
    accept(&repeat(800, |index| {
        format!("FUNC 10 10 0 f{index}\n10 10 {index} 0")
    }));
    accept(&format!(
        "FUNC 10 10 0 f\n{}",
        repeat(500, |line| format!("10 10 {line} 0"))
    ));
    accept(&repeat(800, |index| format!("PUBLIC 10 0 f{index}")));
    accept(&format!(
        "FUNC 10 10 0 f\n{}",
        repeat(500, |_| "INLINE 0 1 0 0 10 10".to_owned())
    ));
}

#[test]
fn numbers_at_the_end_of_64_bits() {
    let last = u64::MAX;
    for (start, size) in [
        (1, last),
        (0x10, last - 0xf),
        (0xffff_ffff, last),
        (last, 1),
        (last, last),
    ] {
        accept(&format!(
            "FUNC {start:x} {size:x} 0 f\n{start:x} {size:x} 1 0\nPUBLIC 0 0 p\n"
        ));
        accept(&format!(
            "FUNC 1 {size:x} 0 f\nINLINE 0 1 0 0 {start:x} {size:x}\n1 8 1 0\n"
        ));
        accept(&format!(
            "FUNC 1 100 0 f\nINLINE 0 1 0 0 {start:x} {size:x}\n{start:x} {size:x} 1 0\n"
        ));
    }
}

#[test]
fn limits_of_a_function_and_of_the_file() {
    let lines = |count| {
        format!(
            "FUNC 10 ffffff 0 f\n{}",
            repeat(count, |line| format!("{:x} 1 1 0", 0x10 + line))
        )
    };
    accept(&lines(500));
    assert_eq!(excess(&lines(501)), ("lines in one function", 504));

    let functions = |count| repeat(count, |index| format!("FUNC {index:x} 1 0 f"));
    accept(&functions(1_400));
    assert_eq!(excess(&functions(3_000)).0, "ranges and calls");

    let names = |count: u64, kind: &str| repeat(count, |index| format!("{kind} 0 {index:0100}"));
    accept(&names(190, "PUBLIC 10"));
    assert_eq!(excess(&names(210, "PUBLIC 10")), ("bytes of names", 203));
    assert_eq!(excess(&names(210, "INLINE_ORIGIN")).0, "bytes of names");
    assert_eq!(excess(&names(210, "FILE")).0, "bytes of names");
    assert_eq!(excess(&names(210, "FUNC 10 10")).0, "bytes of strings");
}

#[test]
fn lines_without_end() {
    let long = |length| format!("PUBLIC 10 0 {}\n", "x".repeat(length));
    accept(&long(1_988));
    assert_eq!(excess(&long(1_989)), ("bytes in one line", 3));
    // Nothing but the limit ends this one.
    let start = format!("{MODULE}PUBLIC 10 0 ");
    let source = BufReader::new(start.as_bytes().chain(io::repeat(b'x')));
    let error = convert_sym(source, &low_limits(), io::sink()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 2: there are more than 2000 bytes in one line"
    );
}
