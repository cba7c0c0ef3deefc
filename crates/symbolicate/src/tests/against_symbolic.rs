//! Files that show a rule each: the bytes, or the refusal, are those of symbolic.

use std::fs;
use std::path::Path;

use super::{MODULE, SymError, convert, convert_by_symbolic};

/// Checks that a file becomes what symbolic makes of it.
fn check(name: &str, text: &[u8]) {
    match (convert(text), convert_by_symbolic(text)) {
        (Ok((ours, converted)), Some(theirs)) => {
            assert!(ours == theirs, "{name}: other bytes");
            assert_eq!(converted.size, ours.len() as u64, "{name}");
        }
        (Err(SymError::Damaged { .. }), None) => {}
        (ours, theirs) => {
            let taken = theirs.is_some();
            panic!(
                "{name}: symbolic takes it: {taken}, we: {:?}",
                ours.map(|(_, converted)| converted)
            );
        }
    }
}

/// Checks records after a `MODULE` record, with both kinds of line ends, and cut off at every byte.
fn check_records(records: &str) {
    let text = format!("{MODULE}{records}");
    check(records, text.as_bytes());
    check(records, text.replace('\n', "\r\n").as_bytes());
    for end in MODULE.len()..text.len() {
        check(records, &text.as_bytes()[..end]);
    }
}

#[test]
fn files_of_the_test_data() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read(&path).unwrap();
        for end in 0..=text.len() {
            check(&path.to_string_lossy(), &text[..end]);
        }
        count += 1;
    }
    assert_eq!(count, 16);
}

#[test]
fn first_lines() {
    let id = "00E1107000000000000000000000000D1";
    let long = "x".repeat(400);
    for line in [
        "",
        "MODULE",
        "MODULE ",
        "MODULE Linux",
        "MODULE Linux x86_64",
        "module Linux x86_64 00E1107000000000000000000000000D1 a.so",
        " MODULE Linux x86_64 00E1107000000000000000000000000D1 a.so",
        "MODULE Linux x86_64 00E1107000000000000000000000000D1",
        "MODULE Linux x86_64 00E1107000000000000000000000000D1 ",
        "MODULE\tLinux x86_64 00E1107000000000000000000000000D1 a.so",
        "MODULE   Linux\t x86_64  00E1107000000000000000000000000D1   a b.so  ",
        "MODULE \u{a0} x86_64 00E1107000000000000000000000000D1 a.so",
        "MODULE Lin\u{a0}ux x86_64 00E1107000000000000000000000000D1 a.so",
        "MODULE Linux x86_64 00E1107000000000000000000000000D1\u{a0}",
        "MODULE Linux x86_64 00E1107000000000000000000000000D1\u{a0}a.so",
        "MODULE Linux vax 00E1107000000000000000000000000D1 a.so",
        "MODULE Linux ARM64 00E1107000000000000000000000000D1 a.so",
        "MODULE Linux x86_64 00E1107000000000000000000000000D a.so",
        "MODULE Linux x86_64 00E1107000000000000000000000000 a.so",
        "MODULE Linux x86_64 00E1107000000000000000000000000D123456789abcdef a.so",
        "MODULE Linux x86_64 00E1107000000000000000000000000DG a.so",
        "MODULE windows x86 5A9EC5FA1 a.pdb",
        "MODULE windows x86 5A9EC5FA12345678 a.pdb",
        "MODULE windows x86 5A9EC5FA123456789 a.pdb",
        &format!("MODULE Linux x86_64 {id} {long}"),
        &format!("MODULE Linux x86_64 {}{id} {long}", " ".repeat(280)),
        &format!("MODULE Linux x86_64 {id} {}ü{long}", "x".repeat(265)),
        &format!(
            "MODULE Linux x86_64 {id} a\nPUBLIC 1 0 {}üüü{long}",
            "x".repeat(240)
        ),
    ] {
        for records in ["", "\n", "\r\n", "\nPUBLIC 10 0 name\n"] {
            check(line, format!("{line}{records}").as_bytes());
        }
    }
    let not_text_late = [MODULE.as_bytes(), b"PUBLIC 1 0 a\xffb\n"].concat();
    check("not UTF-8 in a short file", &not_text_late);
    check(
        "not UTF-8 in the beginning",
        &[&not_text_late, long.as_bytes()].concat(),
    );
}

/// Line records, good and bad.
const LINES: &[&str] = &[
    "10 20 5 0",
    "10  20\t5\r0",
    " 10 20 5 0",
    "10 20 5 0 ",
    "\u{a0}10 20 5 0\u{a0}",
    "10 20 5 0 0",
    "10 20 5",
    "10 20",
    "10",
    "",
    " ",
    "\t",
    "x",
    "10 20 -5 0",
    "10 20 - 0",
    "10 20 --5 0",
    "10 20 5 -1",
    "10 20 5a 0",
    "g 20 5 0",
    "0x10 20 5 0",
    "10 20 5 0x",
    "000000000000000000010 20 5 0",
    "10 20 18446744073709551615 0",
    "10 20 18446744073709551616 0",
    "10 20 5 18446744073709551615",
    "10 20 4294967301 0",
    "A fFfF 5 0",
    "ffffffffffffffff 20 5 0",
    "10000000000000000 20 5 0",
    "10 20 5 \u{663}",
    "10 20 5 0\0",
    "m 10 20 5 0",
];

/// Other records, good and bad.
const RECORDS: &[&str] = &[
    "FUNC 10 20 0 f",
    "FUNC m 10 20 0 f",
    "FUNC m\t10  20 0   f g ",
    "FUNC m10 20 0 f",
    "FUNC 10 20 0",
    "FUNC 10 20 0 ",
    "FUNC 10 20",
    "FUNC 10 20 x f",
    "FUNC  10 20 0 f",
    "FUNC",
    "FUNC ",
    "FUNC m",
    "FUNC 10 20 0\u{a0}f",
    "FUNC 10 20 0 m",
    "PUBLIC 10 0 p",
    "PUBLIC m 10 0 p",
    "PUBLIC 10 0",
    "PUBLIC 10",
    "PUBLIC x 0 p",
    "PUBLIC ",
    "PUBLIC 10 0 \0",
    "FILE 1 b.c",
    "INFO x",
    "MODULE Linux x86_64 0 x",
    "INLINE_ORIGIN 1 x",
    "INLINE_ORIGIN 1",
    "INLINE_ORIGIN x y",
    "INLINE_ORIGIN 18446744073709551616 x",
    "INLINE_ORIGIN  2  x y ",
    "INLINE_ORIGIN\t2 x",
    "INLINE",
    "INLINE ",
    "INLINE 0 1 0 0 10 8",
    "INLINE 0 1 0 0 10",
    "INLINE 0 1 0 0",
    "INLINE 0 1 0 0 10 8 18",
    "INLINE 0 1 0 0 10 8 18 4 ",
    "INLINE  0\t1 0 0 10 8 x y",
    "INLINE -1 1 0 0 10 8",
    "INLINE 0 -1 0 0 10 8",
    "INLINE 4294967296 1 0 0 10 8",
    "INLINE 0 1 0 0 10 8 ",
    "STACK WIN 4",
    "STACK",
    "rubbish",
];

#[test]
fn numbers_and_blanks() {
    for line in LINES {
        check_records(&format!("FILE 0 a.c\nFUNC 8 80 0 f\n{line}\n"));
    }
}

#[test]
fn records_inside_and_outside_of_functions() {
    for record in RECORDS {
        for before in ["", "FUNC 8 80 0 f\n10 20 5 0\n", "FUNC 8 0 0 nothing\n"] {
            check_records(&format!(
                "FILE 0 a.c\nINLINE_ORIGIN 0 i\n{before}{record}\n10 20 7 0\nPUBLIC 4 0 q\n"
            ));
        }
    }
}

#[test]
fn file_records() {
    for records in [
        "FILE 0 a.c\nFILE 1\nFILE 2 \nFILE x b.c\nFILE  3   c d.c \n",
        "FILE 5 a.c\nFILE 0 b.c\nFILE 0 /c/d.c\nFILE 18446744073709551615 e.c\n",
        "FILE 0 a.c\nINFO x\nMODULE y\nFILE 1 b.c\nFILE 2 D:\\x\\y.h\nFILE 3 dir/\n",
        "FILE 0 a.c\n\nFILE 1 late.c\n",
        "FILE 0 a.c\nPUBLIC 500 0 p\nFILE 1 late.c\n",
        "FILE 3 a.c\nFILE 1 a.c\nFILE 2 x/a.c\nFILE 0 x\\a.c\n",
    ] {
        check_records(&format!(
            "{records}FUNC 10 80 0 f\n10 8 1 0\n18 8 2 1\n20 8 3 2\n28 8 4 3\n30 8 5 18446744073709551615\n38 8 0 5\n"
        ));
    }
}

#[test]
fn functions_and_publics() {
    for records in [
        "FUNC 10 10 0 a\nFUNC 20 10 0 b\n",
        "FUNC 10 10 0 a\n10 10 1 0\nFUNC 10 20 0 later\n10 8 2 0\n",
        "FUNC 10 10 0 a\nFUNC 10 10 0 later, without lines\n",
        "FUNC 10 40 0 outer\n10 40 1 0\nFUNC 20 10 0 inner\n20 10 2 0\n",
        "FUNC 20 10 0 inner\n20 10 2 0\nFUNC 10 40 0 outer\n10 40 1 0\n",
        "FUNC 30 8 0 c\n30 8 3 0\nFUNC 20 8 0 b\n20 8 2 0\nFUNC 10 8 0 a\n10 8 1 0\nFUNC 18 8 0 between\n",
        "FUNC 10 0 0 nothing\n10 8 1 0\nFUNC 18 1 0 byte\n",
        "FUNC ffffffff 1 0 last\nffffffff 1 1 0\n",
        "FUNC fffffff0 20 0 beyond\nfffffff0 10 1 0\n100000000 8 2 0\nFUNC 100000000 8 0 high\n100000000 8 1 0\n",
        "FUNC 10 ffffffffffffffff 0 wraps\n10 8 1 0\nPUBLIC 8 0 p\nPUBLIC ffffffff 0 q\n",
        "FUNC 10 fffffffffffffff0 0 ends at 2^64\n10 8 1 0\n20 ffffffffffffffff 2 0\n",
        "FUNC 10 40 0 gaps\n20 8 1 0\n30 8 2 0\n",
        "FUNC 10 40 0 unordered\n30 8 2 0\n20 8 1 0\n10 8 3 0\n18 20 4 0\n18 4 5 0\n",
        "FUNC 10 10 0 sticks out\n8 8 1 0\n18 20 2 0\n28 8 3 0\n",
        "PUBLIC 10 0 a\nPUBLIC 10 0 a again\nPUBLIC 8 0 b\nPUBLIC 20 0 c\n",
        "FUNC 10 10 0 f\n10 10 1 0\nPUBLIC 10 0 same start\nPUBLIC 18 0 inside\nPUBLIC 20 0 behind\nPUBLIC 0 0 q\n",
        "PUBLIC 20 0 p\n10 8 1 0\nrubbish\nFUNC 10 10 0 f\n10 10 1 0\n",
        "PUBLIC ffffffff 0 p\nFUNC 10 10 0 p\nPUBLIC 10 0 p\nPUBLIC 40 0 p\n",
    ] {
        check_records(&format!("FILE 0 a.c\n{records}"));
    }
}

#[test]
fn publics_above_32_bits_are_skipped() {
    let text = |public: &str| format!("{MODULE}PUBLIC 10 0 low\n{public}FUNC 20 8 0 f\n");
    let (ours, _) = convert(text("PUBLIC 100000010 0 high\n").as_bytes()).unwrap();
    assert_eq!(Some(ours), convert_by_symbolic(text("").as_bytes()));
}

#[test]
fn inlined_functions() {
    for records in [
        "INLINE 0 5 0 0 20 10\n10 8 1 0\n18 30 2 1\n",
        "INLINE 0 5 0 0 10 40\nINLINE 1 6 1 1 10 40\nINLINE 2 7 0 2 10 40\n10 40 8 1\n",
        "INLINE 1 6 1 1 18 40\nINLINE 0 5 0 0 10 10 20 10 40 4\n10 40 1 0\n",
        "INLINE 0 5 0 0 10 10 18 10 10 20\nINLINE 0 6 1 1 10 8\n10 40 1 0\n",
        "INLINE 1 5 0 0 10 10\nINLINE 3 5 0 0 10 10\n10 40 1 0\n",
        "INLINE 0 5 0 0 8 10 10 0 20 ffffffffffffffff 100 8 40 20\n10 40 1 0\n48 8 2 0\n",
        "INLINE 0 5 7 9 20 8\n10 40 1 9\n",
        "INLINE 0 5 0 0 10 8\nINLINE 0 6 0 1 18 8\nINLINE 0 5 0 0 20 8\n14 18 1 0\n10 4 2 0\n",
        "INLINE 0 0 0 0 10 8\n10 8 -3 0\n18 8 0 1\n",
        "INLINE 512 1 0 0 10 8\nINLINE 513 1 0 0 10 8\nINLINE 4294967296 1 0 0 10 8\n10 8 1 0\n",
        "INLINE_ORIGIN 3 late\nINLINE 0 1 0 3 10 8\nINLINE_ORIGIN 3 other\nINLINE 0 1 0 3 18 8\n10 10 1 0\n",
        "INLINE 0 1 0 4 10 8\nINLINE_ORIGIN 4 after its use\n10 10 1 0\n",
        "INLINE 0 5 0 0 10 8\n",
        "10 8 1 0\nINLINE 0 5 0 0 20 8\n30 8 2 0\n",
        "INLINE 0 1 0 0 10 20\nINLINE 0 2 0 1 18 10\nINLINE 1 3 0 2 14 20\nINLINE 1 4 0 0 18 4\n10 30 1 0\n18 8 9 1\n",
    ] {
        let origins = "INLINE_ORIGIN 0 zero\nINLINE_ORIGIN 2 two\nINLINE_ORIGIN 1 one\n";
        check_records(&format!(
            "FILE 0 a.c\nFILE 1 b.c\n{origins}FUNC 10 40 0 f\n{records}FUNC 50 8 0 g\n50 8 1 1\n"
        ));
    }
}
