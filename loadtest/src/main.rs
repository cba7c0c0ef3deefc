//! `symbold-loadtest` puts a bounded load on a symbold server and reports what came back.
//!
//! The load is a closed loop: each connection asks, reads the whole answer and asks again, so the server decides the
//! pace. A number of requests per second means little without knowing the machine, therefore every path is measured
//! together with the heartbeat, the cheapest answer that the server has, and reported as a share of it.
//!
//! [`cli`] reads the command line, [`hot`] is the scenario, [`measure`] runs the rounds, [`client`] and [`response`]
//! speak HTTP/1.1, [`report`] turns the tallies into numbers for people and programs.

mod cli;
mod client;
mod hot;
mod measure;
mod report;
mod response;

use std::process::ExitCode;

use clap::Parser as _;

/// One thread: the cores are there for the server.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let result = match cli::Cli::parse().command {
        cli::Command::Hot(options) => hot::run(&options).await,
    };
    if let Err(error) = result {
        eprintln!("symbold-loadtest: {error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
