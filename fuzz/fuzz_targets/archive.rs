//! The fuzz target of `symbold_fuzz::archive`.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| symbold_fuzz::archive(bytes));

#[cfg(not(fuzzing))]
fn main() {}
