#![doc = include_str!("../README.md")]

mod format;
mod native;
mod sym;
mod symcache;
mod writer;

// The naive reader of the tests is a module of the fuzz targets, too, and names this crate as they do.
#[cfg(test)]
extern crate self as symbolicate;
#[cfg(test)]
mod tests;

pub use native::{NativeError, convert_native};
pub use sym::{ConvertedSym, Limits, SymError, convert_sym};
pub use symcache::{Batch, Frame, Inline, Symcache, SymcacheError};
