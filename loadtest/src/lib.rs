//! `symbold-loadtest` puts a bounded load on a symbol server and reports what came back.
//!
//! `cli` reads the command line; each module of `scenario` is one subcommand. `trace` says what to ask for and what to
//! expect, [`bundle`] makes archives to upload, `measure` sets the pace and counts, `http` speaks HTTP/1.1, and
//! `report` turns the numbers into a table, JSON and a picture.
//!
//! Everything that asks runs on one thread, so that counting needs no lock and the other cores are there for the
//! server.
//!
//! Other programs may use [`bundle`] and [`builds`]: benchmarks and tests need archives and names that look like real
//! ones, too.

pub mod bundle;

mod cli;
mod http;
mod measure;
mod random;
mod report;
mod scenario;
mod trace;

pub use trace::builds;

use std::process::ExitCode;

use clap::Parser as _;

use cli::Command;

/// Runs the program: reads the command line, prints the report, and fails when the server did not answer as expected.
#[must_use]
pub fn main() -> ExitCode {
    let command = cli::Cli::parse().command;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        runtime.block_on(async {
            match command {
                Command::Hot(options) => scenario::hot::run(&options).await,
                Command::Download(options) => scenario::download::run(&options).await,
                Command::Upload(options) => scenario::upload::run(&options).await,
                Command::Mixed(options) => scenario::mixed::run(&options).await,
                Command::Trace(options) => scenario::trace::run(&options),
            }
        })
    });
    if let Err(error) = result {
        eprintln!("symbold-loadtest: {error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
