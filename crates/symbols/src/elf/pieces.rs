//! A file of which only some pieces are known.

use std::ops::Range;

use object::ReadRef;

/// The longest name of a section that is read, in bytes: without a bound, a thousand sections could each name the same
/// megabyte.
const LONGEST_NAME: u64 = 256;

/// Some bytes of a file, and where they lie in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Piece {
    /// Where the first byte lies.
    pub(super) offset: u64,
    /// How many bytes are wanted.
    length: u64,
    /// The bytes that are known, from the first one on.
    pub(super) bytes: Vec<u8>,
}

impl Piece {
    /// A piece that is to be kept while its file goes by. Its end is a number.
    pub(super) fn wanted(offset: u64, length: u64) -> Self {
        Self {
            offset,
            length,
            bytes: Vec::new(),
        }
    }

    /// A piece that is known.
    pub(super) fn known(offset: u64, bytes: Vec<u8>) -> Self {
        Self {
            offset,
            length: bytes.len() as u64,
            bytes,
        }
    }

    /// Where the wanted bytes end.
    pub(super) fn end(&self) -> u64 {
        self.offset + self.length
    }

    /// Keeps what is wanted of the bytes of the file at a position.
    pub(super) fn keep(&mut self, position: u64, bytes: &[u8]) {
        let within = |at: u64| {
            let index = usize::try_from(at.saturating_sub(position));
            index.unwrap_or(usize::MAX).min(bytes.len())
        };
        let wanted = &bytes[within(self.offset)..within(self.end())];
        self.bytes.extend_from_slice(wanted);
    }

    fn get(&self, offset: u64, size: u64) -> Option<&[u8]> {
        let start = usize::try_from(offset.checked_sub(self.offset)?).ok()?;
        let end = start.checked_add(usize::try_from(size).ok()?)?;
        self.bytes.get(start..end)
    }
}

/// The pieces of a file, as the reader of ELF files takes them: what is not known is an error to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pieces<'a>(pub(super) &'a [Piece]);

impl<'a> ReadRef<'a> for Pieces<'a> {
    fn len(self) -> Result<u64, ()> {
        let ends = self
            .0
            .iter()
            .map(|piece| piece.offset.saturating_add(piece.bytes.len() as u64));
        ends.max().ok_or(())
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'a [u8], ()> {
        let found = self.0.iter().find_map(|piece| piece.get(offset, size));
        found.ok_or(())
    }

    fn read_bytes_at_until(self, range: Range<u64>, delimiter: u8) -> Result<&'a [u8], ()> {
        let holds = |piece: &&Piece| piece.get(range.start, 1).is_some();
        let piece = self.0.iter().find(holds).ok_or(())?;
        let known_end = piece.offset.saturating_add(piece.bytes.len() as u64);
        let end = range
            .end
            .min(known_end)
            .min(range.start.saturating_add(LONGEST_NAME));
        let length = end.checked_sub(range.start).ok_or(())?;
        let bytes = piece.get(range.start, length).ok_or(())?;
        let end = bytes.iter().position(|byte| *byte == delimiter).ok_or(())?;
        Ok(&bytes[..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_can_be_read() {
        let pieces = [
            Piece::known(0, b"head".to_vec()),
            Piece::known(100, b"name\0rest".to_vec()),
        ];
        let pieces = Pieces(&pieces);
        assert_eq!(pieces.len(), Ok(109));
        assert_eq!(pieces.read_bytes_at(1, 3), Ok(&b"ead"[..]));
        assert_eq!(pieces.read_bytes_at(105, 4), Ok(&b"rest"[..]));
        for (offset, size) in [(1, 4), (4, 1), (99, 2), (109, 1), (u64::MAX, u64::MAX)] {
            assert_eq!(pieces.read_bytes_at(offset, size), Err(()));
        }
        assert_eq!(pieces.read_bytes_at_until(100..109, 0), Ok(&b"name"[..]));
        for range in [105..109, 100..104, 50..60, 99..105] {
            assert_eq!(pieces.read_bytes_at_until(range, 0), Err(()));
        }
    }
}
