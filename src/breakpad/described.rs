//! The description that a client sends with a file, and whether the file matches it.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::error::BreakpadError;
use super::symbol_type::SymbolType;
use symbols::header::{SCAN_LENGTH, SymHeader};
use symbols::{DebugId, SuffixList, SymbolKey};

/// How much of a file is searched for the header of a form's part, in bytes.
const PART_HEADER: usize = 4 * 1024;

/// A client's description of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// The debug file's name; for types that hold code, the code file's name.
    pub debug_file: String,
    /// The debug id, with or without hyphens.
    pub debug_id: String,
    /// What kind of file it is.
    pub kind: SymbolType,
}

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.debug_file, self.debug_id)
    }
}

impl Described {
    /// Describes Breakpad's text file of a module.
    #[must_use]
    pub fn breakpad(debug_file: &str, debug_id: &str) -> Self {
        Self {
            debug_file: debug_file.to_owned(),
            debug_id: debug_id.to_owned(),
            kind: SymbolType::Breakpad,
        }
    }

    /// The key under which the file is stored.
    pub(super) fn key(&self) -> Result<SymbolKey, BreakpadError> {
        let id = self.debug_id.replace('-', "");
        let file_name = self.kind.file_name(&self.debug_file);
        SymbolKey::new(&self.debug_file, &id, &file_name).map_err(|reason| BreakpadError::Name {
            debug_file: self.debug_file.chars().take(200).collect(),
            debug_id: self.debug_id.chars().take(80).collect(),
            reason,
        })
    }

    /// As [`Self::key`], but refuses a key that clients cannot fetch, neither by path nor by build id.
    pub(super) fn stored_name(&self, serve: &SuffixList) -> Result<SymbolKey, BreakpadError> {
        let key = self.key()?;
        if serve.matches_file(key.file_name()) || self.kind.has_build_id() {
            Ok(key)
        } else {
            Err(BreakpadError::NotServed(key.file_name().to_owned()))
        }
    }

    /// Returns whether a file matches the description. Only Breakpad's text names its module; other types always match.
    pub(super) fn is_about(&self, file: &File) -> io::Result<bool> {
        if self.kind != SymbolType::Breakpad {
            return Ok(true);
        }
        let header = SymHeader::parse(&start(file, SCAN_LENGTH)?);
        let id = DebugId::parse(&self.debug_id.replace('-', ""));
        Ok(id.is_some()
            && header.debug_id == id
            && header.debug_file.as_deref() == Some(self.debug_file.as_str()))
    }
}

/// The offset at which a staged file begins. Some versions of `symupload` send the header of a form's part before the
/// file, without the form.
pub(super) fn start_of_file(file: &File) -> io::Result<u64> {
    const END: &[u8] = b"\r\n\r\n";
    let start = start(file, PART_HEADER)?;
    if !start.starts_with(b"Content-Disposition: form-data;") {
        return Ok(0);
    }
    let end = start.windows(END.len()).position(|bytes| bytes == END);
    Ok(end.map_or(0, |end| (end + END.len()) as u64))
}

/// The first bytes of a file.
fn start(file: &File, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match file.read_at(&mut bytes[filled..], filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn names_by_type() {
        for (kind, debug_file, name) in [
            ("BREAKPAD", "app.pdb", "app.sym"),
            ("breakpad", "App.PDB", "App.sym"),
            ("BREAKPAD", "libapp.so", "libapp.so.sym"),
            ("BREAKPAD", ".pdb", ".pdb.sym"),
            ("BREAKPAD", "汉", "汉.sym"),
            ("PDB", "app.pdb", "app.pdb"),
            ("PE", "app.exe", "app.exe"),
            ("ELF", "libapp.so", "libapp.so"),
            ("MACHO", "App", "App"),
            ("DEBUG_ONLY", "libapp.so", "libapp.so.debug"),
            ("DWP", "app", "app.dwp"),
            ("DSYM", "App", "App.dwarf"),
        ] {
            let kind = SymbolType::parse(kind).unwrap();
            let described = Described {
                kind,
                ..Described::breakpad(debug_file, "ab-cd")
            };
            let key = described.key().unwrap();
            assert_eq!(key.to_string(), format!("{debug_file}/ABCD/{name}"));
        }
        let error = SymbolType::parse("ZIP").unwrap_err();
        assert!(error.to_string().contains("DEBUG_ONLY"), "{error}");
    }

    #[test]
    fn a_file_that_nobody_could_fetch_is_refused() {
        let serve = SuffixList::new(&[".sym"]);
        let mut described = Described::breakpad("app.pdb", "AB0");
        assert!(described.stored_name(&serve).is_ok());
        described.kind = SymbolType::Pdb;
        let error = described.stored_name(&serve).unwrap_err().to_string();
        assert!(
            error.contains("app.pdb") && error.contains("download.serve"),
            "{error}"
        );
        assert!(described.stored_name(&SuffixList::new(&[".pdb"])).is_ok());
        for (kind, is_taken) in [
            ("ELF", true),
            ("DEBUG_ONLY", true),
            ("DWP", false),
            ("PE", false),
        ] {
            described.kind = SymbolType::parse(kind).unwrap();
            assert_eq!(described.stored_name(&serve).is_ok(), is_taken, "{kind}");
        }
    }

    #[test]
    fn the_module_line_decides() {
        let text = file(b"MODULE windows x86_64 ab0 my app.pdb\r\nPUBLIC 0 0 main\r\n");
        let says = |name, id| Described::breakpad(name, id).is_about(&text).unwrap();
        assert!(says("my app.pdb", "AB0") && says("my app.pdb", "A-B0"));
        assert!(!says("my app.pdb", "AB1") && !says("app.pdb", "AB0") && !says("my app.pdb", "x"));
        let nothing = file(b"");
        assert!(!Described::breakpad("a", "AB0").is_about(&nothing).unwrap());
    }

    #[test]
    fn a_part_header_before_the_file_is_passed_over() {
        let header =
            b"Content-Disposition: form-data; name=\"symbol_file\"; filename=\"minidump.dmp\"\r\n\
            Content-Type: application/octet-stream\r\n\r\n";
        let with = [&header[..], b"MODULE\r\n\r\n"].concat();
        assert_eq!(start_of_file(&file(&with)).unwrap(), header.len() as u64);
        assert_eq!(start_of_file(&file(b"MODULE\r\n\r\n")).unwrap(), 0);
        assert_eq!(start_of_file(&file(&header[..60])).unwrap(), 0);
        assert_eq!(start_of_file(&file(b"")).unwrap(), 0);
    }
}
