//! The `symbold` program; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    symbold::cli::main()
}
