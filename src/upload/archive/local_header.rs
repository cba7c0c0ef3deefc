//! The header before a member's data (4.3.7).

use super::error::ArchiveError;
use super::extra;
use super::fields::Fields;
use super::record::{Record, STREAMED};

/// The fixed part, in bytes; name and extra fields follow.
pub(super) const LENGTH: usize = 30;

const SIGNATURE: u32 = 0x0403_4b50;

/// The local header of one member (4.3.7), without its extra fields.
pub(super) struct LocalHeader<'a> {
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) crc32: u32,
    compressed_size: u32,
    size: u32,
    pub(super) name: &'a [u8],
    extra: &'a [u8],
}

impl<'a> LocalHeader<'a> {
    /// The length of the name and the extra fields together, which follow the fixed part.
    pub(super) fn names_length(fixed: &[u8; LENGTH]) -> Option<usize> {
        let [.., name_low, name_high, extra_low, extra_high] = *fixed;
        let name_length = u16::from_le_bytes([name_low, name_high]);
        let extra_length = u16::from_le_bytes([extra_low, extra_high]);
        let is_header = fixed.starts_with(&SIGNATURE.to_le_bytes());
        is_header.then(|| usize::from(name_length) + usize::from(extra_length))
    }

    pub(super) fn parse(fixed: &[u8; LENGTH], names: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(fixed);
        let (_signature, _needed) = (fields.u32()?, fields.u16()?);
        let (flags, method) = (fields.u16()?, fields.u16()?);
        let _time_and_date = fields.u32()?;
        let (crc32, compressed_size, size) = (fields.u32()?, fields.u32()?, fields.u32()?);
        let (name, extra) = names.split_at_checked(fields.u16()?.into())?;
        Some(Self {
            flags,
            method,
            crc32,
            compressed_size,
            size,
            name,
            extra,
        })
    }

    /// Whether CRC-32 and sizes may stand in a data descriptor behind the data.
    pub(super) fn is_streamed(&self) -> bool {
        self.flags & STREAMED != 0
    }

    /// Every field must be that of the central directory. A streamed member may have zeros for what its writer did
    /// not know yet (4.4.4, bit 3).
    pub(super) fn check_against(&self, record: &Record) -> Result<(), ArchiveError> {
        let (size, compressed_size) = self.sizes(&record.name)?;
        let is_streamed = record.is_streamed();
        let is_same = |local: u64, central: u64| local == central || (is_streamed && local == 0);
        for (field, agrees) in [
            ("name", self.name == record.name.as_bytes()),
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
                return Err(ArchiveError::LocalHeaderDiffers {
                    name: record.name.clone(),
                    field,
                });
            }
        }
        Ok(())
    }

    /// The true size and compressed size. A local header has both in its zip64 extra field or neither (4.5.3). A
    /// streamed member may have that field beside zeros, to announce a data descriptor with sizes of 64 bits.
    pub(super) fn sizes(&self, name: &str) -> Result<(u64, u64), ArchiveError> {
        let zip64 = extra::find_zip64(self.extra, name)?;
        let sizes = match (zip64, self.size, self.compressed_size) {
            (Some(wide), u32::MAX, u32::MAX) => two_numbers(wide),
            (Some(wide), 0, 0) if self.is_streamed() => two_numbers(wide),
            (None, size, compressed_size) if size != u32::MAX && compressed_size != u32::MAX => {
                Some((size.into(), compressed_size.into()))
            }
            _ => None,
        };
        sizes.ok_or_else(|| ArchiveError::Zip64Extra(name.to_owned()))
    }
}

/// Two 64-bit numbers and nothing else.
fn two_numbers(mut fields: Fields<'_>) -> Option<(u64, u64)> {
    let numbers = (fields.u64()?, fields.u64()?);
    fields.is_empty().then_some(numbers)
}
