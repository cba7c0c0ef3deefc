//! The fuzz target of `symbold_fuzz::sym_lookup`.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| symbold_fuzz::sym_lookup(bytes));

#[cfg(not(fuzzing))]
fn main() {}
