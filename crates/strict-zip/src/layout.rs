//! Where the members lie: local header, data and data descriptor, one member after the other.
//!
//! Sorted by offset, each member must fill the space up to the next one, and the last up to the central directory.
//! That leaves no room for overlapping members (the zip bomb that reuses one piece of data a thousand times), for
//! members that only some readers see, or for anything before, between or after the members.

use super::entry::{Entry, Method};
use super::error::Error;
use super::le_reader::LeReader;
use super::local_header::{Found, LocalHeader};
use super::read_at::ReadAt;
use super::record::{Kind, Record};

const DESCRIPTOR_SIGNATURE: [u8; 4] = *b"PK\x07\x08";

/// The longest data descriptor: signature, CRC-32 and two 64-bit sizes.
const LONGEST_DESCRIPTOR: usize = 24;

/// A deflate stream of nothing, which is how some writers store a directory: one block with nothing but its end.
const EMPTY_STREAM: [u8; 2] = [3, 0];

/// Checks that the members fill the archive up to the central directory, that every local header says the same as its
/// record, and returns the members in the order of their data. Directories are checked, too, and left out.
pub(super) fn locate<R: ReadAt + ?Sized, C>(
    archive: &R,
    mut records: Vec<Record<C>>,
    directory_offset: u64,
) -> Result<Vec<Entry<C>>, Error> {
    records.sort_by_key(|record| record.offset);
    let first_offset = records
        .first()
        .map_or(directory_offset, |record| record.offset);
    if first_offset != 0 {
        return Err(Error::PrependedData {
            bytes: first_offset,
        });
    }
    if let Some(last) = records
        .last()
        .filter(|record| record.offset >= directory_offset)
    {
        return Err(Error::NoLocalHeader(last.name.clone()));
    }

    let mut ends: Vec<u64> = records.iter().skip(1).map(|record| record.offset).collect();
    ends.push(directory_offset);
    let mut entries = Vec::with_capacity(records.len());
    for (record, end) in records.into_iter().zip(ends) {
        let data_offset = check_header(archive, &record, end)?;
        check_end(archive, &record, data_offset, end)?;
        if matches!(record.kind, Kind::Directory) {
            check_directory(archive, &record, data_offset)?;
        }
        entries.extend(record.into_entry(data_offset));
    }
    Ok(entries)
}

/// Compares the local header with the record and returns the offset of the data behind it, at most `end`.
fn check_header<R: ReadAt + ?Sized, C>(
    archive: &R,
    record: &Record<C>,
    end: u64,
) -> Result<u64, Error> {
    match LocalHeader::read(archive, record.offset, end)? {
        Found::Header(header) => {
            header.check_against(record)?;
            Ok(header.data_offset)
        }
        Found::TooLong => Err(Error::Overlap(record.name.clone())),
        Found::Nothing => Err(Error::NoLocalHeader(record.name.clone())),
    }
}

/// Checks that a directory has no data. Callers never see directories, so none of them could verify it.
fn check_directory<R: ReadAt + ?Sized, C>(
    archive: &R,
    record: &Record<C>,
    data_offset: u64,
) -> Result<(), Error> {
    if record.method == Method::Stored {
        return Ok(());
    }
    let mut data = EMPTY_STREAM;
    let is_short = record.compressed_size == data.len() as u64;
    if is_short {
        archive.read_exact_at(&mut data, data_offset)?;
    }
    if !is_short || data != EMPTY_STREAM {
        return Err(Error::DirectoryWithData(record.name.clone()));
    }
    Ok(())
}

/// Checks what lies between the member's data and `end`: the data descriptor of a streamed member, else nothing.
fn check_end<R: ReadAt + ?Sized, C>(
    archive: &R,
    record: &Record<C>,
    data_offset: u64,
    end: u64,
) -> Result<(), Error> {
    let data_end = data_offset.checked_add(record.compressed_size);
    let rest = data_end.and_then(|data_end| end.checked_sub(data_end));
    let rest = rest.ok_or_else(|| Error::Overlap(record.name.clone()))?;
    if !record.is_streamed() {
        return match rest {
            0 => Ok(()),
            bytes => Err(Error::UnexplainedBytes {
                name: record.name.clone(),
                bytes,
            }),
        };
    }

    let wrong = || Error::DataDescriptor(record.name.clone());
    let mut buffer = [0; LONGEST_DESCRIPTOR];
    let length = usize::try_from(rest).map_err(|_| wrong())?;
    let descriptor = buffer.get_mut(..length).ok_or_else(wrong)?;
    archive.read_exact_at(descriptor, end - rest)?;
    if is_descriptor_of(record, descriptor) {
        Ok(())
    } else {
        Err(wrong())
    }
}

/// Returns whether the bytes are the record's data descriptor (4.3.9): with or without signature, with sizes of 32 or
/// 64 bits. Each of the four forms has a length of its own.
fn is_descriptor_of<C>(record: &Record<C>, bytes: &[u8]) -> bool {
    let (signature, values) = match bytes.len() {
        12 | 20 => (None, bytes),
        _ => match bytes.split_first_chunk() {
            Some((signature, values)) => (Some(*signature), values),
            None => return false,
        },
    };
    let mut fields = LeReader(values);
    let crc32 = fields.u32();
    let sizes = match values.len() {
        12 => fields.u32().map(u64::from).zip(fields.u32().map(u64::from)),
        20 => fields.u64().zip(fields.u64()),
        _ => None,
    };
    signature.is_none_or(|signature| signature == DESCRIPTOR_SIGNATURE)
        && crc32 == Some(record.crc32)
        && sizes == Some((record.compressed_size, record.size))
}
