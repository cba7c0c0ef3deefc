//! The program `symbold-loadtest`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    symbold_loadtest::main()
}
