#![doc = include_str!("../README.md")]

mod format;
mod native;
mod sym;
mod symcache;
mod writer;

#[cfg(test)]
mod tests;

pub use native::{NativeError, convert_native};
pub use sym::{ConvertedSym, Limits, SymError, convert_sym};
pub use symcache::{Batch, Frame, Inline, Symcache, SymcacheError};
