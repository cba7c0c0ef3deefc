//! One pass over a member's data: is it what the headers say?

use std::io;

use md5::Md5;
use sha2::{Digest as _, Sha256};

use super::entry::{Content, Entry, Method};
use super::error::ArchiveError;
use super::inflate::Inflater;
use super::limits::ArchiveLimits;
use super::read_at::ReadAt;
use symbols::elf::{ElfFile, ElfScan};
use symbols::header::{SCAN_LENGTH, SymHeader};

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
    /// What an ELF file with a build id is, or the gzipped form of one; `None` for every other file.
    pub elf: Option<ElfFile>,
}

/// Reads a member of the archive that [`inspect`](super::inspect) accepted, and checks that it has exactly the declared
/// length and CRC-32 and, if deflated, that its stream ends where its compressed data does.
///
/// Never inflates more than one byte above the declared size, nor more blocks than the limits allow. MD5 takes more than half of the time, so it is computed
/// only if wanted.
///
/// # Errors
/// The first rule that the data breaks, or [`ArchiveError::Read`].
pub fn verify<R: ReadAt + ?Sized>(
    archive: &R,
    entry: &Entry,
    limits: &ArchiveLimits,
    wants_md5: bool,
) -> Result<Digest, ArchiveError> {
    let mut data = CompressedData::of(archive, entry);
    let mut sink = Sink::of(entry, wants_md5);
    match entry.method {
        Method::Stored => copy(&mut data, &mut sink)?,
        Method::Deflated => inflate(&mut data, &mut sink, limits)?,
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
    limits: &ArchiveLimits,
) -> Result<(), ArchiveError> {
    let entry = sink.entry;
    let mut inflater = Inflater::of(entry, limits);
    let mut output = vec![0; BUFFER_LENGTH];
    loop {
        let chunk = data.next_chunk()?;
        let is_over = chunk.is_empty();
        if let Some(unused) = inflate_chunk(&mut inflater, chunk, &mut output, sink)? {
            return match data.left + unused as u64 {
                0 => Ok(()),
                bytes => Err(ArchiveError::BytesAfterStream {
                    name: entry.name.clone(),
                    bytes,
                }),
            };
        }
        if is_over {
            return Err(ArchiveError::Truncated(entry.name.clone()));
        }
    }
}

/// Inflates as much as the chunk gives. If that ends the stream, tells how many bytes of the chunk come after it.
fn inflate_chunk(
    inflater: &mut Inflater,
    mut chunk: &[u8],
    output: &mut [u8],
    sink: &mut Sink<'_>,
) -> Result<Option<usize>, ArchiveError> {
    loop {
        let room = sink.room().min(output.len());
        let step = inflater.step(sink.entry, chunk, &mut output[..room])?;
        sink.write(&output[..step.produced])?;
        chunk = &chunk[step.consumed..];
        if step.has_ended {
            return Ok(Some(chunk.len()));
        }
        if (step.consumed, step.produced) == (0, 0) {
            return Ok(None);
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
    scan: Scan,
}

impl<'a> Sink<'a> {
    fn of(entry: &'a Entry, wants_md5: bool) -> Self {
        Self {
            entry,
            length: 0,
            crc32: crc32fast::Hasher::new(),
            sha256: Sha256::new(),
            md5: wants_md5.then(Md5::new),
            scan: Scan::of(&entry.content),
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
        self.scan.write(bytes);
        Ok(())
    }

    fn finish(self) -> Result<Digest, ArchiveError> {
        if self.length != self.entry.size {
            return Err(self.wrong_size());
        }
        if self.crc32.finalize() != self.entry.crc32 {
            return Err(ArchiveError::Crc(self.entry.name.clone()));
        }
        let (header, elf) = self.scan.finish();
        Ok(Digest {
            sha256: self.sha256.finalize().into(),
            md5: self.md5.map(|md5| md5.finalize().into()),
            header,
            elf,
        })
    }

    fn wrong_size(&self) -> ArchiveError {
        ArchiveError::WrongSize {
            name: self.entry.name.clone(),
            declared: self.entry.size,
        }
    }
}

/// Reads what a file says of itself off its bytes; whatever that is, it is no reason to refuse it.
enum Scan {
    /// The start of a `.sym` file.
    Sym(Vec<u8>),
    Elf(ElfScan),
    Nothing,
}

impl Scan {
    fn of(content: &Content) -> Self {
        match content {
            Content::Symbol(key) if key.file_name().to_ascii_lowercase().ends_with(".sym") => {
                Self::Sym(Vec::new())
            }
            Content::Symbol(key) => Self::Elf(ElfScan::new(key.file_name())),
            Content::Ignored => Self::Nothing,
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        match self {
            Self::Sym(start) => {
                let missing = SCAN_LENGTH.saturating_sub(start.len()).min(bytes.len());
                start.extend_from_slice(&bytes[..missing]);
            }
            Self::Elf(scan) => scan.write(bytes),
            Self::Nothing => {}
        }
    }

    fn finish(self) -> (Option<SymHeader>, Option<ElfFile>) {
        match self {
            Self::Sym(start) => (Some(SymHeader::parse(&start)), None),
            Self::Elf(scan) => (None, scan.finish()),
            Self::Nothing => (None, None),
        }
    }
}
