//! The first lines of a Breakpad `.sym` file: which module it describes.
//!
//! Source: Breakpad's symbol file format, records `MODULE` and `INFO`. Only the lines before the first other record
//! are read, of at most the first 64 KiB. An invalid field is left out, never an error: the file is kept
//! as it is, it just cannot be found by that field.

use super::{DebugId, check_name};

/// How much of a file is looked at, in bytes.
pub const SCAN_LENGTH: usize = 64 * 1024;

/// The longest line looked at, in bytes.
const LONGEST_LINE: usize = 4 * 1024;

/// The longest generator text kept, in bytes.
const LONGEST_GENERATOR: usize = 200;

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

impl SymHeader {
    /// Reads the header from the first bytes of a file; bytes after [`SCAN_LENGTH`] are not looked at.
    #[must_use]
    pub fn parse(start: &[u8]) -> Self {
        let scanned = &start[..start.len().min(SCAN_LENGTH)];
        let mut header = Self::default();
        for line in scanned.split(|byte| *byte == b'\n') {
            let Some(line) = text_of(line) else { break };
            match line.split_once(' ') {
                Some(("MODULE", fields)) => header.read_module(fields),
                Some(("INFO", fields)) => header.read_info(fields),
                _ => break,
            }
        }
        header
    }

    /// `MODULE <system> <architecture> <debug id> <debug file>`; the name may contain spaces.
    fn read_module(&mut self, fields: &str) {
        let mut fields = fields.splitn(4, ' ').skip(2);
        if let (Some(id), Some(name)) = (fields.next(), fields.next()) {
            self.debug_id = DebugId::parse(id);
            self.debug_file = legal_name(name);
        }
    }

    /// `INFO CODE_ID <code id> [<code file>]` or `INFO GENERATOR <text>`.
    fn read_info(&mut self, fields: &str) {
        match fields.split_once(' ') {
            Some(("CODE_ID", rest)) => {
                let (id, name) = rest.split_once(' ').unwrap_or((rest, ""));
                self.code_id = DebugId::parse(id);
                self.code_file = legal_name(name);
            }
            Some(("GENERATOR", text))
                if text.len() <= LONGEST_GENERATOR && !text.contains(char::is_control) =>
            {
                self.generator = Some(text.to_owned());
            }
            _ => {}
        }
    }
}

fn text_of(line: &[u8]) -> Option<&str> {
    if line.len() > LONGEST_LINE {
        return None;
    }
    std::str::from_utf8(line)
        .ok()
        .map(|line| line.trim_end_matches('\r'))
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
