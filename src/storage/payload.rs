//! The bytes of an object on their way into a storage.
//!
//! Bytes are never gathered in memory: a payload is a list of short buffers and ranges of a temporary file, which can
//! be read more than once, so that a driver can repeat a request that failed.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;

/// One piece of a payload.
#[derive(Clone, Debug)]
pub enum Part {
    /// Bytes in memory: a gzip header or trailer.
    Memory(Bytes),
    /// A range of a file.
    File {
        /// The file, shared by all members of an archive.
        file: Arc<File>,
        /// Where the range begins.
        offset: u64,
        /// How long it is.
        length: u64,
    },
}

impl Part {
    fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { length, .. } => *length,
        }
    }

    /// The bytes of a range, which lies within this part.
    fn slice(&self, range: Range<u64>) -> Self {
        match self {
            Self::Memory(bytes) => {
                let position = |at| usize::try_from(at).unwrap_or(usize::MAX);
                Self::Memory(bytes.slice(position(range.start)..position(range.end)))
            }
            Self::File { file, offset, .. } => Self::File {
                file: Arc::clone(file),
                offset: offset + range.start,
                length: range.end - range.start,
            },
        }
    }
}

/// The pieces of an object, in order.
#[derive(Clone, Debug, Default)]
pub struct Payload {
    parts: Vec<Part>,
}

impl Payload {
    /// Makes a payload of its pieces.
    #[must_use]
    pub fn new(parts: Vec<Part>) -> Self {
        Self { parts }
    }

    /// The whole length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.parts.iter().map(Part::len).sum()
    }

    /// Returns whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of a range, without those of it that lie past the end.
    #[must_use]
    pub fn slice(&self, range: Range<u64>) -> Self {
        let mut parts = Vec::new();
        let mut before = 0;
        for part in &self.parts {
            let within = |at: u64| at.saturating_sub(before).min(part.len());
            let range = within(range.start)..within(range.end);
            if !range.is_empty() {
                parts.push(part.slice(range));
            }
            before += part.len();
        }
        Self { parts }
    }

    /// Reads the payload from its start, with blocking calls.
    #[must_use]
    pub fn reader(&self) -> PayloadReader {
        PayloadReader {
            parts: self.parts.clone().into(),
            position: 0,
        }
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self::new(vec![Part::Memory(bytes)])
    }
}

/// Reads a payload from start to end.
#[derive(Debug)]
pub struct PayloadReader {
    parts: std::collections::VecDeque<Part>,
    /// Bytes already read of the first part.
    position: u64,
}

impl Read for PayloadReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(part) = self.parts.front() {
            let left = part.len() - self.position;
            if left == 0 {
                self.parts.pop_front();
                self.position = 0;
                continue;
            }
            let wanted = usize::try_from(left)
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            let count = match part {
                Part::Memory(bytes) => (&bytes[bytes.len() - usize::try_from(left).unwrap_or(0)..])
                    .read(&mut buffer[..wanted])?,
                Part::File { file, offset, .. } => {
                    file.read_at(&mut buffer[..wanted], offset + self.position)?
                }
            };
            if count == 0 && wanted > 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.position += count as u64;
            return Ok(count);
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn payload() -> Payload {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        Payload::new(vec![
            Part::Memory(Bytes::from_static(b"head-")),
            Part::File {
                file: Arc::new(file),
                offset: 2,
                length: 5,
            },
            Part::Memory(Bytes::new()),
            Part::Memory(Bytes::from_static(b"-tail")),
        ])
    }

    fn read(payload: &Payload) -> String {
        let mut text = String::new();
        payload.reader().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn parts_are_read_in_order_and_again() {
        let payload = payload();
        assert_eq!(payload.len(), 15);
        for _ in 0..2 {
            assert_eq!(read(&payload), "head-23456-tail");
        }
    }

    #[test]
    fn every_range_of_a_payload_can_be_read() {
        let (payload, whole) = (payload(), "head-23456-tail");
        for start in 0..=whole.len() {
            for end in start..=whole.len() {
                let slice = payload.slice(start as u64..end as u64);
                assert_eq!(read(&slice), whole[start..end]);
                assert_eq!(slice.len(), (end - start) as u64);
            }
        }
        assert_eq!(read(&payload.slice(12..99)), "ail");
    }

    #[test]
    fn a_file_that_ends_early_is_an_error() {
        let file = Arc::new(tempfile::tempfile().unwrap());
        let payload = Payload::new(vec![Part::File {
            file,
            offset: 0,
            length: 1,
        }]);
        let error = payload.reader().read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
