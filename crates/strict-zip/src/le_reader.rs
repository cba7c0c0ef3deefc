//! Reads little-endian fields, one after the other.

/// The bytes not read yet. A read of more bytes than are left gives `None`.
#[derive(Clone, Copy)]
pub(super) struct LeReader<'a>(pub(super) &'a [u8]);

impl<'a> LeReader<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// The true value of a `u32` field: when it does not fit, it stands in the zip64 extra field (4.4.8).
    pub(super) fn widened(narrow: u32, wide: &mut Self) -> Option<u64> {
        if narrow == u32::MAX {
            wide.u64()
        } else {
            Some(u64::from(narrow))
        }
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }
}
