//! Reading and writing: sources in pieces, faults on both sides, and what is found on the way.

use std::io::{self, BufReader, Read, Write};

use super::{MODULE, convert, second_opinion};
use crate::{Limits, SymError, convert_sym};

/// Fails after what comes before it.
struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("broken"))
    }
}

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::other("broken"))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Gives one byte at a time, after an interruption each.
struct Slow<'a>(&'a [u8], bool);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        self.0.read(&mut buffer[..1])
    }
}

#[test]
fn pieces_make_no_difference() {
    let decisions: Vec<u8> = (0..400_u32)
        .map(|index| (index * index % 251) as u8)
        .collect();
    let text = second_opinion::write(&decisions).replace('\n', "\r\n");
    let expected = convert(text.as_bytes()).unwrap();
    for capacity in [1, 2, 3, 7, 60, 319, 320, 321, 322, 1 << 16] {
        let source = BufReader::with_capacity(capacity, Slow(text.as_bytes(), false));
        let mut symcache = Vec::new();
        let converted = convert_sym(source, &Limits::default(), &mut symcache).unwrap();
        assert!((symcache, converted) == expected, "{capacity}");
    }
}

#[test]
fn faults_of_reading_and_writing_are_not_the_file_s() {
    for text in [
        "",
        MODULE,
        &format!("{MODULE}{}", "PUBLIC 10 0 p\n".repeat(1_000)),
    ] {
        let source = BufReader::new(text.as_bytes().chain(Broken));
        let mut symcache = Vec::new();
        let error = convert_sym(source, &Limits::default(), &mut symcache).unwrap_err();
        assert!(matches!(error, SymError::Read(_)), "{error:?}");
        assert_eq!(symcache, b"");
    }
    let error = convert_sym(MODULE.as_bytes(), &Limits::default(), Broken).unwrap_err();
    assert!(matches!(error, SymError::Write(_)), "{error:?}");
}

#[test]
fn nothing_is_read_behind_the_first_stack_record() {
    let lines = "10 1 1 0\n".repeat(100);
    let start = format!("{MODULE}FUNC 10 10 0 f\n{lines}STACK CFI INIT 10 10 .cfa: $rsp 8 +\n");
    let source = BufReader::new(start.as_bytes().chain(Broken));
    let converted = convert_sym(source, &Limits::default(), io::sink()).unwrap();
    assert_eq!(converted.lines, 103);
}

#[test]
fn refusals_tell_the_line_and_the_rule_and_no_text() {
    let text = |records: &str| {
        convert(format!("{MODULE}{records}").as_bytes())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        convert(b"secret").unwrap_err().to_string(),
        "line 1: the file does not start with a MODULE record"
    );
    assert_eq!(
        text("FILE 0 a.c\n\nFUNC secret\n"),
        "line 4: the FUNC record is damaged"
    );
    assert_eq!(
        text("FUNC 1 1 0 f\r\n1 1 secret"),
        "line 3: the line record is damaged"
    );
    assert_eq!(
        text("FUNC 1 1 0 f\nINLINE 0 0 0 0 secret\n"),
        "line 3: the INLINE record is damaged"
    );
    assert_eq!(
        text("INLINE_ORIGIN secret\n"),
        "line 2: the INLINE_ORIGIN record is damaged"
    );
    // Found before the damaged line behind it.
    assert_eq!(
        text("FUNC 1 1 0 f\nsecret\nsecret\n"),
        "line 3: the line record is damaged"
    );
}

#[test]
fn what_a_file_says_of_its_module() {
    let text = "MODULE windows x86_64 00e1107000000000000000000000000dA my lib.pdb\nINFO CODE_ID 65A1 my.dll\n\n";
    let (_, converted) = convert(text.as_bytes()).unwrap();
    assert_eq!(converted.debug_file, "my lib.pdb");
    assert_eq!(
        converted.debug_id.as_str(),
        "00E1107000000000000000000000000DA"
    );
    assert_eq!(converted.program_file.as_deref(), Some("my.dll"));
    assert_eq!(converted.lines, 3);
}

#[test]
fn program_files_are_named_by_the_first_info_record_of_four_words() {
    let name = |records: &str| {
        convert(format!("{MODULE}{records}").as_bytes())
            .unwrap()
            .1
            .program_file
    };
    let xul = Some("xul.dll".to_owned());
    assert_eq!(name("INFO CODE_ID 65A1 xul.dll\r\nINFO GENERATOR x\n"), xul);
    assert_eq!(name("INFO GENERATOR mozilla/dump_syms xul.dll"), xul);
    for records in [
        "",
        "INFO CODE_ID 65A1\n",
        "INFO CODE_ID 65A1 \n",
        "INFO CODE_ID 65A1 a b.dll\n",
        "INFO CODE_ID  65A1 b.dll\n",
        "INFO CODE_ID 65A1\nINFO CODE_ID 65A1 xul.dll\n",
        "FILE 0 a.c\nINFO CODE_ID 65A1 xul.dll\n",
        "PUBLIC 10 0 p\nINFO CODE_ID 65A1 xul.dll\n",
        "INFO CODE_ID 65A1\u{a0}xul.dll\n",
    ] {
        assert_eq!(name(records), None, "{records:?}");
    }
}
