//! What the server has to survive: being killed, power cuts, dependencies in trouble, and hours of load.
//!
//! `make test` runs this briefly, `make faults` for as long as its variables say:
//!
//!     FAULTS_ROUNDS    how often a server is killed, or loses its power
//!     FAULTS_SECONDS   how long the mixed load lasts
//!
//! Each test ends with a line of figures.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails, with the place where it stopped"
)]

mod dependencies;
mod kills;
mod ledger;
mod power;
mod rounds;
mod soak;
#[path = "../it/support/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "the tests over the wire use more of it"
)]
mod support;

use std::io::Write;

use support::variable;

/// How often, or how many seconds: what a variable says, or as much as a short run has time for.
fn how_many(name: &str, short: u64) -> u64 {
    let number = variable(name).filter(|number| !number.is_empty());
    number.map_or(short, |number| number.parse().unwrap())
}

/// Prints a line of figures, also when the test passes.
fn tell(line: &str) {
    // Not `eprintln`, whose text the test harness keeps to itself when a test passes.
    drop(std::io::stderr().write_all(format!("faults: {line}\n").as_bytes()));
}
