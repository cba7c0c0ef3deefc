//! What a file says of its module: the `MODULE` record in its first line, and the name of the program file.

use std::io::{BufRead, Read};
use std::str::FromStr;

use symbolic_common::{Arch, DebugId};

use super::SymError;
use super::records::text_of;
use crate::writer::Module;

/// How much of a file the `MODULE` record may take, in bytes: what comes after is not looked at. symbolic's limit.
const LONGEST: usize = 320;

/// The `MODULE` record.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) module: Module,
    pub(super) debug_file: String,
}

impl Header {
    /// Reads the record, and returns with it a source that starts at the beginning again.
    pub(super) fn read<R: BufRead>(mut source: R) -> Result<(Self, impl BufRead), SymError> {
        let mut start = Vec::with_capacity(LONGEST + 1);
        let limit = LONGEST as u64 + 1;
        source
            .by_ref()
            .take(limit)
            .read_to_end(&mut start)
            .map_err(SymError::Read)?;
        let header = Self::parse(&start)
            .ok_or_else(|| SymError::damaged(1, "the file does not start with a MODULE record"))?;
        Ok((header, std::io::Cursor::new(start).chain(source)))
    }

    /// The debug id as it stands in the paths of symbol files.
    pub(super) fn debug_id(&self) -> symbols::DebugId {
        symbols::DebugId::parse(&self.module.debug_id.breakpad().to_string())
            .expect("symbolic's ids have up to 40 hexadecimal digits")
    }

    fn parse(start: &[u8]) -> Option<Self> {
        if !start.starts_with(b"MODULE ") {
            return None;
        }
        let start = if start.len() > LONGEST {
            whole_characters(&start[..LONGEST])?
        } else {
            start
        };
        let line = start.split(|byte| *byte == b'\n').next()?;
        Self::parse_fields(text_of(line)?.strip_prefix("MODULE")?)
    }

    /// `<system> <architecture> <debug id> [<debug file>]`.
    fn parse_fields(fields: &str) -> Option<Self> {
        let fields = after_blanks(fields)?;
        let (_system, fields) = word(fields)?;
        let (arch, fields) = word(fields)?;
        let is_digit = |c: char| c.is_ascii_hexdigit();
        let name = fields.trim_start_matches(is_digit);
        let id = &fields[..fields.len() - name.len()];
        let name = if name.is_empty() {
            ""
        } else {
            after_blanks(name)?
        };
        let module = Module {
            debug_id: DebugId::from_str(id).ok()?,
            arch: Arch::from_str(arch).ok()?,
        };
        Some(Self {
            module,
            debug_file: name.to_owned(),
        })
    }
}

/// The bytes without the character that their end cuts in two; nothing if they are not UTF-8.
fn whole_characters(bytes: &[u8]) -> Option<&[u8]> {
    match std::str::from_utf8(bytes) {
        Ok(_) => Some(bytes),
        Err(error) if error.error_len().is_none() => Some(&bytes[..error.valid_up_to()]),
        Err(_) => None,
    }
}

/// A field and what comes after the blanks behind it.
fn word(fields: &str) -> Option<(&str, &str)> {
    let (word, rest) = fields.split_at(fields.find(char::is_whitespace)?);
    after_blanks(rest).map(|rest| (word, rest))
}

fn after_blanks(fields: &str) -> Option<&str> {
    let rest = fields.trim_start_matches([' ', '\t', '\r', '\n']);
    (rest.len() < fields.len()).then_some(rest)
}

/// Finds the name of the program file: that of the first `INFO` record, if it has exactly four words. Eliot's rule.
#[derive(Debug, Default)]
pub(super) struct ProgramFile {
    pub(super) name: Option<String>,
    is_decided: bool,
}

impl ProgramFile {
    /// Looks at the next line.
    pub(super) fn look_at(&mut self, line: &[u8]) {
        let starts_with = |keyword: &[u8]| line.starts_with(keyword);
        if self.is_decided {
            return;
        }
        if starts_with(b"INFO") {
            self.name = program_file(line);
            self.is_decided = true;
        }
        self.is_decided |= starts_with(b"FILE") || starts_with(b"PUBLIC") || starts_with(b"FUNC");
    }
}

/// The last of the four words of `INFO CODE_ID <code id> <program file>`, between which there is one blank each.
fn program_file(line: &[u8]) -> Option<String> {
    let words: Vec<&[u8]> = line.splitn(5, |byte| *byte == b' ').collect();
    let [_, _, _, name] = words[..] else {
        return None;
    };
    text_of(name)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
}
