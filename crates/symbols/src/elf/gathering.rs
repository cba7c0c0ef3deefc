//! Keeps the pieces of an ELF file that say what it is, while the file goes by.
//!
//! Each piece is asked for by an earlier one, so what lies before the piece that asks for it is lost, unless it lies in
//! the start of the file, which is always kept. In practice the tables of segments and sections lie in the start or at
//! the end, the notes in the start or behind the table of segments, and the names of the sections in front of their
//! table, which is why as much of the file is kept in front of it.

use object::elf::{ELFMAG, FileHeader32, FileHeader64, PT_NOTE};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};
use object::{Endianness, FileKind};

use super::pieces::{Piece, Pieces};
use super::{HEADER_LENGTH, NOTE_PLACES};

/// How much of a file's start is kept, in bytes.
const START_LENGTH: u64 = 64 * 1024;

/// The longest table of sections or segments that is kept, in bytes: 4096 sections of a 64-bit file.
const LONGEST_TABLE: u64 = 256 * 1024;

/// The longest piece of notes that is kept, in bytes.
const LONGEST_NOTES: u64 = 64 * 1024;

/// The longest names of sections that are kept, in bytes.
const LONGEST_NAMES: u64 = 64 * 1024;

/// The pieces of a file of which some bytes went by.
#[derive(Debug)]
pub(super) struct Gathering {
    position: u64,
    /// The header and the start, and then those that they ask for.
    pieces: Vec<Piece>,
    next: Next,
    has_asked_for_names: bool,
    end_of_notes: u64,
}

/// What asks for the next pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The header, for the two tables.
    Header,
    /// The table of segments, for the notes.
    Segments,
    Nothing,
}

/// A place in a file: offset and length in bytes.
type Place = (u64, u64);

impl Default for Gathering {
    fn default() -> Self {
        Self {
            position: 0,
            pieces: vec![
                Piece::wanted(0, HEADER_LENGTH as u64),
                Piece::wanted(0, START_LENGTH),
            ],
            next: Next::Header,
            has_asked_for_names: false,
            end_of_notes: START_LENGTH,
        }
    }
}

impl Gathering {
    /// Takes the next bytes of the file. Which pieces are kept does not depend on how the file is cut.
    pub(super) fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.may_be_elf() {
            let step = self.next_end().saturating_sub(self.position);
            let length = usize::try_from(step).unwrap_or(usize::MAX).min(bytes.len());
            let (now, later) = bytes.split_at(length);
            for piece in &mut self.pieces {
                piece.keep(self.position, now);
            }
            self.position += now.len() as u64;
            if self.pieces.iter().any(|piece| piece.end() == self.position) {
                self.look_ahead();
            }
            bytes = later;
        }
    }

    /// How many bytes were taken.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Where the last note ends that is known of; 0 if the file is none that has notes.
    pub(super) fn end_of_notes(&self) -> u64 {
        if self.may_be_elf() {
            self.end_of_notes
        } else {
            0
        }
    }

    /// What was kept.
    pub(super) fn into_pieces(self) -> Vec<Piece> {
        self.pieces
    }

    fn may_be_elf(&self) -> bool {
        let start = &self.pieces[0].bytes;
        start.len() < ELFMAG.len() || start.starts_with(&ELFMAG)
    }

    /// Where the next piece ends.
    fn next_end(&self) -> u64 {
        let ends = self.pieces.iter().map(Piece::end);
        ends.filter(|end| *end > self.position)
            .min()
            .unwrap_or(u64::MAX)
    }

    /// Asks for the pieces that can be located now.
    fn look_ahead(&mut self) {
        let pieces = Pieces(&self.pieces);
        match FileKind::parse(pieces) {
            Ok(FileKind::Elf32) => self.look_ahead_as::<FileHeader32<Endianness>>(),
            Ok(FileKind::Elf64) => self.look_ahead_as::<FileHeader64<Endianness>>(),
            _ => {}
        }
    }

    fn look_ahead_as<H: FileHeader<Endian = Endianness>>(&mut self) {
        if self.next == Next::Header {
            self.next = Next::Segments;
            let [segments, sections] =
                places_of_tables::<H>(Pieces(&self.pieces)).unwrap_or_default();
            self.end_of_notes = self.end_of_notes.max(self.want(segments));
            self.want(sections);
        }
        if self.next == Next::Segments
            && let Some(notes) = places_of_notes::<H>(Pieces(&self.pieces))
        {
            self.next = Next::Nothing;
            for place in notes {
                self.end_of_notes = self.end_of_notes.max(self.want(place));
            }
        }
        if !self.has_asked_for_names
            && let Some(place) = place_of_names::<H>(Pieces(&self.pieces))
        {
            self.has_asked_for_names = true;
            self.want(place);
        }
    }

    /// Asks for a piece, unless its start went by already, and returns where it ends; 0 if it is not asked for.
    fn want(&mut self, (offset, length): Place) -> u64 {
        if length == 0 || offset < self.position || offset.checked_add(length).is_none() {
            return 0;
        }
        self.pieces.push(Piece::wanted(offset, length));
        offset + length
    }
}

/// Where the tables of segments and sections lie, the latter with the names in front of it. Empty if they are too long.
fn places_of_tables<H: FileHeader<Endian = Endianness>>(pieces: Pieces<'_>) -> Option<[Place; 2]> {
    let header = H::parse(pieces).ok()?;
    let endian = header.endian().ok()?;
    let place = |offset: u64, count: u16, size: u16| {
        let length = u64::from(count) * u64::from(size);
        if length <= LONGEST_TABLE {
            (offset, length)
        } else {
            (0, 0)
        }
    };
    let segments = place(
        header.e_phoff(endian).into(),
        header.e_phnum(endian),
        header.e_phentsize(endian),
    );
    let (offset, length) = place(
        header.e_shoff(endian).into(),
        header.e_shnum(endian),
        header.e_shentsize(endian),
    );
    let before = offset
        .saturating_sub(HEADER_LENGTH as u64)
        .min(LONGEST_NAMES);
    Some([segments, (offset - before, length + before)])
}

/// Where the segments of notes lie; `None` while their table is not known.
fn places_of_notes<H: FileHeader<Endian = Endianness>>(pieces: Pieces<'_>) -> Option<Vec<Place>> {
    let header = H::parse(pieces).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, pieces).ok()?;
    let notes = segments
        .iter()
        .filter(|segment| segment.p_type(endian) == PT_NOTE)
        .map(|segment| {
            (
                segment.p_offset(endian).into(),
                segment.p_filesz(endian).into(),
            )
        })
        .filter(|(_, length)| *length <= LONGEST_NOTES);
    Some(notes.take(NOTE_PLACES).collect())
}

/// Where the names of the sections lie; `None` while the table of sections is not known.
fn place_of_names<H: FileHeader<Endian = Endianness>>(pieces: Pieces<'_>) -> Option<Place> {
    let header = H::parse(pieces).ok()?;
    let endian = header.endian().ok()?;
    let sections = header.section_headers(endian, pieces).ok()?;
    let index = header.section_strings_index(endian, pieces).ok()?;
    let (offset, length) = sections.get(index.0)?.file_range(endian)?;
    Some((offset, length.min(LONGEST_NAMES)))
}
