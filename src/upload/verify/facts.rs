//! The facts about a member that are computed in the pass that verifies it.

use md5::Md5;
use sha2::{Digest as _, Sha256};
use strict_zip::ReadAt;
use symbols::elf::{ElfFile, ElfScan};
use symbols::header::{HeadFault, SCAN_LENGTH, SymHeader};

use super::error::ArchiveError;
use super::limits::ArchiveLimits;
use super::names::{Content, Entry};

/// Facts about a member's uncompressed data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberFacts {
    /// SHA-256 of the data.
    pub sha256: [u8; 32],
    /// MD5 of the data, if requested.
    pub md5: Option<[u8; 16]>,
    /// The header of a `.sym` file, whatever the case of its suffix; `None` for every other file.
    pub header: Option<SymHeader>,
    /// Why the header names no module, if it does not.
    pub head_fault: Option<HeadFault>,
    /// The facts about an ELF file with a build id, gzipped or not; `None` for every other file.
    pub elf: Option<ElfFile>,
}

/// Reads a member of an archive that [`inspect`](super::inspect) accepted, verifies its data against its headers, and
/// computes its facts in the same pass.
///
/// MD5 takes more than half of the time, so it is computed only on request.
///
/// # Errors
/// The data breaks a rule, or the archive cannot be read.
pub fn verify_member<R: ReadAt + ?Sized>(
    archive: &R,
    entry: &Entry,
    limits: &ArchiveLimits,
    wants_md5: bool,
) -> Result<MemberFacts, ArchiveError> {
    let mut gathering = Gathering::new(&entry.content, wants_md5);
    strict_zip::verify(archive, entry, &limits.zip_limits(), |piece| {
        gathering.write(piece);
        Ok::<_, ArchiveError>(())
    })?;
    Ok(gathering.finish())
}

/// The facts of data that is still being read.
struct Gathering {
    sha256: Sha256,
    md5: Option<Md5>,
    scan: Scan,
}

impl Gathering {
    fn new(content: &Content, wants_md5: bool) -> Self {
        Self {
            sha256: Sha256::new(),
            md5: wants_md5.then(Md5::new),
            scan: Scan::of(content),
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        self.scan.write(bytes);
    }

    fn finish(self) -> MemberFacts {
        let (header, head_fault, elf) = self.scan.finish();
        MemberFacts {
            sha256: self.sha256.finalize().into(),
            md5: self.md5.map(|md5| md5.finalize().into()),
            header,
            head_fault,
            elf,
        }
    }
}

/// Reads the header of a file. A missing or invalid header is no reason to refuse the file.
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

    fn finish(self) -> (Option<SymHeader>, Option<HeadFault>, Option<ElfFile>) {
        match self {
            Self::Sym(start) => {
                let header = SymHeader::parse(&start);
                let fault = HeadFault::of(&header, &start);
                (Some(header), fault, None)
            }
            Self::Elf(scan) => (None, None, scan.finish()),
            Self::Nothing => (None, None, None),
        }
    }
}
