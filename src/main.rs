//! The `symbold` program; everything is in the library.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// It gives memory back that glibc's allocator would keep: docs/benchmarks.md compares them.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    symbold::cli::main()
}
