//! The layout of the files in which symcaches are kept, on this machine and beside the symbols.
//!
//! A file begins with 4 KiB that tell what it was made from and what is in it. The symcache follows as it is used, so
//! it begins on a page and can be mapped. If the symbols are unusable, nothing follows.
//!
//! | bytes | what |
//! |---|---|
//! | 0–7 | `symbsymc` |
//! | 8–11 | the version of our converter, little-endian like all numbers |
//! | 12–15 | the version of symbolic's format |
//! | 16–19 | the length of the description |
//! | 20–… | the description: JSON of [`Header`], then zeros |
//! | 4092–4095 | CRC-32 of all bytes before |
//!
//! Whatever is not exactly as it was written is refused: the files lie where other programs can reach them, and a
//! damaged symcache would answer wrongly.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use symbolic_common::ByteView;
use symbolicate::{Symcache, SymcacheError};
use symbols::Sha256;

use super::module::{MappedBytes, OpenSymcache, Opened, SymcacheFailure, Unusable};

/// The version of our converter. Raised with every change of what addresses are answered with.
const CONVERTER: u32 = 1;

/// The version of symbolic's format.
const FORMAT: u32 = 9;

/// Both versions, as they stand in paths.
pub(super) const VERSIONS: &str = "1-9";

/// The length of the part before the symcache, in bytes: a page.
pub(super) const HEADER: usize = 4096;

const MAGIC: [u8; 8] = *b"symbsymc";

/// Where the description begins.
const DESCRIPTION: usize = 20;

/// Where the checksum of the header begins.
const CHECKSUM: usize = HEADER - 4;

/// The longest name of a program file that is kept, in bytes. Even if all of it has to be escaped, it has room.
const PROGRAM_FILE: usize = 512;

/// What kind of file the symbols came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SourceKind {
    /// A `.sym` file of Breakpad.
    Sym,
    /// An ELF or PDB file.
    Native,
}

/// What a file was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MadeFrom {
    /// The digest by which the source is known.
    pub(super) digest: Sha256,
    /// Its size in bytes, inflated.
    pub(super) size: u64,
    /// Its kind.
    pub(super) kind: SourceKind,
}

/// What is in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Content {
    /// A symcache.
    Usable {
        /// The module's program file, if the source names one.
        program_file: Option<String>,
        /// The symcache's length in bytes.
        length: u64,
        /// Its CRC-32.
        crc32: u32,
    },
    /// Nothing, for this reason.
    Unusable(Unusable),
}

/// The description at the beginning of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    /// What it was made from.
    pub(super) made_from: MadeFrom,
    /// What is in it.
    pub(super) content: Content,
}

/// Why a file is not believed.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileFault {
    /// It does not begin as such files do, or its header has changed.
    #[error("its header is damaged")]
    Header,
    /// Another version of this program wrote it.
    #[error("it is of another version")]
    Version,
    /// It was made from another file of symbols.
    #[error("it was made from other symbols")]
    OtherSource,
    /// It has another length than its header says.
    #[error("it is cut off or too long")]
    Length,
    /// Its symcache has changed.
    #[error("its symcache is damaged")]
    Checksum,
    /// What it holds is no symcache.
    #[error("it holds {0}")]
    Symcache(#[from] SymcacheError),
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
}

impl From<FileFault> for SymcacheFailure {
    /// A file that this process has just written cannot be used.
    fn from(fault: FileFault) -> Self {
        match fault {
            FileFault::Read(error) => error.into(),
            fault => io::Error::other(fault).into(),
        }
    }
}

impl Header {
    /// The header's bytes.
    pub(super) fn encode(&self) -> io::Result<Vec<u8>> {
        let description = serde_json::to_vec(self)?;
        let length = u32::try_from(description.len()).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.extend_from_slice(&MAGIC);
        for number in [CONVERTER, FORMAT, length] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&description);
        if bytes.len() > CHECKSUM {
            return Err(io::Error::other("the description is too long"));
        }
        bytes.resize(CHECKSUM, 0);
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        Ok(bytes)
    }

    /// Reads the header of a file's first bytes.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, FileFault> {
        let bytes = bytes.get(..HEADER).ok_or(FileFault::Header)?;
        let number = |at: usize| {
            let number = bytes[at..at + 4].try_into().unwrap_or_default();
            u32::from_le_bytes(number)
        };
        if bytes[..8] != MAGIC || number(CHECKSUM) != crc32fast::hash(&bytes[..CHECKSUM]) {
            return Err(FileFault::Header);
        }
        if (number(8), number(12)) != (CONVERTER, FORMAT) {
            return Err(FileFault::Version);
        }
        let length = usize::try_from(number(16)).unwrap_or(usize::MAX);
        let end = DESCRIPTION.saturating_add(length);
        let description = bytes[..CHECKSUM].get(DESCRIPTION..end);
        let header = description.and_then(|json| serde_json::from_slice(json).ok());
        header.ok_or(FileFault::Header)
    }
}

impl Content {
    /// Describes a symcache. A name that no program file can have is left out.
    pub(super) fn usable(program_file: Option<String>, length: u64, crc32: u32) -> Self {
        Self::Usable {
            program_file: program_file.filter(|name| name.len() <= PROGRAM_FILE),
            length,
            crc32,
        }
    }
}

/// Maps a file that was made from the source of this digest, and checks all of it.
///
/// # Errors
/// See [`FileFault`]. The file must not be believed then.
pub(super) fn open(file: File, digest: &Sha256) -> Result<Opened, FileFault> {
    let view = ByteView::map_file(file)?;
    let Header { made_from, content } = Header::decode(&view)?;
    if made_from.digest != *digest {
        return Err(FileFault::OtherSource);
    }
    let bytes = MappedBytes {
        view,
        start: HEADER,
    };
    match content {
        Content::Unusable(unusable) if bytes.is_empty() => Ok(Opened::Unusable(unusable)),
        Content::Usable {
            program_file,
            length,
            crc32,
        } if length == bytes.len() as u64 => {
            if crc32fast::hash(&bytes) != crc32 {
                return Err(FileFault::Checksum);
            }
            let symcache = Symcache::new(bytes)?;
            Ok(Opened::Usable(Arc::new(OpenSymcache {
                program_file,
                length,
                symcache,
            })))
        }
        _ => Err(FileFault::Length),
    }
}

/// What a file says of its content, which has not been checked.
pub(super) fn peek(file: &File) -> Result<Content, FileFault> {
    let mut bytes = vec![0; HEADER];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(Header::decode(&bytes)?.content)
}

/// Writes the header of a file whose symcache has been written, or that has none.
pub(super) fn finish(file: &File, header: &Header) -> io::Result<()> {
    file.write_all_at(&header.encode()?, 0)?;
    match header.content {
        // Also cuts off what a conversion that failed may have left.
        Content::Unusable(_) => file.set_len(HEADER as u64),
        Content::Usable { .. } => Ok(()),
    }
}

/// Writes bytes on, and computes their checksum.
#[derive(Debug)]
pub(super) struct Summed<W> {
    target: W,
    sum: crc32fast::Hasher,
    length: u64,
}

impl<W: Write> Summed<W> {
    pub(super) fn new(target: W) -> Self {
        Self {
            target,
            sum: crc32fast::Hasher::new(),
            length: 0,
        }
    }

    /// How many bytes were written, and their CRC-32.
    pub(super) fn finish(mut self) -> io::Result<(u64, u32)> {
        self.target.flush()?;
        Ok((self.length, self.sum.finalize()))
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.target.write(bytes)?;
        self.sum.update(&bytes[..count]);
        self.length += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.target.flush()
    }
}

#[cfg(test)]
mod tests;
