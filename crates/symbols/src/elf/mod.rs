//! Reads an ELF file's build id, and whether the file holds code, symbols or both.
//!
//! [`ElfScan`] reads this off a file as it passes by, keeping two bounded pieces of it. The first is the start, since
//! linkers and `objcopy --only-keep-debug` put the program headers and the notes there: in the files of a Firefox build
//! and of GCC, Clang and Go the build id lies within the first 8 KiB, and 64 KiB are kept. The second is the table of
//! sections, wherever the file's header says that it lies. Nothing about a file is ever an error: one without a build
//! id in its first 64 KiB is just not known by it.
//!
//! A gzipped file (`.dbg.gz`, `.debug.gz`) is known by what the first 64 KiB of it inflate to, of which again 64 KiB
//! are looked at, so its sections are not seen; its ending says that it holds debug information.
//!
//! Sources: System V ABI, chapters "Object Files" and "Program Loading"; `readelf -n`; for what counts as executable
//! and as debug information, the manual of debuginfod(8).

mod pieces;
mod section;

use std::io::Read;

use flate2::read::GzDecoder;
use object::elf::{
    ELFMAG, ET_CORE, FileHeader32, FileHeader64, NT_GNU_BUILD_ID, PF_X, PT_LOAD, SHF_ALLOC,
    SHT_NOBITS, SHT_NOTE, SHT_SYMTAB,
};
use object::read::elf::{FileHeader, NoteIterator, ProgramHeader, SectionHeader};
use object::{Endianness, FileKind};

use super::BuildId;
use pieces::{Piece, Pieces};

pub use section::{SectionError, find_section};

/// How much of a file's start is kept, in bytes, and how much of what a gzipped start inflates to.
pub const SCAN_LENGTH: usize = 64 * 1024;

/// The longest table of sections that is kept, in bytes: 4096 sections of a 64-bit file.
const LONGEST_TABLE: u64 = 256 * 1024;

/// The longest header of a file, in bytes.
const HEADER_LENGTH: usize = 64;

/// How many segments or sections of notes are looked at; linkers make two or three.
const NOTE_PLACES: usize = 16;

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
    may_be_gzipped: bool,
    /// How many bytes went by.
    position: u64,
    start: Piece,
    table: Piece,
    /// The last four bytes that went by, the latest in the lowest byte.
    tail: u32,
    /// How long the table of sections is; 0 until it is known and when it is not kept.
    table_length: u64,
}

impl ElfScan {
    /// Begins with a file of this name.
    #[must_use]
    pub fn new(file_name: &str) -> Self {
        let name = file_name.to_ascii_lowercase();
        Self {
            may_be_gzipped: GZIPPED_ENDINGS.iter().any(|ending| name.ends_with(ending)),
            position: 0,
            start: Piece::default(),
            table: Piece::default(),
            tail: 0,
            table_length: 0,
        }
    }

    /// Takes the next bytes of the file.
    pub fn write(&mut self, bytes: &[u8]) {
        if !self.is_of_interest() {
            return;
        }
        let start = &mut self.start.bytes;
        let had_header = start.len() >= HEADER_LENGTH;
        let missing = SCAN_LENGTH.saturating_sub(start.len()).min(bytes.len());
        start.extend_from_slice(&bytes[..missing]);
        if !had_header && start.len() >= HEADER_LENGTH {
            (self.table.offset, self.table_length) = place_of_table(&self.start).unwrap_or((0, 0));
        }
        self.keep_table(bytes);
        for byte in &bytes[bytes.len().saturating_sub(4)..] {
            self.tail = self.tail << 8 | u32::from(*byte);
        }
        self.position = self.position.saturating_add(bytes.len() as u64);
    }

    /// Describes the file, if it is an ELF file with a build id.
    #[must_use]
    pub fn finish(self) -> Option<ElfFile> {
        if !self.is_gzipped() {
            let file = identify(&[self.start, self.table])?;
            let size = Some(self.position);
            return Some(ElfFile { size, ..file });
        }
        let mut inflated = Vec::new();
        let mut start = GzDecoder::new(self.start.bytes.as_slice()).take(SCAN_LENGTH as u64);
        // The start ends in the middle of its stream, so an error is expected; the bytes before it are all that is
        // needed.
        drop(start.read_to_end(&mut inflated));
        let start = Piece {
            offset: 0,
            bytes: inflated,
        };
        let file = identify(&[start])?;
        Some(ElfFile {
            has_code: false,
            has_debug_info: true,
            is_gzipped: true,
            // The trailer is little-endian.
            size: Some(u64::from(self.tail.swap_bytes())).filter(|size| *size >= self.position),
            ..file
        })
    }

    /// Nothing is kept of a file whose first bytes are not those of an ELF or gzip file.
    fn is_of_interest(&self) -> bool {
        let start = &self.start.bytes;
        start.len() < ELFMAG.len() || start.starts_with(&ELFMAG) || self.is_gzipped()
    }

    fn is_gzipped(&self) -> bool {
        self.may_be_gzipped && self.start.bytes.starts_with(&GZIP_MAGIC)
    }

    /// Keeps of the bytes at the present position what belongs to the table of sections.
    fn keep_table(&mut self, bytes: &[u8]) {
        let begin = self.table.offset.saturating_sub(self.position);
        let end = (self.table.offset + self.table_length).saturating_sub(self.position);
        let within = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
        self.table
            .bytes
            .extend_from_slice(&bytes[within(begin)..within(end)]);
    }
}

/// Where the table of sections lies and how long it is, if it is one to keep.
fn place_of_table(start: &Piece) -> Option<(u64, u64)> {
    fn place<H: FileHeader<Endian = Endianness>>(pieces: Pieces<'_>) -> Option<(u64, u64)> {
        let header = H::parse(pieces).ok()?;
        let endian = header.endian().ok()?;
        let length = u64::from(header.e_shnum(endian)) * u64::from(header.e_shentsize(endian));
        let offset: u64 = header.e_shoff(endian).into();
        let is_kept = offset >= HEADER_LENGTH as u64
            && length <= LONGEST_TABLE
            && offset.checked_add(length).is_some();
        is_kept.then_some((offset, length))
    }
    let pieces = std::slice::from_ref(start);
    match FileKind::parse(Pieces(pieces)).ok()? {
        FileKind::Elf32 => place::<FileHeader32<Endianness>>(Pieces(pieces)),
        FileKind::Elf64 => place::<FileHeader64<Endianness>>(Pieces(pieces)),
        _ => None,
    }
}

fn identify(pieces: &[Piece]) -> Option<ElfFile> {
    let pieces = Pieces(pieces);
    match FileKind::parse(pieces).ok()? {
        FileKind::Elf32 => identify_as::<FileHeader32<Endianness>>(pieces),
        FileKind::Elf64 => identify_as::<FileHeader64<Endianness>>(pieces),
        _ => None,
    }
}

fn identify_as<H: FileHeader<Endian = Endianness>>(pieces: Pieces<'_>) -> Option<ElfFile> {
    let header = H::parse(pieces).ok()?;
    let endian = header.endian().ok()?;
    if header.e_type(endian) == ET_CORE {
        return None;
    }
    let segments = header.program_headers(endian, pieces).unwrap_or_default();
    let sections = header.section_headers(endian, pieces).unwrap_or_default();
    let of_segments = segments
        .iter()
        .filter_map(|segment| segment.notes(endian, pieces).ok()?)
        .take(NOTE_PLACES);
    let of_sections = sections
        .iter()
        .filter_map(|section| section.notes(endian, pieces).ok()?)
        .take(NOTE_PLACES);
    let build_id = of_segments
        .chain(of_sections)
        .find_map(|notes| build_id(notes, endian))?;
    let (has_code, has_debug_info) = if sections.is_empty() {
        let has_code = has_code_segment::<H>(segments, endian);
        (has_code, !has_code)
    } else {
        contents::<H>(sections, endian)
    };
    Some(ElfFile {
        build_id,
        has_code,
        has_debug_info,
        is_gzipped: false,
        size: None,
    })
}

fn build_id<H: FileHeader<Endian = Endianness>>(
    notes: NoteIterator<'_, H>,
    endian: Endianness,
) -> Option<BuildId> {
    let mut notes = notes.map_while(Result::ok);
    let note = notes.find(|note| note.name() == b"GNU" && note.n_type(endian) == NT_GNU_BUILD_ID);
    BuildId::from_bytes(note?.desc())
}

/// Whether there is something to load, and whether there are symbols: a file that is stripped has no symbol table, and
/// one that was split off holds nothing to load but the notes.
fn contents<H: FileHeader<Endian = Endianness>>(
    sections: &[H::SectionHeader],
    endian: Endianness,
) -> (bool, bool) {
    let is_loaded = |section: &H::SectionHeader| {
        section.sh_flags(endian).contains(SHF_ALLOC)
            && ![SHT_NOBITS, SHT_NOTE].contains(&section.sh_type(endian))
    };
    let has_code = sections.iter().any(is_loaded);
    let has_symbols = sections
        .iter()
        .any(|section| section.sh_type(endian) == SHT_SYMTAB);
    (has_code, has_symbols || !has_code)
}

/// Decides without sections: of a segment of code, `objcopy --only-keep-debug` leaves none of the bytes, or
/// those of its notes.
fn has_code_segment<H: FileHeader<Endian = Endianness>>(
    segments: &[H::ProgramHeader],
    endian: Endianness,
) -> bool {
    segments.iter().any(|segment| {
        let in_file: u64 = segment.p_filesz(endian).into();
        let in_memory: u64 = segment.p_memsz(endian).into();
        segment.p_type(endian) == PT_LOAD
            && segment.p_flags(endian).contains(PF_X)
            && in_file > 0
            && in_file >= in_memory
    })
}

#[cfg(test)]
mod tests;
