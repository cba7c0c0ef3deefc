//! Names by number: those of `FILE` and `INLINE_ORIGIN` records.
//!
//! A name goes into the symcache when it is used first, since the order of its strings is part of its bytes. Until then
//! the text waits here; afterwards its number in the symcache does. A number that comes again means another name from
//! then on, but not for those records that have referred to it before.

use std::collections::HashMap;

use crate::format::NONE;
use crate::writer::Excess;

/// The entry that stands for all numbers that no record explains: the empty name.
const UNKNOWN: u32 = 0;

/// A name and where it is in the symcache.
#[derive(Debug)]
struct Entry {
    /// Where its text starts; it ends where the next entry's starts.
    start: u32,
    /// Its number in the symcache, or [`NONE`] before it is used.
    place: u32,
}

/// Numbered names.
#[derive(Debug)]
pub(super) struct Catalog {
    entries: Vec<Entry>,
    text: Vec<u8>,
    /// The entries of the numbers 0, 1, 2 and so on, as most files have them.
    counted: Vec<u32>,
    /// The entries of all other numbers.
    others: HashMap<u64, u32>,
    limit: u32,
}

impl Catalog {
    /// An empty one, for at most so many bytes of names.
    pub(super) fn new(limit: u32) -> Self {
        Self {
            entries: vec![Entry {
                start: 0,
                place: NONE,
            }],
            text: Vec::new(),
            counted: Vec::new(),
            others: HashMap::new(),
            limit,
        }
    }

    /// Gives a number a name.
    pub(super) fn name(&mut self, number: u64, text: &[u8]) -> Result<(), Excess> {
        let is_full = text.len() > self.limit as usize - self.text.len();
        let entry = u32::try_from(self.entries.len()).ok().filter(|_| !is_full);
        let excess = || Excess::new("bytes of names", self.limit);
        let entry = entry.ok_or_else(excess)?;
        let start = u32::try_from(self.text.len()).map_err(|_| excess())?;
        self.text.extend_from_slice(text);
        self.entries.push(Entry { start, place: NONE });
        match usize::try_from(number) {
            Ok(number) if number < self.counted.len() => self.counted[number] = entry,
            Ok(number) if number == self.counted.len() => self.counted.push(entry),
            _ => _ = self.others.insert(number, entry),
        }
        Ok(())
    }

    /// The entry that a number means now.
    pub(super) fn entry(&self, number: u64) -> u32 {
        let counted = usize::try_from(number)
            .ok()
            .and_then(|number| self.counted.get(number));
        let entry = counted.or_else(|| self.others.get(&number));
        entry.copied().unwrap_or(UNKNOWN)
    }

    /// The number in the symcache of an entry's name. When it is used first, `insert` puts it there.
    pub(super) fn place(
        &mut self,
        entry: u32,
        insert: impl FnOnce(&[u8]) -> Result<u32, Excess>,
    ) -> Result<u32, Excess> {
        let entry = entry as usize;
        if self.entries[entry].place == NONE {
            let start = self.entries[entry].start as usize;
            let next = self.entries.get(entry + 1);
            let end = next.map_or(self.text.len(), |next| next.start as usize);
            self.entries[entry].place = insert(&self.text[start..end])?;
        }
        Ok(self.entries[entry].place)
    }
}
