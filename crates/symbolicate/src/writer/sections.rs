//! The bytes of a symcache, section by section.

use std::io::{self, Write};

use symbolic_common::{Arch, DebugId};

use crate::format::{Location, MAGIC, NONE, VERSION};

use super::Builder;

/// How many bytes are collected before they are written.
const PIECE: usize = 64 * 1024;

/// What a symcache says of its module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Module {
    pub(crate) debug_id: DebugId,
    pub(crate) arch: Arch,
}

impl Builder {
    /// Writes everything and returns how many bytes that were. Symbols must have been added before, if only none.
    pub(crate) fn write<W: Write>(&self, module: &Module, target: W) -> io::Result<u64> {
        let mut out = Out::new(target);
        self.write_header(module, &mut out)?;
        for file in self.files.values() {
            out.numbers([self.no_directory, file.directory, file.name])?;
            out.numbers([NONE; 3])?;
        }
        out.pad()?;
        for function in self.functions.values() {
            out.numbers([function.name, NONE, function.start, function.language])?;
        }
        out.pad()?;
        for call in self.calls.values() {
            out.location(call)?;
        }
        for range in self.ranges.sorted() {
            out.location(&range.location)?;
        }
        out.pad()?;
        for range in self.ranges.sorted() {
            out.numbers([range.start])?;
        }
        out.pad()?;
        out.finish(self.strings.bytes())
    }

    fn write_header<W: Write>(&self, module: &Module, out: &mut Out<W>) -> io::Result<()> {
        let files = self.files.values().len();
        let functions = self.functions.values().len();
        let ranges = self.ranges.sorted().len();
        let locations = self.calls.values().len() + ranges;
        let strings = self.strings.bytes().len();
        out.bytes(&MAGIC)?;
        out.numbers([VERSION])?;
        out.bytes(&packed(module.debug_id))?;
        out.numbers([module.arch as u32])?;
        for count in [files, functions, locations, ranges, strings] {
            let count = u32::try_from(count).expect("the limits are far below 2^32");
            out.numbers([count])?;
        }
        out.bytes(&[0; 16])
    }
}

/// A debug id as the format has it: the bytes of the GUID, the age, and a 1 at the end if it is one of PDB 2.0.
fn packed(id: DebugId) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(id.uuid().as_bytes());
    bytes[16..20].copy_from_slice(&id.appendix().to_le_bytes());
    bytes[31] = u8::from(id.is_pdb20());
    bytes
}

/// Writes numbers in large pieces.
struct Out<W> {
    target: W,
    piece: Vec<u8>,
    written: u64,
}

impl<W: Write> Out<W> {
    fn new(target: W) -> Self {
        Self {
            target,
            piece: Vec::with_capacity(PIECE),
            written: 0,
        }
    }

    fn numbers<const COUNT: usize>(&mut self, numbers: [u32; COUNT]) -> io::Result<()> {
        self.bytes(numbers.map(u32::to_le_bytes).as_flattened())
    }

    fn location(&mut self, location: &Location) -> io::Result<()> {
        self.numbers([
            location.file,
            location.line,
            location.function,
            location.inlined_into,
        ])
    }

    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.piece.extend_from_slice(bytes);
        self.flush_if_full()
    }

    /// Fills up to a multiple of 8 bytes.
    fn pad(&mut self) -> io::Result<()> {
        let length = self.written + self.piece.len() as u64;
        for _ in length..length.next_multiple_of(8) {
            self.bytes(&[0])?;
        }
        Ok(())
    }

    fn flush_if_full(&mut self) -> io::Result<()> {
        if self.piece.len() < PIECE - 64 {
            return Ok(());
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.target.write_all(&self.piece)?;
        self.written += self.piece.len() as u64;
        self.piece.clear();
        Ok(())
    }

    /// Writes the last section as it is.
    fn finish(mut self, last: &[u8]) -> io::Result<u64> {
        self.flush()?;
        self.target.write_all(last)?;
        self.target.flush()?;
        Ok(self.written + last.len() as u64)
    }
}
