//! `symbold upload`: sends symbols to a server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use crate::client::{self, UploadOptions};
use crate::config::Config;
use crate::first_run::TOKEN_FILE;

/// The variable that holds the token.
const TOKEN_VARIABLE: &str = "SYMBOLD_TOKEN";

#[derive(Debug, Args)]
pub(super) struct UploadArguments {
    /// Zips of symbols, or directories with files at `<module>/<id>/<file>`
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// The server [default: the one of this configuration]
    #[arg(long)]
    url: Option<String>,
    /// Upload as try symbols
    #[arg(long = "try")]
    try_symbols: bool,
    /// File with the token [default: the variable `SYMBOLD_TOKEN`, or else the first start's token under `data_dir`]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// How often each archive is tried
    #[arg(long, default_value_t = 7)]
    attempts: u32,
    /// Seconds between attempts, unless the server asks for another wait
    #[arg(long, default_value_t = 60)]
    retry_delay: u64,
    /// Show only warnings and errors
    #[arg(long)]
    quiet: bool,
}

pub(super) async fn run(arguments: UploadArguments, config: &Config) -> anyhow::Result<()> {
    let token = token(arguments.token_file.as_deref(), Path::new(&config.data_dir))?;
    let url = arguments.url.unwrap_or_else(|| own_url(config));
    let mut options = UploadOptions::new(arguments.paths, url, token);
    options.try_symbols = arguments.try_symbols;
    options.attempts = arguments.attempts;
    options.retry_delay = Duration::from_secs(arguments.retry_delay);
    options.quiet = arguments.quiet;
    client::upload(&options).await?;
    Ok(())
}

/// A token never stands on the command line, where every user of the machine could read it.
fn token(file: Option<&Path>, data_dir: &Path) -> anyhow::Result<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the command line reads the environment"
    )]
    let variable = std::env::var(TOKEN_VARIABLE)
        .ok()
        .filter(|token| !token.trim().is_empty());
    let first_token = data_dir.join(TOKEN_FILE);
    let file = match (file, variable) {
        (Some(file), _) => file,
        (None, Some(token)) => return Ok(token.trim().to_owned()),
        (None, None) if first_token.exists() => &first_token,
        (None, None) => bail!("no token: set {TOKEN_VARIABLE}, or name a file with --token-file"),
    };
    let token =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(token.trim().to_owned())
}

fn own_url(config: &Config) -> String {
    if config.server.public_url.is_empty() {
        format!("http://{}", config.server.listen)
    } else {
        config.server.public_url.clone()
    }
}
