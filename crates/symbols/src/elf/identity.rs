//! What the pieces of an ELF file say of it.

use object::elf::{
    ET_CORE, FileHeader32, FileHeader64, NT_GNU_BUILD_ID, PF_X, PT_LOAD, SHF_ALLOC, SHT_NOBITS,
    SHT_NOTE, SHT_SYMTAB,
};
use object::read::StringTable;
use object::read::elf::{FileHeader, NoteIterator, ProgramHeader, SectionHeader};
use object::{Endianness, FileKind};

use super::pieces::{Piece, Pieces};
use super::{BuildId, ElfFile, NOTE_PLACES};

/// How the names of the sections begin that hold DWARF, plain and compressed as old toolchains did it.
const DWARF: [&[u8]; 2] = [b".debug_", b".zdebug_"];

/// Describes the file that these are the pieces of. The form and the size are those of a plain file of unknown size.
pub(super) fn identify(pieces: &[Piece]) -> Option<ElfFile> {
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
        let names = header.section_strings(endian, pieces, sections);
        contents::<H>(sections, names.unwrap_or_default(), endian)
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

/// Whether there is something to load, and whether there are symbols or DWARF: a file that is stripped has neither a
/// symbol table nor DWARF, and one that was split off holds nothing to load but the notes.
fn contents<'a, H: FileHeader<Endian = Endianness>>(
    sections: &[H::SectionHeader],
    names: StringTable<'a, Pieces<'a>>,
    endian: Endianness,
) -> (bool, bool) {
    let is_allocated = |section: &H::SectionHeader| section.sh_flags(endian).contains(SHF_ALLOC);
    let has_code = sections.iter().any(|section| {
        is_allocated(section) && ![SHT_NOBITS, SHT_NOTE].contains(&section.sh_type(endian))
    });
    let has_symbols = sections
        .iter()
        .any(|section| section.sh_type(endian) == SHT_SYMTAB);
    // Programs load `.debug_gdb_scripts`, which no `strip` removes and which is no DWARF.
    let has_dwarf = sections.iter().any(|section| {
        let name = section.name(endian, names).unwrap_or_default();
        section.sh_type(endian) != SHT_NOBITS
            && !is_allocated(section)
            && DWARF.iter().any(|start| name.starts_with(start))
    });
    (has_code, has_symbols || has_dwarf || !has_code)
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
