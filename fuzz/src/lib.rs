//! The checks of the fuzz targets, each on arbitrary bytes. A target that panics has found something.
//!
//! A check is more than "does not panic": what is accepted is held against a second opinion, be it another
//! implementation, a round trip, or a plain table of the rule. CONTRIBUTING.md says how to run the targets.

mod archive;
mod deflate;
mod sym_header;
mod symbol_key;

pub use archive::archive;
pub use deflate::deflate;
pub use sym_header::sym_header;
pub use symbol_key::symbol_key;
