//! The header before a member's data (4.3.7).

use std::io;

use super::error::Error;
use super::extra;
use super::le_reader::LeReader;
use super::read_at::ReadAt;
use super::record::{Record, STREAMED};

/// The fixed part, in bytes; name and extra fields follow.
const LENGTH: usize = 30;

const SIGNATURE: u32 = 0x0403_4b50;

/// The local header of one member (4.3.7).
pub(super) struct LocalHeader {
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) crc32: u32,
    compressed_size: u32,
    size: u32,
    pub(super) name: Vec<u8>,
    extra: Vec<u8>,
    /// Where the member's data begin.
    pub(super) data_offset: u64,
}

/// The bytes found where a local header should be.
pub(super) enum Found {
    Header(LocalHeader),
    /// Possibly a header, but it continues behind the end.
    TooLong,
    /// Something else.
    Nothing,
}

impl LocalHeader {
    /// Reads the header at `offset`, and nothing from `end` on.
    pub(super) fn read<R: ReadAt + ?Sized>(
        archive: &R,
        offset: u64,
        end: u64,
    ) -> io::Result<Found> {
        let behind = |offset: u64, length: usize| {
            let behind = offset.checked_add(length as u64);
            behind.filter(|behind| *behind <= end)
        };
        let Some(names_offset) = behind(offset, LENGTH) else {
            return Ok(Found::TooLong);
        };
        let mut fixed = [0; LENGTH];
        archive.read_exact_at(&mut fixed, offset)?;
        let Some(names_length) = names_length(&fixed) else {
            return Ok(Found::Nothing);
        };
        let Some(data_offset) = behind(names_offset, names_length) else {
            return Ok(Found::TooLong);
        };
        let mut names = vec![0; names_length];
        archive.read_exact_at(&mut names, names_offset)?;
        let header = Self::parse(&fixed, names, data_offset);
        Ok(header.map_or(Found::Nothing, Found::Header))
    }

    fn parse(fixed: &[u8; LENGTH], mut name: Vec<u8>, data_offset: u64) -> Option<Self> {
        let mut fields = LeReader(fixed);
        let (_signature, _needed) = (fields.u32()?, fields.u16()?);
        let (flags, method) = (fields.u16()?, fields.u16()?);
        let _time_and_date = fields.u32()?;
        let (crc32, compressed_size, size) = (fields.u32()?, fields.u32()?, fields.u32()?);
        let extra = name.split_off(fields.u16()?.into());
        Some(Self {
            flags,
            method,
            crc32,
            compressed_size,
            size,
            name,
            extra,
            data_offset,
        })
    }

    /// Whether CRC-32 and sizes may stand in a data descriptor behind the data.
    pub(super) fn is_streamed(&self) -> bool {
        self.flags & STREAMED != 0
    }

    /// Every field must be that of the central directory. A streamed member may have zeros for what its writer did
    /// not know yet (4.4.4, bit 3).
    pub(super) fn check_against<C>(&self, record: &Record<C>) -> Result<(), Error> {
        let (size, compressed_size) = self.sizes(&record.name)?;
        let is_streamed = record.is_streamed();
        let is_same = |local: u64, central: u64| local == central || (is_streamed && local == 0);
        for (field, agrees) in [
            ("name", self.name.as_slice() == record.name.as_bytes()),
            ("flags", self.flags == record.flags),
            ("compression method", self.method == record.method.number()),
            ("CRC-32", is_same(self.crc32.into(), record.crc32.into())),
            (
                "compressed size",
                is_same(compressed_size, record.compressed_size),
            ),
            ("size", is_same(size, record.size)),
        ] {
            if !agrees {
                return Err(Error::LocalHeaderDiffers {
                    name: record.name.clone(),
                    field,
                });
            }
        }
        Ok(())
    }

    /// The true size and compressed size. A local header has both in its zip64 extra field or neither (4.5.3). A
    /// streamed member may have that field beside zeros, to announce a data descriptor with sizes of 64 bits.
    pub(super) fn sizes(&self, name: &str) -> Result<(u64, u64), Error> {
        let zip64 = extra::find_zip64(&self.extra, name)?;
        let sizes = match (zip64, self.size, self.compressed_size) {
            (Some(wide), u32::MAX, u32::MAX) => two_numbers(wide),
            (Some(wide), 0, 0) if self.is_streamed() => two_numbers(wide),
            (None, size, compressed_size) if size != u32::MAX && compressed_size != u32::MAX => {
                Some((size.into(), compressed_size.into()))
            }
            _ => None,
        };
        sizes.ok_or_else(|| Error::Zip64Extra(name.to_owned()))
    }
}

/// The length of the name and the extra fields together, which follow the fixed part.
fn names_length(fixed: &[u8; LENGTH]) -> Option<usize> {
    let [.., name_low, name_high, extra_low, extra_high] = *fixed;
    let name_length = u16::from_le_bytes([name_low, name_high]);
    let extra_length = u16::from_le_bytes([extra_low, extra_high]);
    let is_header = fixed.starts_with(&SIGNATURE.to_le_bytes());
    is_header.then(|| usize::from(name_length) + usize::from(extra_length))
}

/// Two 64-bit numbers and nothing else.
fn two_numbers(mut fields: LeReader<'_>) -> Option<(u64, u64)> {
    let numbers = (fields.u64()?, fields.u64()?);
    fields.is_empty().then_some(numbers)
}
