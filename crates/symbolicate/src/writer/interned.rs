//! Values that are written once each, in the order of their first use.

use std::hash::{BuildHasher, Hash};

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

/// A list in which no value is twice. The index holds positions only, so a value takes no second place in memory.
#[derive(Debug)]
pub(super) struct Interned<T> {
    values: Vec<T>,
    positions: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            positions: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }
}

impl<T: Copy + Eq + Hash> Interned<T> {
    /// The position of a value, which is appended if it is new.
    pub(super) fn position(&mut self, value: T) -> u32 {
        let values = &self.values;
        let hash = |value: &T| self.hasher.hash_one(value);
        let entry = self.positions.entry(
            hash(&value),
            |position| values[*position as usize] == value,
            |position| hash(&values[*position as usize]),
        );
        match entry {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(free) => {
                let position = u32::try_from(values.len())
                    .expect("the limits keep every list far shorter than 2^32");
                free.insert(position);
                self.values.push(value);
                position
            }
        }
    }

    /// The values in the order of their first use.
    pub(super) fn values(&self) -> &[T] {
        &self.values
    }
}
