//! Reads an ELF file's build id, and whether the file holds code, symbols or both.
//!
//! [`ElfScan`] reads this off a file as it passes by, keeping bounded pieces of it (`gathering.rs`): the start, the
//! tables of segments and sections wherever the file's header says that they lie, the notes wherever the segments say,
//! and the names of the sections. Nothing about a file is ever an error: one without a build id in its notes is just
//! not known by it.
//!
//! A gzipped file (`.dbg.gz`, `.debug.gz`) is inflated as far as its notes, and no further than 256 MiB. Its sections
//! are not looked at; its ending says that it holds debug information.
//!
//! Sources: System V ABI, chapters "Object Files" and "Program Loading"; `readelf -n`; for what counts as executable
//! and as debug information, the manual of debuginfod(8) and `elf_classify` of elfutils.

mod gathering;
mod identity;
mod pieces;
mod section;

use std::mem;

use super::{BuildId, Gunzip};
use gathering::Gathering;
use identity::identify;

pub use section::{SectionError, find_section};

/// The longest header of a file, in bytes.
const HEADER_LENGTH: usize = 64;

/// How many segments or sections of notes are looked at; linkers make two or three.
const NOTE_PLACES: usize = 16;

/// How far a gzipped file is inflated, in bytes.
const LONGEST_INFLATED: u64 = 256 * 1024 * 1024;

/// The first bytes of a gzip file of deflated data (RFC 1952).
const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 8];

/// Endings of names that mean gzipped debug information.
const GZIPPED_ENDINGS: [&str; 2] = [".dbg.gz", ".debug.gz"];

/// An ELF file with a build id, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElfFile {
    /// The build id.
    pub build_id: BuildId,
    /// Whether it has what a process is loaded from.
    pub has_code: bool,
    /// Whether it has symbols or debug information, as far as can be seen.
    pub has_debug_info: bool,
    /// Whether the file is the gzipped form of the ELF file.
    pub is_gzipped: bool,
    /// The ELF file's size in bytes. Of a gzipped one this is what its trailer says, which is a hint: files of several
    /// gzip members and of 4 GiB or more say less than the truth (RFC 1952, ISIZE). `None` where that is plain to see.
    pub size: Option<u64>,
}

/// Reads what a file says of itself while its bytes go by.
#[derive(Debug)]
pub struct ElfScan {
    form: Form,
    /// The pieces of the ELF file.
    gathering: Gathering,
    /// How many bytes went by.
    position: u64,
    /// The last four bytes that went by, the latest in the lowest byte.
    tail: u32,
}

/// How an ELF file is stored.
#[derive(Debug)]
enum Form {
    /// Not known before these first bytes are as many as [`GZIP_MAGIC`] has.
    Unknown(Vec<u8>),
    Plain,
    /// Gzipped; `None` once nothing more is to be inflated.
    Gzipped(Option<Gunzip>),
}

impl ElfScan {
    /// Begins with a file of this name.
    #[must_use]
    pub fn new(file_name: &str) -> Self {
        let name = file_name.to_ascii_lowercase();
        let may_be_gzipped = GZIPPED_ENDINGS.iter().any(|ending| name.ends_with(ending));
        Self {
            form: if may_be_gzipped {
                Form::Unknown(Vec::new())
            } else {
                Form::Plain
            },
            gathering: Gathering::default(),
            position: 0,
            tail: 0,
        }
    }

    /// Takes the next bytes of the file.
    pub fn write(&mut self, bytes: &[u8]) {
        for byte in &bytes[bytes.len().saturating_sub(4)..] {
            self.tail = self.tail << 8 | u32::from(*byte);
        }
        self.position = self.position.saturating_add(bytes.len() as u64);
        let Form::Unknown(start) = &mut self.form else {
            return self.gather(bytes);
        };
        start.extend_from_slice(bytes);
        if start.len() >= GZIP_MAGIC.len() {
            let start = mem::take(start);
            self.form = if start.starts_with(&GZIP_MAGIC) {
                Form::Gzipped(Some(Gunzip::default()))
            } else {
                Form::Plain
            };
            self.gather(&start);
        }
    }

    /// Describes the file, if it is an ELF file with a build id.
    #[must_use]
    pub fn finish(mut self) -> Option<ElfFile> {
        let gunzip = match self.form {
            Form::Unknown(_) => return None,
            Form::Plain => {
                let size = Some(self.position);
                return Some(ElfFile {
                    size,
                    ..identify(&self.gathering.into_pieces())?
                });
            }
            Form::Gzipped(gunzip) => gunzip,
        };
        // Most damage lies behind what was inflated already, and does not matter here.
        if let Some(Ok(rest)) = gunzip.map(|mut gunzip| gunzip.finish()) {
            self.gathering.write(&rest);
        }
        Some(ElfFile {
            has_code: false,
            has_debug_info: true,
            is_gzipped: true,
            // The trailer is little-endian.
            size: Some(u64::from(self.tail.swap_bytes())).filter(|size| *size >= self.position),
            ..identify(&self.gathering.into_pieces())?
        })
    }

    /// Keeps what is needed of the bytes, inflated if they are gzipped.
    fn gather(&mut self, mut bytes: &[u8]) {
        let Form::Gzipped(gunzip) = &mut self.form else {
            return self.gathering.write(bytes);
        };
        while let Some(inflating) = gunzip
            && !bytes.is_empty()
        {
            match inflating.inflate(&mut bytes) {
                Ok(inflated) => self.gathering.write(&inflated),
                Err(_) => *gunzip = None,
            }
            if self.gathering.position() >= self.gathering.end_of_notes().min(LONGEST_INFLATED) {
                *gunzip = None;
            }
        }
    }
}

#[cfg(test)]
mod tests;
