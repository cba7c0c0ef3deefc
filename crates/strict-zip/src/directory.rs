//! The central directory: one record an entry (4.3.12).

use super::end::Directory;
use super::entry::Method;
use super::error::Error;
use super::le_reader::LeReader;
use super::limits::Limits;
use super::names::Names;
use super::read_at::ReadAt;
use super::record::{Kind, Record, STREAMED};
use super::{extra, names};

const SIGNATURE: u32 = 0x0201_4b50;

/// Bits 0 (encrypted), 6 (strong encryption) and 13 (masked headers).
const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;

/// Bit 5: the data is a patch to another file.
const PATCHED: u16 = 1 << 5;

/// Bits 1 and 2 (how hard the compressor tried), 3 and 11 (the name is UTF-8).
const KNOWN_FLAGS: u16 = 1 << 1 | 1 << 2 | STREAMED | 1 << 11;

/// The systems whose external attributes hold a Unix mode: Unix and macOS (4.4.2).
const UNIX_SYSTEMS: [u8; 2] = [3, 19];

/// The Unix mode's set-user-ID, set-group-ID and sticky bits.
const SPECIAL_MODES: u32 = 0o7000;

/// The bit of the external attributes by which DOS marks a directory.
const DOS_DIRECTORY: u32 = 1 << 4;

/// The fields as they stand in the file.
struct RawRecord<'a> {
    system: u8,
    flags: u16,
    method: u16,
    crc32: u32,
    compressed_size: u32,
    size: u32,
    disk: u16,
    attributes: u32,
    offset: u32,
    name: &'a [u8],
    extra: &'a [u8],
    comment: &'a [u8],
}

/// Reads the central directory, whose size has been checked, and checks every record by itself.
pub(super) fn read<R: ReadAt + ?Sized, N: Names + ?Sized>(
    archive: &R,
    directory: &Directory,
    limits: &Limits,
    names: &N,
) -> Result<Vec<Record<N::Content>>, N::Error> {
    let size = usize::try_from(directory.size).map_err(|_| Error::DirectoryPosition)?;
    let mut bytes = vec![0; size];
    archive
        .read_exact_at(&mut bytes, directory.offset)
        .map_err(Error::from)?;

    let mut fields = LeReader(&bytes);
    let mut records = Vec::new();
    let miscounted = || Error::EntryCount {
        declared: directory.entries,
    };
    while !fields.is_empty() {
        if records.len() as u64 == directory.entries {
            return Err(miscounted().into());
        }
        let raw = RawRecord::parse(&mut fields).ok_or(Error::Directory {
            entries: records.len(),
        })?;
        records.push(raw.check(limits, names)?);
    }
    if records.len() as u64 != directory.entries {
        return Err(miscounted().into());
    }
    Ok(records)
}

impl<'a> RawRecord<'a> {
    fn parse(fields: &mut LeReader<'a>) -> Option<Self> {
        if fields.u32()? != SIGNATURE {
            return None;
        }
        let [_version, system] = fields.u16()?.to_le_bytes();
        let _needed = fields.u16()?;
        let (flags, method) = (fields.u16()?, fields.u16()?);
        let _time_and_date = fields.u32()?;
        let (crc32, compressed_size, size) = (fields.u32()?, fields.u32()?, fields.u32()?);
        let (name_length, extra_length, comment_length) =
            (fields.u16()?, fields.u16()?, fields.u16()?);
        let (disk, _internal_attributes) = (fields.u16()?, fields.u16()?);
        let (attributes, offset) = (fields.u32()?, fields.u32()?);
        let name = fields.take(name_length.into())?;
        let extra = fields.take(extra_length.into())?;
        let comment = fields.take(comment_length.into())?;
        Some(Self {
            system,
            flags,
            method,
            crc32,
            compressed_size,
            size,
            disk,
            attributes,
            offset,
            name,
            extra,
            comment,
        })
    }

    fn check<N: Names + ?Sized>(
        &self,
        limits: &Limits,
        names: &N,
    ) -> Result<Record<N::Content>, N::Error> {
        let name = names::decode(self.name, limits, names)?;
        self.check_flags(name)?;
        if !self.comment.is_empty() {
            return Err(Error::MemberComment(name.to_owned()).into());
        }
        if self.disk != 0 {
            return Err(Error::Split.into());
        }
        let Some(method) = Method::from_number(self.method) else {
            let (name, method) = (name.to_owned(), self.method);
            return Err(Error::UnsupportedCompression { name, method }.into());
        };
        let (size, compressed_size, offset) = self.widen(name)?;
        if method == Method::Stored && compressed_size != size {
            return Err(Error::StoredSize(name.to_owned()).into());
        }
        let kind = names::classify(name, names)?;
        let is_directory = matches!(kind, Kind::Directory);
        self.check_attributes(name, is_directory)?;
        // The CRC-32 of nothing is 0.
        let is_empty = size == 0 && self.crc32 == 0;
        if is_directory && !is_empty {
            return Err(Error::DirectoryWithData(name.to_owned()).into());
        }
        Ok(Record {
            name: name.to_owned(),
            kind,
            flags: self.flags,
            method,
            crc32: self.crc32,
            compressed_size,
            size,
            offset,
        })
    }

    fn check_flags(&self, name: &str) -> Result<(), Error> {
        if self.flags & ENCRYPTED != 0 {
            return Err(Error::Encrypted(name.to_owned()));
        }
        if self.flags & PATCHED != 0 {
            return Err(Error::Patched(name.to_owned()));
        }
        if self.flags & !KNOWN_FLAGS != 0 {
            return Err(Error::UnknownFlags {
                name: name.to_owned(),
                flags: self.flags,
            });
        }
        Ok(())
    }

    /// The true size, compressed size and offset. The zip64 extra field holds, in this order, exactly those of the
    /// three that do not fit into 32 bits, and stands there only then (4.5.3).
    fn widen(&self, name: &str) -> Result<(u64, u64, u64), Error> {
        let zip64 = extra::find_zip64(self.extra, name)?;
        let is_needed = [self.size, self.compressed_size, self.offset].contains(&u32::MAX);
        if zip64.is_some() != is_needed {
            return Err(Error::Zip64Extra(name.to_owned()));
        }
        let mut wide = zip64.unwrap_or(LeReader(&[]));
        let mut widen_all = || {
            let size = LeReader::widened(self.size, &mut wide)?;
            let compressed_size = LeReader::widened(self.compressed_size, &mut wide)?;
            let offset = LeReader::widened(self.offset, &mut wide)?;
            wide.is_empty().then_some((size, compressed_size, offset))
        };
        widen_all().ok_or_else(|| Error::Zip64Extra(name.to_owned()))
    }

    /// The attributes must agree with the name on whether this is a directory, and name no symbolic link or device.
    /// Directories below one with the set-group-ID bit inherit it, so only files must not have it.
    fn check_attributes(&self, name: &str, is_directory: bool) -> Result<(), Error> {
        let unix_mode = if UNIX_SYSTEMS.contains(&self.system) {
            self.attributes >> 16
        } else {
            0
        };
        let agrees = match unix_mode & 0o170_000 {
            0 => true,
            0o040_000 => is_directory,
            0o100_000 => !is_directory,
            _ => {
                return Err(Error::NotARegularFile {
                    name: name.to_owned(),
                    mode: unix_mode,
                });
            }
        };
        let is_dos_directory = self.attributes & DOS_DIRECTORY != 0;
        if !agrees || (is_dos_directory && !is_directory) {
            return Err(Error::DirectoryAttribute(name.to_owned()));
        }
        if !is_directory && unix_mode & SPECIAL_MODES != 0 {
            return Err(Error::SpecialMode {
                name: name.to_owned(),
                mode: unix_mode,
            });
        }
        Ok(())
    }
}
