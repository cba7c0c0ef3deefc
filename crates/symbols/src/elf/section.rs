//! Finding one section of an ELF file on a disk.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use object::elf::{FileHeader32, FileHeader64};
use object::read::elf::{FileHeader, SectionHeader};
use object::{Endianness, FileKind};

use super::HEADER_LENGTH;
use super::pieces::{Piece, Pieces};

/// The longest table of sections, and the longest table of their names, that is read into memory, in bytes.
const LONGEST_TABLE: u64 = 4 * 1024 * 1024;

/// Why a section could not be looked for.
#[derive(Debug, thiserror::Error)]
pub enum SectionError {
    /// The file is not one whose sections can be read.
    #[error("not an ELF file with sections: {0}")]
    Damaged(&'static str),
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Read(#[from] io::Error),
}

/// Where the bytes of the section of this name lie, as they are in the file: a compressed section stays so. `None` for
/// a section that is not there, or has no bytes in this file.
///
/// Reads at most 8 MiB of the file, whatever it says of itself.
///
/// # Errors
/// See [`SectionError`].
pub fn find_section(file: &File, name: &[u8]) -> Result<Option<Range<u64>>, SectionError> {
    let length = file.metadata()?.len();
    let head = read(file, length, 0, HEADER_LENGTH as u64)?;
    let pieces = std::slice::from_ref(&head);
    let found = match FileKind::parse(Pieces(pieces)) {
        Ok(FileKind::Elf32) => find::<FileHeader32<Endianness>>(file, length, &head, name)?,
        Ok(FileKind::Elf64) => find::<FileHeader64<Endianness>>(file, length, &head, name)?,
        _ => return Err(SectionError::Damaged("unknown kind")),
    };
    match found {
        Some(range) if range.start > range.end || range.end > length => {
            Err(SectionError::Damaged("a section that ends after the file"))
        }
        found => Ok(found),
    }
}

fn find<H: FileHeader<Endian = Endianness>>(
    file: &File,
    length: u64,
    head: &Piece,
    name: &[u8],
) -> Result<Option<Range<u64>>, SectionError> {
    let damaged = |_| SectionError::Damaged("no table of sections");
    let pieces = Pieces(std::slice::from_ref(head));
    let header = H::parse(pieces).map_err(damaged)?;
    let endian = header.endian().map_err(damaged)?;
    let size = u64::from(header.e_shentsize(endian));
    let offset: u64 = header.e_shoff(endian).into();
    // A file of more sections than the header can count says their number in the first of them.
    let first = read(file, length, offset, size)?;
    let known = [head.clone(), first];
    let count = header.shnum(endian, Pieces(&known)).map_err(damaged)?;
    let table = read(file, length, offset, u64::from(count) * size)?;
    let known = [head.clone(), table];
    let sections = header
        .section_headers(endian, Pieces(&known))
        .map_err(damaged)?;
    let names = header
        .section_strings_index(endian, Pieces(&known))
        .ok()
        .and_then(|index| sections.get(index.0)?.file_range(endian));
    let (offset, size) = names.ok_or(SectionError::Damaged("no names of sections"))?;
    let names = read(file, length, offset, size)?;
    let strings = header.section_strings(endian, Pieces(std::slice::from_ref(&names)), sections);
    let strings = strings.map_err(damaged)?;
    let has_name = |section: &&H::SectionHeader| section.name(endian, strings) == Ok(name);
    let range = sections
        .iter()
        .find(has_name)
        .and_then(|section| section.file_range(endian));
    Ok(range.map(|(offset, size)| offset..offset.saturating_add(size)))
}

fn read(file: &File, length: u64, offset: u64, size: u64) -> Result<Piece, SectionError> {
    let is_inside = offset.checked_add(size).is_some_and(|end| end <= length);
    if !is_inside || size > LONGEST_TABLE {
        return Err(SectionError::Damaged("a table that lies outside"));
    }
    let size = usize::try_from(size).map_err(|_| SectionError::Damaged("a table too long"))?;
    let mut bytes = vec![0; size];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(Piece::known(offset, bytes))
}
