//! The fuzz target of `symbold_fuzz::shared_answer`.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| symbold_fuzz::shared_answer(bytes));

#[cfg(not(fuzzing))]
fn main() {}
