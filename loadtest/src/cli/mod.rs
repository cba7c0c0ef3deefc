//! The command line: one subcommand for each scenario, every number with a bound.
//!
//! The checks of values are in `values.rs`.

mod values;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::bundle::Shape;

pub(crate) use values::{Server, token};
use values::{exponent, rate, request_path, share};

/// Measures a running symbol server.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The scenarios.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lookups that the server can answer from memory, each as a share of the heartbeat's throughput
    Hot(Hot),
    /// Asks for the symbols of a trace, as fast as the server answers or at a fixed rate
    Download(Download),
    /// Uploads archives, given or generated, some at once
    Upload(Upload),
    /// Downloads at a fixed rate, first alone and then beside uploads
    Mixed(Mixed),
    /// Makes a trace or a list of symbol keys, from a list of keys or uploads or out of nothing
    Trace(Trace),
}

/// Options of the scenario `download`.
#[derive(Debug, Args)]
pub(crate) struct Download {
    #[command(flatten)]
    pub(crate) server: ServerOptions,
    #[command(flatten)]
    pub(crate) load: Load,
    #[command(flatten)]
    pub(crate) questions: Questions,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Options of the scenario `upload`.
#[derive(Debug, Args)]
pub(crate) struct Upload {
    #[command(flatten)]
    pub(crate) server: ServerOptions,
    #[command(flatten)]
    pub(crate) archives: Archives,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Options of the scenario `mixed`.
#[derive(Debug, Args)]
pub(crate) struct Mixed {
    #[command(flatten)]
    pub(crate) server: ServerOptions,
    #[command(flatten)]
    pub(crate) load: Load,
    #[command(flatten)]
    pub(crate) questions: Questions,
    #[command(flatten)]
    pub(crate) archives: Archives,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Where the server is.
#[derive(Debug, Args)]
pub(crate) struct ServerOptions {
    /// The server; plain http only
    #[arg(long, default_value = "http://127.0.0.1:8000")]
    pub(crate) url: Server,
}

/// How many requests, how fast.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// Connections, each with one request in flight; with --rate the most that may be open
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) connections: u16,

    /// Open loop: so many requests a second are due, whatever the server does; without it each connection asks again
    /// when it has its answer
    #[arg(long, value_name = "REQUESTS", value_parser = rate)]
    pub(crate) rate: Option<f64>,

    /// Lets the requests of the open loop come independently of each other (a Poisson process), not at equal distances
    #[arg(long, requires = "rate")]
    pub(crate) poisson: bool,

    /// Seconds
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..=86_400)
    )]
    pub(crate) duration: u64,

    /// Ends after so many requests, if that is earlier
    #[arg(long, value_name = "COUNT")]
    pub(crate) requests: Option<u64>,

    /// Seconds after which a request counts as not answered
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) timeout: u64,

    /// Fetches what a redirect to an http:// address names, too; otherwise the redirect is the answer
    #[arg(long)]
    pub(crate) follow: bool,
}

/// What to ask for.
#[derive(Debug, Args)]
pub(crate) struct Questions {
    /// A trace as CSV: URI,STATUS CODE,PRIVATE,COUNT
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "keys",
        conflicts_with = "keys"
    )]
    pub(crate) trace: Option<PathBuf>,

    /// Symbol keys to make a trace of: one a line, or uploads as JSON lines; gzipped or not
    #[arg(long, value_name = "FILE")]
    pub(crate) keys: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) spread: Spread,
}

/// How the requests of a made trace spread over its keys.
#[derive(Debug, Args)]
pub(crate) struct Spread {
    /// Takes only keys with this ending, such as .sym
    #[arg(long, value_name = "ENDING", default_value = "")]
    pub(crate) only: String,

    /// Exponent of Zipf's law; 0 asks for all keys alike
    #[arg(long, value_name = "EXPONENT", default_value_t = 1.0, value_parser = exponent)]
    pub(crate) zipf: f64,

    /// Share of requests for symbols that are not there
    #[arg(long, value_name = "SHARE", default_value_t = 0.35, value_parser = share)]
    pub(crate) missing: f64,

    /// Decides everything that chance decides
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// What to upload.
#[derive(Debug, Args)]
pub(crate) struct Archives {
    /// Archives to send
    #[arg(
        value_name = "ZIP",
        required_unless_present_any = ["generate", "pack"],
        conflicts_with_all = ["generate", "pack"]
    )]
    pub(crate) zips: Vec<PathBuf>,

    /// Generates archives: small (10 files, 1 MiB), medium (40, 60 MiB) or large (110, 900 MiB before compression)
    #[arg(long, value_name = "SHAPE", value_enum, conflicts_with = "pack")]
    pub(crate) generate: Option<ShapeName>,

    /// Generates archives of small files with the keys of this list, a hundred in each, so that they can be asked for
    #[arg(long, value_name = "FILE")]
    pub(crate) pack: Option<PathBuf>,

    /// Archives to send; given ones come again, generated ones are all different [default: each given one once, 8
    /// generated ones, or as many as the list needs]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) count: Option<u32>,

    /// Decides the contents of generated archives
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub(crate) archive_seed: u64,

    /// Uploads in flight
    #[arg(long, value_name = "UPLOADS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) at_once: u16,

    /// Secret of a token that may upload; better given by the environment, where other users do not see it
    #[arg(
        long,
        env = "SYMBOLD_TOKEN",
        hide_env_values = true,
        required_unless_present = "token_file",
        value_parser = token
    )]
    pub(crate) token: Option<String>,

    /// File with that secret, such as data/admin-token
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    pub(crate) token_file: Option<PathBuf>,

    /// Uploads as try symbols
    #[arg(long = "try")]
    pub(crate) is_try: bool,
}

/// What becomes of the numbers, beside the table.
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// Writes the report as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Draws the report as SVG
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,

    /// Fails if a smaller share of the answers is as expected
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub(crate) expect: f64,
}

/// Options of the subcommand `trace`.
#[derive(Debug, Args)]
pub(crate) struct Trace {
    /// Symbol keys: one a line, or uploads as JSON lines; gzipped or not
    #[arg(long, value_name = "FILE")]
    pub(crate) keys: Option<PathBuf>,

    /// Makes up the keys of so many builds instead
    #[arg(
        long,
        required_unless_present = "keys",
        conflicts_with = "keys",
        value_parser = clap::value_parser!(u32).range(1..=10_000)
    )]
    pub(crate) builds: Option<u32>,

    #[command(flatten)]
    pub(crate) spread: Spread,

    /// Requests of the trace
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 100_000,
        value_parser = clap::value_parser!(u64).range(1..=crate::trace::MAX_REQUESTS)
    )]
    pub(crate) requests: u64,

    /// Writes the keys, one a line, instead of a trace
    #[arg(long)]
    pub(crate) list: bool,

    /// Where to write; standard output without it
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Names of [`Shape`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShapeName {
    /// A library's build.
    Small,
    /// A program's build.
    Medium,
    /// A browser's build.
    Large,
}

impl From<ShapeName> for Shape {
    fn from(name: ShapeName) -> Self {
        match name {
            ShapeName::Small => Self::Small,
            ShapeName::Medium => Self::Medium,
            ShapeName::Large => Self::Large,
        }
    }
}

/// Options of the scenario `hot`.
#[derive(Debug, Args)]
pub(crate) struct Hot {
    #[command(flatten)]
    pub(crate) server: ServerOptions,

    /// Connections, each with one request in flight
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) connections: u16,

    /// Duration of the whole run, shared by all paths
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) seconds: u64,

    /// Rounds, in each of which every path has its turn; more rounds spread the machine's moods more evenly
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,

    /// Path of a symbol that the server has, such as /xul.pdb/4C4C44…1/xul.sym
    #[arg(long, value_name = "PATH", value_parser = request_path)]
    pub(crate) found: Option<String>,

    /// Another server, which has that symbol's file under the same path, such as nginx: it is asked for it, too
    #[arg(long, value_name = "URL", requires = "found")]
    pub(crate) beside: Option<Server>,

    /// Path of a symbol that the server does not have; the server counts it as missing
    #[arg(
        long,
        value_name = "PATH",
        value_parser = request_path,
        default_value = "/symbold-loadtest.pdb/0123456789ABCDEF0123456789ABCDEF1/symbold-loadtest.sym"
    )]
    pub(crate) missing: String,

    /// Also writes the report as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Also draws the report as SVG
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

#[cfg(test)]
mod tests;
