//! Who answers: a server, or the storage of this configuration.

use std::io::{self, IsTerminal};
use std::sync::Arc;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};

use crate::client;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::http;
use crate::server::{self, Adaptors};
use crate::symbolication::{Job, ModuleName, SymbolicationService};

/// Who answers a request.
#[derive(Debug)]
pub(super) enum Symbolicator {
    /// The server at this URL.
    Server(String),
    /// The storage of this configuration, read by this process. A server may run beside it.
    Storage(Box<SymbolicationService>),
}

impl Symbolicator {
    /// Opens the storage of this configuration.
    pub(super) async fn storage(config: &Config) -> anyhow::Result<Self> {
        let adaptors = Adaptors::open(config).await?;
        let clock = Arc::new(SystemClock::new());
        let symbolication = server::symbolication(config, adaptors, clock)?;
        Ok(Self::Storage(Box::new(symbolication)))
    }

    /// Returns the JSON of the answer.
    pub(super) async fn answer(&self, request: &[u8], quiet: bool) -> anyhow::Result<Vec<u8>> {
        match self {
            Self::Server(url) => client::symbolicate(url, request, quiet).await,
            Self::Storage(symbolication) => {
                let jobs = http::read_jobs(request).context("cannot read the request")?;
                prepare(symbolication, &jobs, quiet).await;
                let answers = symbolication.symbolicate(jobs).await?;
                http::write_answers(&answers)
                    .context("the answer is too large; ask for fewer frames")
            }
        }
    }
}

/// Opens the symbols of all modules, and shows which is on. Converting large ones takes seconds.
async fn prepare(symbolication: &SymbolicationService, jobs: &[Job], quiet: bool) {
    let is_shown = !quiet && io::stderr().is_terminal();
    let bar = if is_shown {
        ProgressBar::new(0)
    } else {
        ProgressBar::hidden()
    };
    let style = ProgressStyle::with_template("Opening symbols [{bar:30}] {pos} of {len}: {msg}");
    bar.set_style(style.expect("the template is well formed"));
    let tell = |module: &ModuleName, done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
        bar.set_message(module.debug_file.clone());
    };
    symbolication.prepare(jobs, tell).await;
    bar.finish_and_clear();
}
