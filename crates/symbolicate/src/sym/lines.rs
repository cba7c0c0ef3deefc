//! The lines of a source that is read piece by piece.

use std::io::{self, BufRead, ErrorKind};

use super::SymError;
use crate::writer::Excess;

/// Cuts a source into lines. A line that lies in the reader's buffer is not copied.
#[derive(Debug)]
pub(super) struct Lines<R> {
    source: R,
    /// The number of the line that was returned last, from 1.
    number: u64,
    /// How much of the reader's buffer that line took.
    pending: usize,
    /// The line, if it did not lie in the buffer as a whole.
    carried: Vec<u8>,
    /// The longest line, in bytes.
    limit: usize,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(source: R, limit: usize) -> Self {
        Self {
            source,
            number: 0,
            pending: 0,
            carried: Vec::new(),
            limit,
        }
    }

    /// The number of the line that was returned last, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The next line without its end, which is LF or CR LF. A last line without LF is one, and keeps its CR.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, SymError> {
        self.source.consume(std::mem::take(&mut self.pending));
        self.carried.clear();
        loop {
            let buffer = fill(&mut self.source)?;
            let (length, found) = (buffer.len(), memchr::memchr(b'\n', buffer));
            let taken = found.unwrap_or(length);
            if taken > self.limit.saturating_sub(self.carried.len()) {
                let excess = Excess::new("bytes in one line", self.limit as u64);
                return Err(SymError::too_complex(self.number + 1, excess));
            }
            if found.is_some() {
                self.number += 1;
                self.pending = taken + 1;
                return self.whole(taken).map(Some);
            }
            if length == 0 {
                let is_line = !self.carried.is_empty();
                self.number += u64::from(is_line);
                return Ok(is_line.then_some(self.carried.as_slice()));
            }
            self.carried.extend_from_slice(buffer);
            self.source.consume(length);
        }
    }

    /// The line whose end is in the buffer, after so many bytes.
    fn whole(&mut self, taken: usize) -> Result<&[u8], SymError> {
        let end = &fill(&mut self.source)?[..taken];
        if self.carried.is_empty() {
            return Ok(without_return(end));
        }
        self.carried.extend_from_slice(end);
        Ok(without_return(&self.carried))
    }
}

/// What is in the reader's buffer, which is filled if it is empty. Empty at the end of the source.
fn fill<R: BufRead>(source: &mut R) -> Result<&[u8], SymError> {
    let is_interruption = |error: &io::Error| error.kind() == ErrorKind::Interrupted;
    while let Err(error) = source.fill_buf() {
        if !is_interruption(&error) {
            return Err(SymError::Read(error));
        }
    }
    // Asked again because a borrow cannot leave a loop. Only at the end does this read, which may be interrupted again.
    match source.fill_buf() {
        Err(error) if is_interruption(&error) => Ok(&[]),
        buffer => buffer.map_err(SymError::Read),
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}
