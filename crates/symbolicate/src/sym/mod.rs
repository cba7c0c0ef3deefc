//! Converts `.sym` files, line by line, to the very bytes that symbolic makes of them.
//!
//! `MODULE`, `INFO` and `FILE` records stand at the beginning, and the first other line ends them. After that a `FUNC`
//! record starts a function, to which the line and `INLINE` records after it belong, until the next `FUNC`, `PUBLIC` or
//! `STACK` record. Nothing is read from the first `STACK` record on. `PUBLIC` records count where no function is, so
//! they wait until the end.
//!
//! What does not parse refuses the file, except `FILE` and `PUBLIC` records, which are skipped, and whatever stands
//! outside of functions. The rules are those of symbolic-debuginfo and symbolic-symcache 13.9, with one exception:
//! `PUBLIC` records at 2^32 and above are skipped; symbolic gives their names to other addresses.

mod catalog;
mod error;
mod function;
mod header;
mod limits;
mod lines;
mod publics;
mod records;

use std::io::{BufRead, Write};

use symbols::DebugId;

use crate::writer::{Builder, Excess};

use catalog::Catalog;
use function::{Function, Names};
use header::{Header, ProgramFile};
use lines::Lines;
use publics::Publics;
use records::{FunctionRecord, InlineRecord, LineRecord, NumberedRecord, PublicRecord};

pub use error::SymError;
pub use limits::Limits;

/// What converting a `.sym` file has found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvertedSym {
    /// The name of the program file, as in `xul.dll`, if the first `INFO` record has exactly four words: the name that
    /// Eliot answers for Windows modules.
    pub program_file: Option<String>,
    /// The name in the `MODULE` record, as in `xul.pdb`; empty if there is none, cut if the record is longer than 320
    /// bytes.
    pub debug_file: String,
    /// The debug id in the `MODULE` record, with an age of 0 if it has none.
    pub debug_id: DebugId,
    /// How many lines were read; there may be more after the first `STACK` record.
    pub lines: u64,
    /// The length of the symcache in bytes.
    pub size: u64,
}

/// Converts a `.sym` file to a symcache.
///
/// The source is read once, line by line, and not beyond the buffer that holds the first `STACK` record: who needs its
/// end, as for a digest, reads the rest. The symcache is written when everything has been read, in pieces of about 64
/// KiB, the largest as a whole. Memory is about that of the symcache, bounded by the limits.
///
/// # Errors
/// See [`SymError`]. Nothing has been written unless it is [`SymError::Write`].
pub fn convert_sym<R: BufRead, W: Write>(
    source: R,
    limits: &Limits,
    target: W,
) -> Result<ConvertedSym, SymError> {
    let (header, source) = Header::read(source)?;
    let mut lines = Lines::new(source, limits.line_length);
    let mut converter = Converter::new(limits);
    while let Some(line) = lines.next()? {
        match converter.read(line) {
            Ok(true) => {}
            Ok(false) => break,
            Err(fault) => return Err(fault.at(lines.number())),
        }
    }
    let at_end = |excess| SymError::too_complex(lines.number(), excess);
    converter.finish().map_err(at_end)?;
    let written = converter.builder.write(&header.module, target);
    Ok(ConvertedSym {
        program_file: converter.program_file.name,
        debug_id: header.debug_id(),
        debug_file: header.debug_file,
        lines: lines.number(),
        size: written.map_err(SymError::Write)?,
    })
}

/// What is wrong with a line.
enum Fault {
    Rule(&'static str),
    Excess(Excess),
}

impl Fault {
    fn at(self, line: u64) -> SymError {
        match self {
            Self::Rule(rule) => SymError::damaged(line, rule),
            Self::Excess(excess) => SymError::too_complex(line, excess),
        }
    }
}

impl From<Excess> for Fault {
    fn from(excess: Excess) -> Self {
        Self::Excess(excess)
    }
}

/// Which records the next line may belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Only `MODULE`, `INFO` and `FILE` records have come so far.
    Header,
    /// In no function.
    Outside,
    /// In a function.
    Inside,
    /// In a function that has no addresses: its records must be good, and are not kept.
    InsideNothing,
}

/// Reads lines.
struct Converter {
    state: State,
    program_file: ProgramFile,
    names: Names,
    function: Function,
    publics: Publics,
    builder: Builder,
}

impl Converter {
    fn new(limits: &Limits) -> Self {
        Self {
            state: State::Header,
            program_file: ProgramFile::default(),
            names: Names {
                files: Catalog::new(limits.strings),
                origins: Catalog::new(limits.strings),
            },
            function: Function::new(limits.clone()),
            publics: Publics::new(limits.strings),
            builder: Builder::new(limits.strings, limits.locations),
        }
    }

    /// Reads a line, and says whether the next one is wanted.
    fn read(&mut self, line: &[u8]) -> Result<bool, Fault> {
        if self.state == State::Header {
            self.program_file.look_at(line);
            if line.starts_with(b"MODULE ") || line.starts_with(b"INFO ") {
                return Ok(true);
            }
            if line.starts_with(b"FILE ") {
                self.read_file(line)?;
                return Ok(true);
            }
            self.state = State::Outside;
        }
        match line.first() {
            Some(b'S') if line.starts_with(b"STACK ") => return Ok(false),
            Some(b'F') if line.starts_with(b"FUNC ") => self.read_function(line)?,
            Some(b'P') if line.starts_with(b"PUBLIC ") => self.read_public(line)?,
            Some(b'I') if line.starts_with(b"INLINE_ORIGIN ") => self.read_origin(line)?,
            Some(_) if self.state != State::Outside => self.read_inside(line)?,
            _ => {}
        }
        Ok(true)
    }

    fn read_file(&mut self, line: &[u8]) -> Result<(), Fault> {
        match NumberedRecord::parse_file(line) {
            Some(record) => Ok(self.names.files.name(record.number, record.text)?),
            None => Ok(()),
        }
    }

    fn read_function(&mut self, line: &[u8]) -> Result<(), Fault> {
        self.finish_function()?;
        let record =
            FunctionRecord::parse(line).ok_or(Fault::Rule("the FUNC record is damaged"))?;
        self.state = State::InsideNothing;
        if let (Ok(address), 1..) = (u32::try_from(record.address), record.size) {
            let number = self.builder.function(record.name, address)?;
            self.function.start(address, record.size, number);
            self.state = State::Inside;
        }
        Ok(())
    }

    fn read_public(&mut self, line: &[u8]) -> Result<(), Fault> {
        self.finish_function()?;
        self.state = State::Outside;
        if let Some(record) = PublicRecord::parse(line)
            && let Ok(address) = u32::try_from(record.address)
        {
            self.publics.add(address, record.name)?;
        }
        Ok(())
    }

    fn read_origin(&mut self, line: &[u8]) -> Result<(), Fault> {
        let record = NumberedRecord::parse_origin(line)
            .ok_or(Fault::Rule("the INLINE_ORIGIN record is damaged"))?;
        Ok(self.names.origins.name(record.number, record.text)?)
    }

    /// Reads a line or `INLINE` record.
    fn read_inside(&mut self, line: &[u8]) -> Result<(), Fault> {
        let is_kept = self.state == State::Inside;
        if !line.starts_with(b"INLINE ") {
            let record =
                LineRecord::parse(line).ok_or(Fault::Rule("the line record is damaged"))?;
            if is_kept {
                self.function.add_line(&record, &self.names)?;
            }
            return Ok(());
        }
        let rule = Fault::Rule("the INLINE record is damaged");
        let Some(record) = InlineRecord::parse(line) else {
            return Err(rule);
        };
        for range in record.ranges() {
            let Some(range) = range else {
                return Err(rule);
            };
            if is_kept {
                self.function.add_inline(&record, range, &self.names)?;
            }
        }
        Ok(())
    }

    fn finish_function(&mut self) -> Result<(), Excess> {
        match self.state {
            State::Inside => self.function.finish(&mut self.names, &mut self.builder),
            _ => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<(), Excess> {
        self.finish_function()?;
        self.state = State::Outside;
        self.builder.add_symbols(self.publics.iter())
    }
}
