//! Symbolication: addresses in, functions, files and lines out.
//!
//! [`symcaches`] finds the symbols of a module and opens them as a symcache, in which addresses are looked up.

mod config;
mod prebuild;
pub mod symcaches;

pub use config::SymbolicationConfig;
pub use prebuild::PrebuildQueue;
