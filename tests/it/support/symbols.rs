//! Small real symbol files.

use std::fmt::Write;

/// A debug id.
pub(crate) const ID: &str = "44E4EC8C2F41492B9369D6B9A059577C2";

/// A Breakpad symbol file of a Windows module: header, functions with lines, public symbols, unwinding.
pub(crate) fn sym(debug_file: &str, id: &str, functions: u32) -> Vec<u8> {
    let code_file = debug_file.replace(".pdb", ".dll");
    let mut text = format!(
        "MODULE windows x86_64 {id} {debug_file}\nINFO CODE_ID 5E9A1234F000 {code_file}\n\
         INFO GENERATOR mozilla/dump_syms 2.3.4\nFILE 0 /build/src/main.cpp\n"
    );
    for number in 0..functions {
        let address = 0x1000 + number * 0x40;
        writeln!(
            text,
            "FUNC {address:x} 40 0 ns::Class{}::method{number}(int)",
            number % 17
        )
        .unwrap();
        writeln!(
            text,
            "{address:x} 20 {} 0\n{:x} 20 {} 0",
            number + 10,
            address + 0x20,
            number + 11
        )
        .unwrap();
        writeln!(
            text,
            "STACK CFI INIT {address:x} 40 .cfa: $rsp 8 + .ra: .cfa -8 + ^"
        )
        .unwrap();
    }
    text.into_bytes()
}

/// Bytes that do not compress, the same for the same seed (xorshift).
pub(crate) fn random_bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let words = std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    });
    words.flat_map(u64::to_le_bytes).take(length).collect()
}
