//! One pass over a member's data: is it what the headers say?

use std::io;

use flate2::{Decompress, FlushDecompress, Status};
use md5::Md5;
use sha2::{Digest as _, Sha256};

use super::entry::{Content, Entry, Method};
use super::error::ArchiveError;
use super::read_at::ReadAt;
use crate::symbol::header::{SCAN_LENGTH, SymHeader};

/// Bytes read, and bytes inflated, at once.
const BUFFER_LENGTH: usize = 128 * 1024;

/// What was found out about a member's uncompressed data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// SHA-256 of the data.
    pub sha256: [u8; 32],
    /// MD5 of the data, if it was wanted.
    pub md5: Option<[u8; 16]>,
    /// The header of a `.sym` file, whatever the case of its ending; `None` for every other file.
    pub header: Option<SymHeader>,
}

/// Reads a member of the archive that [`inspect`](super::inspect) accepted, and checks that it has exactly the declared
/// length and CRC-32 and, if deflated, that its stream ends where its compressed data does.
///
/// Never inflates more than one byte above the declared size. MD5 takes more than half of the time, so it is computed
/// only if wanted.
///
/// # Errors
/// The first rule that the data breaks, or [`ArchiveError::Read`].
pub fn verify<R: ReadAt + ?Sized>(
    archive: &R,
    entry: &Entry,
    wants_md5: bool,
) -> Result<Digest, ArchiveError> {
    let mut data = CompressedData::of(archive, entry);
    let mut sink = Sink::of(entry, wants_md5);
    match entry.method {
        Method::Stored => copy(&mut data, &mut sink)?,
        Method::Deflated => inflate(&mut data, &mut sink)?,
    }
    sink.finish()
}

fn copy<R: ReadAt + ?Sized>(
    data: &mut CompressedData<'_, R>,
    sink: &mut Sink<'_>,
) -> Result<(), ArchiveError> {
    loop {
        let chunk = data.next_chunk()?;
        if chunk.is_empty() {
            return Ok(());
        }
        sink.write(chunk)?;
    }
}

fn inflate<R: ReadAt + ?Sized>(
    data: &mut CompressedData<'_, R>,
    sink: &mut Sink<'_>,
) -> Result<(), ArchiveError> {
    let entry = sink.entry;
    let mut inflater = Decompress::new(false);
    let mut output = vec![0; BUFFER_LENGTH];
    let mut has_ended = false;
    while !has_ended {
        let chunk = data.next_chunk()?;
        has_ended = inflate_chunk(&mut inflater, chunk, &mut output, sink)?;
        if chunk.is_empty() && !has_ended {
            return Err(ArchiveError::Truncated(entry.name.clone()));
        }
    }
    match entry.compressed_size - inflater.total_in() {
        0 => Ok(()),
        bytes => Err(ArchiveError::BytesAfterStream {
            name: entry.name.clone(),
            bytes,
        }),
    }
}

/// Inflates as much as the chunk gives, and tells whether the stream has ended.
fn inflate_chunk(
    inflater: &mut Decompress,
    chunk: &[u8],
    output: &mut [u8],
    sink: &mut Sink<'_>,
) -> Result<bool, ArchiveError> {
    let chunk_start = inflater.total_in();
    loop {
        let before = (inflater.total_in(), inflater.total_out());
        let consumed = usize::try_from(before.0 - chunk_start).unwrap_or(chunk.len());
        let room = sink.room().min(output.len());
        let status = inflater
            .decompress(
                &chunk[consumed..],
                &mut output[..room],
                FlushDecompress::None,
            )
            .map_err(|_| ArchiveError::CompressedData(sink.entry.name.clone()))?;
        let produced = usize::try_from(inflater.total_out() - before.1).unwrap_or(room);
        sink.write(&output[..produced])?;
        let has_ended = status == Status::StreamEnd;
        if has_ended || before == (inflater.total_in(), inflater.total_out()) {
            return Ok(has_ended);
        }
    }
}

/// A member's bytes in the archive, chunk by chunk.
struct CompressedData<'a, R: ?Sized> {
    archive: &'a R,
    offset: u64,
    left: u64,
    buffer: Vec<u8>,
}

impl<'a, R: ReadAt + ?Sized> CompressedData<'a, R> {
    fn of(archive: &'a R, entry: &Entry) -> Self {
        let length = usize::try_from(entry.compressed_size)
            .unwrap_or(BUFFER_LENGTH)
            .min(BUFFER_LENGTH);
        Self {
            archive,
            offset: entry.data_offset,
            left: entry.compressed_size,
            buffer: vec![0; length],
        }
    }

    /// The next bytes; none at the end.
    fn next_chunk(&mut self) -> io::Result<&[u8]> {
        let length = usize::try_from(self.left)
            .unwrap_or(BUFFER_LENGTH)
            .min(self.buffer.len());
        let chunk = &mut self.buffer[..length];
        self.archive.read_exact_at(chunk, self.offset)?;
        self.offset += length as u64;
        self.left -= length as u64;
        Ok(chunk)
    }
}

/// Takes the uncompressed data, counts and digests it.
struct Sink<'a> {
    entry: &'a Entry,
    length: u64,
    crc32: crc32fast::Hasher,
    sha256: Sha256,
    md5: Option<Md5>,
    /// The start of a `.sym` file.
    start: Option<Vec<u8>>,
}

impl<'a> Sink<'a> {
    fn of(entry: &'a Entry, wants_md5: bool) -> Self {
        Self {
            entry,
            length: 0,
            crc32: crc32fast::Hasher::new(),
            sha256: Sha256::new(),
            md5: wants_md5.then(Md5::new),
            start: is_sym(&entry.content).then(Vec::new),
        }
    }

    /// How many bytes are worth taking: as many as were declared, and one that proves that there are more.
    fn room(&self) -> usize {
        let left = self
            .entry
            .size
            .saturating_sub(self.length)
            .saturating_add(1);
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.length = self.length.saturating_add(bytes.len() as u64);
        if self.length > self.entry.size {
            return Err(self.wrong_size());
        }
        self.crc32.update(bytes);
        self.sha256.update(bytes);
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        if let Some(start) = &mut self.start {
            let missing = SCAN_LENGTH.saturating_sub(start.len()).min(bytes.len());
            start.extend_from_slice(&bytes[..missing]);
        }
        Ok(())
    }

    fn finish(self) -> Result<Digest, ArchiveError> {
        if self.length != self.entry.size {
            return Err(self.wrong_size());
        }
        if self.crc32.finalize() != self.entry.crc32 {
            return Err(ArchiveError::Crc(self.entry.name.clone()));
        }
        Ok(Digest {
            sha256: self.sha256.finalize().into(),
            md5: self.md5.map(|md5| md5.finalize().into()),
            header: self.start.map(|start| SymHeader::parse(&start)),
        })
    }

    fn wrong_size(&self) -> ArchiveError {
        ArchiveError::WrongSize {
            name: self.entry.name.clone(),
            declared: self.entry.size,
        }
    }
}

fn is_sym(content: &Content) -> bool {
    match content {
        Content::Symbol(key) => key.file_name().to_ascii_lowercase().ends_with(".sym"),
        Content::Ignored => false,
    }
}
