//! The subcommand `trace`: writes a trace, or a list of keys.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use anyhow::Context as _;

use super::download::{make_trace, read_keys};
use crate::cli;
use crate::trace::builds;

/// Writes what was asked for.
pub(crate) fn run(options: &cli::Trace) -> anyhow::Result<()> {
    let Some(path) = &options.output else {
        return write(options, io::stdout().lock());
    };
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    write(options, file)
}

fn write(options: &cli::Trace, target: impl Write) -> anyhow::Result<()> {
    let keys = keys(options)?;
    let mut target = BufWriter::new(target);
    if options.list {
        for key in &keys {
            writeln!(target, "{key}")?;
        }
    } else {
        make_trace(&keys, &options.spread, options.requests)?.write(&mut target)?;
    }
    Ok(target.flush()?)
}

fn keys(options: &cli::Trace) -> anyhow::Result<Vec<String>> {
    if let Some(path) = &options.keys {
        return read_keys(path, &options.spread);
    }
    let builds = usize::try_from(options.builds.unwrap_or(1))?;
    let mut keys = builds::make(builds, options.spread.seed).concat();
    keys.retain(|key| key.ends_with(&options.spread.only));
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};
    use crate::trace::Trace;

    fn written(arguments: &str) -> String {
        let words = format!("symbold-loadtest trace {arguments}");
        let Command::Trace(options) = Cli::try_parse_from(words.split(' ')).unwrap().command else {
            panic!("another command");
        };
        let mut text = Vec::new();
        write(&options, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_list_and_a_trace_of_it_have_the_same_keys() {
        let list = written("--builds 2 --only .sym --list");
        assert!(list.lines().count() > 60);
        assert!(
            list.lines()
                .all(|key| key.rsplit('.').next() == Some("sym"))
        );
        let trace = written("--builds 2 --only .sym --missing 0 --zipf 0 --requests 20000");
        let trace = Trace::read(trace.as_bytes()).unwrap();
        assert_eq!(trace.rows().len(), list.lines().count());
        assert!(trace.rows().iter().all(|row| list.contains(&row.path[1..])));
    }
}
