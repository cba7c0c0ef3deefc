//! The section of strings, in which every string is once.

use std::hash::BuildHasher;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

use super::Excess;

/// Strings in the order of their first use, each after its length in LEB128.
#[derive(Debug)]
pub(super) struct Strings {
    bytes: Vec<u8>,
    offsets: HashTable<u32>,
    hasher: DefaultHashBuilder,
    limit: u32,
}

impl Strings {
    pub(super) fn new(limit: u32) -> Self {
        Self {
            bytes: Vec::new(),
            offsets: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            limit,
        }
    }

    /// The offset of a string, which is appended if it is new.
    pub(super) fn offset(&mut self, text: &[u8]) -> Result<u32, Excess> {
        let bytes = &self.bytes;
        let hash = |text: &[u8]| self.hasher.hash_one(text);
        let entry = self.offsets.entry(
            hash(text),
            |offset| read(bytes, *offset) == text,
            |offset| hash(read(bytes, *offset)),
        );
        match entry {
            Entry::Occupied(known) => Ok(*known.get()),
            Entry::Vacant(free) => {
                let offset = u32::try_from(self.bytes.len())
                    .ok()
                    .filter(|offset| text.len() <= self.limit.saturating_sub(*offset) as usize)
                    .ok_or_else(|| Excess::new("bytes of strings", self.limit))?;
                free.insert(offset);
                append(&mut self.bytes, text);
                Ok(offset)
            }
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

fn append(bytes: &mut Vec<u8>, text: &[u8]) {
    let mut length = text.len();
    while length >= 0x80 {
        bytes.push(length.to_le_bytes()[0] | 0x80);
        length >>= 7;
    }
    bytes.push(length.to_le_bytes()[0]);
    bytes.extend_from_slice(text);
}

/// The string at an offset that [`append`] has written to.
fn read(bytes: &[u8], offset: u32) -> &[u8] {
    let mut bytes = &bytes[offset as usize..];
    let mut length = 0;
    let mut shift = 0;
    loop {
        let byte = bytes[0];
        bytes = &bytes[1..];
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return &bytes[..length];
        }
    }
}
