#![doc = include_str!("../docs/architecture.md")]

pub mod auth;
pub mod background;
pub mod blocking;
pub mod breaker;
pub mod breakpad;
pub mod cache;
pub mod catalog;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod counting;
pub mod cpu;
pub mod db;
pub mod debuginfod;
pub mod download;
pub mod durable_dirs;
pub mod first_run;
pub mod folder_lock;
pub mod health;
pub mod http;
pub mod metrics;
pub mod missing;
pub mod outgoing;
pub mod scratch;
pub mod section;
pub mod server;
pub mod service_url;
pub mod storage;
pub mod symbolication;
pub mod telemetry;
pub mod upload;
pub mod verification;

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit that this program was built from, where `SYMBOLD_COMMIT` named it at build time.
pub const COMMIT: &str = match option_env!("SYMBOLD_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};
