//! The command line.

mod healthcheck;
mod serve;
mod symbolicate;
mod token;
mod upload;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::config::{self, Config};
use crate::server;
use crate::symbolication::symcaches::native;

/// A symbol server: takes zips of debug symbols over HTTP, serves every file back by path, counts what was asked for
/// and missing.
#[derive(Debug, Parser)]
#[command(name = "symbold", version, max_term_width = 100)]
struct Arguments {
    /// The configuration file; config/default.toml shows what it may contain
    #[arg(long, global = true, env = "SYMBOLD_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the server (what happens without a command)
    Serve,
    /// Checks the configuration and shows what takes effect
    CheckConfig,
    /// Brings the database's schema up to date and exits
    Migrate,
    /// Makes, lists and revokes tokens
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Sends zips or directories of symbols to a server
    Upload(upload::UploadArguments),
    /// Turns addresses in a file into functions, files and lines
    Symbolicate(symbolicate::SymbolicateArguments),
    /// Compares every stored object with its recorded digest, beside a running server; exits with 1 if damage is left
    Verify(verify::VerifyArguments),
    /// Asks the server of this configuration whether it is alive; exits with 1 if not
    Healthcheck,
    /// Converts a file with debug information; the server runs this as a child process
    #[command(name = native::COMMAND, hide = true)]
    ConvertNative {
        /// The debug id that the file must have
        debug_id: String,
    },
    /// Shows the version
    Version,
}

/// Runs the program: reads the arguments and does what they say.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Before anything else takes memory or starts threads: it runs under limits.
    if let Some(Command::ConvertNative { debug_id }) = &arguments.command {
        return ExitCode::from(native::child(debug_id));
    }
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("symbold: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let command = arguments.command.unwrap_or(Command::Serve);
    if matches!(command, Command::Version) {
        println!("symbold {} ({})", crate::VERSION, crate::COMMIT);
        return Ok(());
    }
    // The one provider of cryptography; a second call could only fail for being the second.
    let _ = rustls::crypto::ring::default_provider().install_default();
    #[expect(
        clippy::disallowed_methods,
        reason = "the environment is read here and handed on"
    )]
    let config = config::load(arguments.config.as_deref(), std::env::vars())?;
    let runtime =
        tokio::runtime::Runtime::new().context("cannot start the asynchronous runtime")?;
    runtime.block_on(async {
        match command {
            Command::Serve => Box::pin(serve::serve(config)).await,
            Command::CheckConfig => {
                check_config(&config);
                Ok(())
            }
            Command::Migrate => migrate(&config).await,
            Command::Token(command) => token::run(command, &config).await,
            Command::Upload(arguments) => upload::run(arguments, &config).await,
            Command::Symbolicate(arguments) => Box::pin(symbolicate::run(arguments, &config)).await,
            Command::Verify(arguments) => Box::pin(verify::run(arguments, &config)).await,
            Command::Healthcheck => healthcheck::run(&config).await,
            Command::ConvertNative { .. } | Command::Version => Ok(()),
        }
    })
}

fn check_config(config: &Config) {
    print!("{}", config.to_toml());
    eprintln!("symbold: the configuration is valid");
}

async fn migrate(config: &Config) -> anyhow::Result<()> {
    let mut config = config.clone();
    config.database.migrate = true;
    server::open_database(&config).await?;
    eprintln!("symbold: the database's schema is up to date");
    Ok(())
}
