//! `symbold symbolicate`: stacks of addresses in, names, files and lines out.
//!
//! The input is JSON, as `POST /symbolicate/v5` takes it, or text with addresses like `libxul.so+0x1234`. Either
//! becomes one request (`input.rs`, `text.rs`), which a server answers or the storage of this configuration
//! (`symbolicator.rs`). The answer becomes a readable stack (`print.rs`), or is printed as it is.

mod answer;
mod input;
mod print;
mod symbolicator;
mod text;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use crate::config::Config;
use answer::Answer;
use input::Input;
use symbolicator::Symbolicator;
use text::NamedModule;

/// The largest input, in bytes: that of a request.
const LARGEST: u64 = 16 << 20;

#[derive(Debug, Args)]
pub(super) struct SymbolicateArguments {
    /// Stacks: JSON as `POST /symbolicate/v5` takes it, or text with `module+offset` or `module/id+offset`; `-` reads
    /// standard input
    #[arg(value_name = "FILE|-")]
    input: PathBuf,
    /// The server that is asked [default: none; the storage of this configuration is read]
    #[arg(long)]
    url: Option<String>,
    /// The debug id of a module that the text names without one; may be repeated
    #[arg(long = "module", value_name = "NAME/ID", value_parser = NamedModule::parse)]
    modules: Vec<NamedModule>,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
    /// Show no progress
    #[arg(long)]
    quiet: bool,
}

pub(super) async fn run(arguments: SymbolicateArguments, config: &Config) -> anyhow::Result<()> {
    let SymbolicateArguments {
        input,
        url,
        modules,
        json,
        quiet,
    } = arguments;
    let input = Input::read(&bytes_of(&input)?, modules)?;
    for name in input.without_id() {
        eprintln!("symbold: the debug id of {name} is not known; name it with --module {name}/ID");
    }
    let symbolicator = match url {
        Some(url) => Symbolicator::Server(url),
        None => Symbolicator::storage(config).await?,
    };
    let answer = symbolicator.answer(input.request(), quiet).await?;
    if json {
        println!("{}", String::from_utf8_lossy(&answer));
        return Ok(());
    }
    let answer: Answer = serde_json::from_slice(&answer)
        .context("the answer is not that of the symbolication API; is the URL right?")?;
    print::print(&input, &answer).context("cannot write to standard output")?;
    for module in answer.modules_without_symbols() {
        eprintln!(
            "symbold: there are no usable symbols of {}",
            print::plain(module)
        );
    }
    Ok(())
}

fn bytes_of(input: &Path) -> anyhow::Result<Vec<u8>> {
    let name = if input == Path::new("-") {
        "standard input"
    } else {
        &*input.to_string_lossy()
    };
    let mut bytes = Vec::new();
    let read = if input == Path::new("-") {
        io::stdin().take(LARGEST + 1).read_to_end(&mut bytes)
    } else {
        let file = File::open(input).with_context(|| format!("cannot open {name}"))?;
        file.take(LARGEST + 1).read_to_end(&mut bytes)
    };
    read.with_context(|| format!("cannot read {name}"))?;
    if bytes.len() as u64 > LARGEST {
        bail!("{name} is larger than 16 MiB; split it");
    }
    Ok(bytes)
}
