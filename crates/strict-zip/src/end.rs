//! The records at the end of an archive, which say where the central directory is.
//!
//! Readers look for the end record by searching backwards through a comment of up to 64 KiB, which lets two of them
//! find two different archives in one file. Here it must be the last 22 bytes. The same goes for the zip64 records:
//! they must stand directly before it, and every number that is said twice must be the same number.

use std::io;

use super::error::Error;
use super::le_reader::LeReader;
use super::read_at::ReadAt;

const END_LENGTH: usize = 22;
const END_SIGNATURE: u32 = 0x0605_4b50;
const LOCATOR_LENGTH: usize = 20;
const LOCATOR_SIGNATURE: u32 = 0x0706_4b50;
const WIDE_END_LENGTH: usize = 56;
const WIDE_END_SIGNATURE: u32 = 0x0606_4b50;

/// The size that a zip64 end record without extensible data declares: its length less the first two fields.
const WIDE_END_DECLARED_LENGTH: u64 = 44;

/// Where the central directory lies, and how many records it should have.
pub(super) struct Directory {
    pub(super) entries: u64,
    pub(super) size: u64,
    pub(super) offset: u64,
}

/// The numbers that the end record (4.3.16) and the zip64 end record (4.3.14) have in common.
struct EndRecord {
    disk: u64,
    directory_disk: u64,
    entries_on_disk: u64,
    entries: u64,
    size: u64,
    offset: u64,
}

/// Finds the central directory.
pub(super) fn find_directory<R: ReadAt + ?Sized>(archive: &R) -> Result<Directory, Error> {
    let length = archive.size()?;
    let end_offset = length
        .checked_sub(END_LENGTH as u64)
        .ok_or(Error::NotAZip)?;
    let mut bytes = [0; END_LENGTH];
    archive.read_exact_at(&mut bytes, end_offset)?;
    let Some(narrow) = EndRecord::parse(&bytes) else {
        return Err(explain_missing_end(archive, length)?);
    };

    let (record, directory_end) = match find_wide_end(archive, end_offset)? {
        Some((wide, wide_offset)) => {
            narrow.check_against(&wide)?;
            (wide, wide_offset)
        }
        None => (narrow, end_offset),
    };
    if record.disk != 0 || record.directory_disk != 0 || record.entries_on_disk != record.entries {
        return Err(Error::Split);
    }
    if record.offset.checked_add(record.size) != Some(directory_end) {
        return Err(Error::DirectoryPosition);
    }
    Ok(Directory {
        entries: record.entries,
        size: record.size,
        offset: record.offset,
    })
}

impl EndRecord {
    /// Parses the end record; one that announces a comment is not one, since it is the end of the file.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = LeReader(bytes);
        if fields.u32()? != END_SIGNATURE {
            return None;
        }
        let record = Self {
            disk: fields.u16()?.into(),
            directory_disk: fields.u16()?.into(),
            entries_on_disk: fields.u16()?.into(),
            entries: fields.u16()?.into(),
            size: fields.u32()?.into(),
            offset: fields.u32()?.into(),
        };
        let comment_length = fields.u16()?;
        (comment_length == 0).then_some(record)
    }

    /// Parses the zip64 end record; one with extensible data is refused.
    fn parse_wide(bytes: &[u8]) -> Option<Self> {
        let mut fields = LeReader(bytes);
        if fields.u32()? != WIDE_END_SIGNATURE || fields.u64()? != WIDE_END_DECLARED_LENGTH {
            return None;
        }
        let (_made_by, _needed) = (fields.u16()?, fields.u16()?);
        Some(Self {
            disk: fields.u32()?.into(),
            directory_disk: fields.u32()?.into(),
            entries_on_disk: fields.u64()?,
            entries: fields.u64()?,
            size: fields.u64()?,
            offset: fields.u64()?,
        })
    }

    /// Each number must be that of the zip64 record, or the largest of its width, which stands for "see there".
    fn check_against(&self, wide: &Self) -> Result<(), Error> {
        let (short, long) = (u64::from(u16::MAX), u64::from(u32::MAX));
        for (field, narrow, wide, largest) in [
            ("number of this disk", self.disk, wide.disk, short),
            (
                "disk of the central directory",
                self.directory_disk,
                wide.directory_disk,
                short,
            ),
            (
                "number of entries on this disk",
                self.entries_on_disk,
                wide.entries_on_disk,
                short,
            ),
            ("number of entries", self.entries, wide.entries, short),
            ("size of the central directory", self.size, wide.size, long),
            (
                "offset of the central directory",
                self.offset,
                wide.offset,
                long,
            ),
        ] {
            if narrow != wide && narrow != largest {
                return Err(Error::EndRecordsDiffer(field));
            }
        }
        Ok(())
    }
}

/// Reads the zip64 end record with its offset, if there is a locator (4.3.15) before the end record.
fn find_wide_end<R: ReadAt + ?Sized>(
    archive: &R,
    end_offset: u64,
) -> Result<Option<(EndRecord, u64)>, Error> {
    let Some(locator_offset) = end_offset.checked_sub(LOCATOR_LENGTH as u64) else {
        return Ok(None);
    };
    let mut bytes = [0; LOCATOR_LENGTH];
    archive.read_exact_at(&mut bytes, locator_offset)?;
    let Some((disk, declared_offset, disks)) = parse_locator(&bytes) else {
        return Ok(None);
    };
    if disk != 0 || disks != 1 {
        return Err(Error::Split);
    }

    let offset = locator_offset
        .checked_sub(WIDE_END_LENGTH as u64)
        .ok_or(Error::Zip64EndRecord)?;
    let mut bytes = [0; WIDE_END_LENGTH];
    archive.read_exact_at(&mut bytes, offset)?;
    let record = EndRecord::parse_wide(&bytes).ok_or(Error::Zip64EndRecord)?;
    if declared_offset != offset {
        return Err(Error::Zip64EndRecord);
    }
    Ok(Some((record, offset)))
}

/// The disk and the offset of the zip64 end record, and the number of disks.
fn parse_locator(bytes: &[u8]) -> Option<(u32, u64, u32)> {
    let mut fields = LeReader(bytes);
    if fields.u32()? != LOCATOR_SIGNATURE {
        return None;
    }
    Some((fields.u32()?, fields.u64()?, fields.u32()?))
}

/// Looks for an end record where other readers would, to tell a zip with something after it from no zip at all.
fn explain_missing_end<R: ReadAt + ?Sized>(archive: &R, length: u64) -> io::Result<Error> {
    let longest = END_LENGTH + usize::from(u16::MAX);
    let mut tail = vec![0; usize::try_from(length).unwrap_or(longest).min(longest)];
    let tail_offset = length - tail.len() as u64;
    archive.read_exact_at(&mut tail, tail_offset)?;
    for (start, record) in tail.windows(END_LENGTH).enumerate().rev() {
        let [b'P', b'K', 5, 6, .., low, high] = record else {
            continue;
        };
        let after = tail.len() - start - END_LENGTH;
        match after.checked_sub(u16::from_le_bytes([*low, *high]).into()) {
            Some(0) => return Ok(Error::Comment),
            Some(bytes) => return Ok(Error::TrailingData { bytes }),
            None => {}
        }
    }
    Ok(Error::NotAZip)
}
