//! The first lines of a Breakpad `.sym` file: which module it describes.
//!
//! Source: Breakpad's symbol file format, records `MODULE` and `INFO`. Only the lines before the first other record
//! are read, of at most the first 64 KiB. Fields end at runs of blanks and tabs, as for every reader of these files. An
//! invalid field is left out, never an error: the file is kept as it is, it just cannot be found by that field.

use super::{DebugId, check_name};

/// How much of a file is looked at, in bytes.
pub const SCAN_LENGTH: usize = 64 * 1024;

/// The longest line looked at, in bytes.
const LONGEST_LINE: usize = 4 * 1024;

/// The longest generator text kept, in bytes.
const LONGEST_GENERATOR: usize = 200;

/// What stands between the fields of a line.
const BLANKS: [char; 2] = [' ', '\t'];

/// The description of a module in its `.sym` file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SymHeader {
    /// The debug file's name, as in `xul.pdb`.
    pub debug_file: Option<String>,
    /// The debug id.
    pub debug_id: Option<DebugId>,
    /// The code file's name, as in `xul.dll`.
    pub code_file: Option<String>,
    /// The code id: time stamp and size of a PE file, build id of an ELF file.
    pub code_id: Option<DebugId>,
    /// The program that wrote the file.
    pub generator: Option<String>,
}

/// Why a `.sym` file names no module, so that it is found by its path alone, and most readers refuse it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadFault {
    /// The text is UTF-16, as some shells of Windows write it into files.
    Utf16,
    /// The text begins with the byte order mark of UTF-8.
    ByteOrderMark,
    /// The first line is not `MODULE` with a debug id and a legal name.
    NoModule,
}

impl SymHeader {
    /// Reads the header from the first bytes of a file; bytes after [`SCAN_LENGTH`] are not looked at.
    #[must_use]
    pub fn parse(start: &[u8]) -> Self {
        let scanned = &start[..start.len().min(SCAN_LENGTH)];
        let mut header = Self::default();
        for line in scanned.split(|byte| *byte == b'\n') {
            let Some(line) = text_of(line) else { break };
            match split_field(line) {
                ("MODULE", fields) => header.read_module(fields),
                ("INFO", fields) => header.read_info(fields),
                _ => break,
            }
        }
        header
    }

    /// `MODULE <system> <architecture> <debug id> <debug file>`; the name may contain blanks.
    fn read_module(&mut self, fields: &str) {
        let (_system, fields) = split_field(fields);
        let (_architecture, fields) = split_field(fields);
        let (id, name) = split_field(fields);
        if !name.is_empty() {
            self.debug_id = DebugId::parse(id);
            self.debug_file = legal_name(name);
        }
    }

    /// `INFO CODE_ID <code id> [<code file>]` or `INFO GENERATOR <text>`.
    fn read_info(&mut self, fields: &str) {
        match split_field(fields) {
            ("CODE_ID", rest) => {
                let (id, name) = split_field(rest);
                self.code_id = DebugId::parse(id);
                self.code_file = legal_name(name);
            }
            ("GENERATOR", text)
                if !text.is_empty()
                    && text.len() <= LONGEST_GENERATOR
                    && !text.contains(char::is_control) =>
            {
                self.generator = Some(text.to_owned());
            }
            _ => {}
        }
    }
}

impl HeadFault {
    /// Why this header, read from these first bytes, names no module; `None` if it does.
    #[must_use]
    pub fn of(header: &SymHeader, start: &[u8]) -> Option<Self> {
        if header.debug_file.is_some() && header.debug_id.is_some() {
            return None;
        }
        let begins_with = |marks: &[&[u8]]| marks.iter().any(|mark| start.starts_with(mark));
        Some(
            if begins_with(&[b"\xff\xfe", b"\xfe\xff", b"M\0", b"\0M"]) {
                Self::Utf16
            } else if begins_with(&[b"\xef\xbb\xbf"]) {
                Self::ByteOrderMark
            } else {
                Self::NoModule
            },
        )
    }
}

/// The first field, and what follows the blanks and tabs behind it.
fn split_field(text: &str) -> (&str, &str) {
    let (field, rest) = text.split_once(BLANKS).unwrap_or((text, ""));
    (field, rest.trim_start_matches(BLANKS))
}

fn text_of(line: &[u8]) -> Option<&str> {
    if line.len() > LONGEST_LINE {
        return None;
    }
    std::str::from_utf8(line)
        .ok()
        .map(|line| line.trim_end_matches([' ', '\t', '\r']))
}

fn legal_name(name: &str) -> Option<String> {
    check_name(name).ok().map(|()| name.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn windows_file_with_everything() {
        let text = b"MODULE windows x86_64 44e4ec8c2f41492b9369d6b9a059577c2 my lib.pdb\r\n\
            INFO CODE_ID 5e9a1234F000 my lib.dll\r\nINFO GENERATOR mozilla/dump_syms 2.3.4\r\nFILE 0 a.c\r\n\
            INFO CODE_ID 1 other.dll\r\n";
        let header = SymHeader::parse(text);
        assert_eq!(header.debug_file.as_deref(), Some("my lib.pdb"));
        assert_eq!(
            header.debug_id.unwrap().as_str(),
            "44E4EC8C2F41492B9369D6B9A059577C2"
        );
        assert_eq!(header.code_file.as_deref(), Some("my lib.dll"));
        assert_eq!(header.code_id.unwrap().as_str(), "5E9A1234F000");
        assert_eq!(header.generator.as_deref(), Some("mozilla/dump_syms 2.3.4"));
    }

    #[test]
    fn linux_file_without_code_file_or_generator() {
        let header = SymHeader::parse(
            b"MODULE Linux x86_64 AB0 libxul.so\nINFO CODE_ID CD\nPUBLIC 0 0 main\n",
        );
        assert_eq!(header.debug_file.as_deref(), Some("libxul.so"));
        assert_eq!(header.code_id.unwrap().as_str(), "CD");
        assert_eq!((header.code_file, header.generator), (None, None));
    }

    #[test]
    fn fields_end_at_runs_of_blanks_and_tabs() {
        for text in [
            "MODULE  Linux   x86_64 AB0  my  lib.so \nINFO  CODE_ID  CD \t my  lib.so\t\nINFO GENERATOR  a  b \r\n",
            "MODULE\tLinux\tx86_64\tAB0\tmy  lib.so\nINFO\tCODE_ID\tCD\tmy  lib.so\nINFO\tGENERATOR\ta  b\n",
        ] {
            let header = SymHeader::parse(text.as_bytes());
            assert_eq!(header.debug_file.as_deref(), Some("my  lib.so"), "{text:?}");
            assert_eq!(header.debug_id.unwrap().as_str(), "AB0");
            assert_eq!(header.code_file.as_deref(), Some("my  lib.so"));
            assert_eq!(header.code_id.unwrap().as_str(), "CD");
            assert_eq!(header.generator.as_deref(), Some("a  b"));
        }
        let tab_in_name = SymHeader::parse(b"MODULE Linux x86_64 AB0 my\tlib.so\n");
        assert_eq!(tab_in_name.debug_file, None);
        let indented = SymHeader::parse(b" MODULE Linux x86_64 AB0 lib.so\n");
        assert_eq!(indented, SymHeader::default());
        let bare = SymHeader::parse(b"MODULE\nINFO\nINFO CODE_ID\nINFO GENERATOR \n");
        assert_eq!(bare, SymHeader::default());
    }

    #[test]
    fn a_head_without_a_module_says_why() {
        let fault = |start: &[u8]| HeadFault::of(&SymHeader::parse(start), start);
        let line = "MODULE Linux x86_64 AB0 a.so\n";
        let little: Vec<u8> = line.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = line.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(fault(line.as_bytes()), None);
        for start in [
            [b"\xff\xfe", &little[..]].concat(),
            [b"\xfe\xff", &big[..]].concat(),
            little,
            big,
        ] {
            assert_eq!(fault(&start), Some(HeadFault::Utf16), "{start:?}");
        }
        let marked = ["\u{feff}", line].concat();
        assert_eq!(fault(marked.as_bytes()), Some(HeadFault::ByteOrderMark));
        for start in [
            "",
            "FILE 0 a.c\n",
            "MODULE Linux x86_64 AB0\n",
            "MODULE Linux x86_64 zz a.so\n",
            "MODULE Linux x86_64 AB0 a/b\n",
        ] {
            assert_eq!(
                fault(start.as_bytes()),
                Some(HeadFault::NoModule),
                "{start}"
            );
        }
    }

    #[test]
    fn senseless_fields_are_left_out() {
        assert_eq!(
            SymHeader::parse(b"MODULE Linux x86_64 AB0\n"),
            SymHeader::default()
        );
        let header = SymHeader::parse(
            b"MODULE Linux x86_64 nonsense a/b\nINFO CODE_ID zz ../x\nINFO GENERATOR a\x1bb\n",
        );
        assert_eq!(header, SymHeader::default());
        assert_eq!(SymHeader::parse(b"\xff\xfe\n"), SymHeader::default());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = SymHeader::parse(&bytes);
        }
    }
}
