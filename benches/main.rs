//! Compares the costs of different ways of doing something, where symbold had the choice.
//!
//! Each module is a study: it names the ways, proves that they come to the same result, and measures them side by side.
//! Ratios within a study mean something; its absolute times are those of the machine. `make bench` runs all of them
//! beside a PostgreSQL, a Redis and an S3 server of their own, and docs/benchmarks.md keeps what came out.
//!
//! ```sh
//! make bench                           # short: small inputs, a second for each function
//! make bench FULL=1 STUDY=gzip         # full inputs and more samples, of the studies whose name has this in it
//! cargo test --bench studies           # every function once, on tiny inputs: are the results still the same?
//! ```

mod cache;
mod endpoint;
mod gzip;
#[path = "../tests/it/support/object_store.rs"]
mod object_store;
mod server;
mod suffix;
mod support;
mod upload;
mod upsert;

fn main() {
    // As the server's, with several threads. What the studies open is closed on it.
    let runtime = tokio::runtime::Runtime::new().expect("the system starts threads");
    let _entered = runtime.enter();
    let mut bench = support::Bench::from_arguments();
    suffix::study(&mut bench);
    cache::study(&mut bench);
    endpoint::study(&mut bench);
    upsert::study(&mut bench);
    upload::study(&mut bench);
    gzip::study(&mut bench);
}
