//! `PUBLIC` records: names of which only the start is known. They wait here until all functions are known.

use crate::writer::Excess;

#[derive(Debug)]
struct Public {
    address: u32,
    /// Where its name starts; it ends where the next one's starts.
    name: u32,
}

/// The records in their order.
#[derive(Debug)]
pub(super) struct Publics {
    records: Vec<Public>,
    names: Vec<u8>,
    limit: u32,
}

impl Publics {
    /// No records, of at most so many bytes of names.
    pub(super) fn new(limit: u32) -> Self {
        Self {
            records: Vec::new(),
            names: Vec::new(),
            limit,
        }
    }

    pub(super) fn add(&mut self, address: u32, name: &[u8]) -> Result<(), Excess> {
        let start = u32::try_from(self.names.len())
            .ok()
            .filter(|start| name.len() <= self.limit.saturating_sub(*start) as usize)
            .ok_or_else(|| Excess::new("bytes of names", self.limit))?;
        self.records.push(Public {
            address,
            name: start,
        });
        self.names.extend_from_slice(name);
        Ok(())
    }

    /// Addresses and names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let ends = self.records.iter().skip(1).map(|next| next.name as usize);
        let ends = ends.chain([self.names.len()]);
        self.records.iter().zip(ends).map(|(public, end)| {
            let name = &self.names[public.name as usize..end];
            (public.address, name)
        })
    }
}
