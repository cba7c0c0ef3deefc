//! One entry as the central directory describes it, checked by itself.

use super::entry::{Entry, Method};

/// Bit 3 of the flags: the sizes stand in a data descriptor after the data, since they were not known before it.
pub(super) const STREAMED: u16 = 1 << 3;

/// An entry of the central directory, each number at its true width.
pub(super) struct Record<C> {
    pub(super) name: String,
    pub(super) kind: Kind<C>,
    pub(super) flags: u16,
    pub(super) method: Method,
    pub(super) crc32: u32,
    pub(super) compressed_size: u64,
    pub(super) size: u64,
    /// Where the local header starts.
    pub(super) offset: u64,
}

/// Whether an entry is a directory.
pub(super) enum Kind<C> {
    Directory,
    File(C),
}

impl<C> Record<C> {
    /// Whether CRC-32 and sizes stand in a data descriptor behind the data.
    pub(super) fn is_streamed(&self) -> bool {
        self.flags & STREAMED != 0
    }

    /// The entry with its data at this offset; `None` for a directory.
    pub(super) fn into_entry(self, data_offset: u64) -> Option<Entry<C>> {
        let Kind::File(content) = self.kind else {
            return None;
        };
        Some(Entry {
            name: self.name,
            content,
            method: self.method,
            crc32: self.crc32,
            compressed_size: self.compressed_size,
            size: self.size,
            data_offset,
        })
    }
}
