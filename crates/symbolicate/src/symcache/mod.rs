//! Reads symcaches.
//!
//! A [`Symcache`] holds the bytes, owned, borrowed or mapped. Addresses are looked up in a [`Batch`], which remembers
//! the paths that it has put together. Sections are slices of the bytes, numbers are read where they stand,
//! and every number that refers to something may be wrong: then there is nothing there. So damaged bytes give wrong
//! answers, but never a panic, and never an endless one.

mod batch;
mod layout;

use std::ops::Deref;

use layout::Layout;

pub use batch::{Batch, Frame, Inline};

/// Why bytes are no symcache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SymcacheError {
    /// The bytes do not start as a symcache does.
    #[error("not a symcache")]
    Format,
    /// A symcache of another version than 9, or of a machine with another order of bytes.
    #[error("a symcache of another version")]
    Version,
    /// The sections are longer than the bytes, or their lengths make no sense.
    #[error("the symcache is cut off or damaged")]
    Cut,
}

/// A symcache of version 9 in mapped or owned bytes, at any address.
///
/// Its lengths are checked, its content is not: code that stores symcaches adds a checksum.
#[derive(Clone, Copy, Debug)]
pub struct Symcache<B> {
    bytes: B,
    layout: Layout,
}

impl<B: Deref<Target = [u8]>> Symcache<B> {
    /// Looks at the header.
    ///
    /// # Errors
    /// See [`SymcacheError`].
    pub fn new(bytes: B) -> Result<Self, SymcacheError> {
        let layout = Layout::read(&bytes)?;
        Ok(Self { bytes, layout })
    }

    /// Starts looking up addresses.
    pub fn batch(&self) -> Batch<'_> {
        Batch::new(self.layout.sections(&self.bytes))
    }
}
