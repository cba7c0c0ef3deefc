//! The scenario `hot`: questions that the server answers from memory.
//!
//! Four paths take turns: the heartbeat as the yardstick, a symbol that is there (when the caller names one), a symbol
//! that is known to be missing, and a name that can never be a symbol. They stand for most of the traffic of a crash
//! processor that asks for the same modules again and again. Another server may be asked for the symbol that is there
//! in a turn of its own, so that the two are compared within one run.

use std::time::Duration;

use anyhow::bail;

use super::hot_report::Report;
use super::rounds::{self, Peer, Plan, Target};
use crate::cli::{Hot, Server};

/// Runs the scenario, prints the report, and fails when the answers were not those that it is about.
pub(crate) async fn run(options: &Hot) -> anyhow::Result<()> {
    let plan = Plan {
        connections: options.connections,
        duration: Duration::from_secs(options.seconds),
        rounds: options.rounds,
    };
    let server = peer(&options.server.url).await?;
    let other = match &options.beside {
        Some(url) => Some(peer(url).await?),
        None => None,
    };
    let targets = targets(options, &server, other);
    let steps = u64::from(plan.turns(targets.len()));
    let progress = super::progress_bar(steps, "{bar:40} {pos}/{len} {msg}");
    let tallies = rounds::run(&plan, &targets, &progress).await?;
    progress.finish_and_clear();
    let report = Report::new(&plan, &targets, &tallies);
    print!("{report}");
    if let Some(file) = &options.json {
        super::write_json(&report, file)?;
    }
    if let Some(file) = &options.svg {
        super::write_picture(&report.picture(), file)?;
    }
    let complaints = report.complaints();
    if !complaints.is_empty() {
        bail!("not what was to be measured: {}", complaints.join("; "));
    }
    Ok(())
}

async fn peer(server: &Server) -> anyhow::Result<Peer> {
    Ok(Peer {
        address: super::connect(server).await?,
        authority: server.authority.clone(),
    })
}

fn targets(options: &Hot, server: &Peer, other: Option<Peer>) -> Vec<Target> {
    let target = |name, path: &str, expected| Target {
        name,
        server: server.clone(),
        path: path.to_owned(),
        expected,
    };
    let mut targets = vec![target("heartbeat", "/__lbheartbeat__", &[200])];
    if let Some(path) = &options.found {
        let found = target("found", path, &[200, 302]);
        let beside = other.map(|other| Target {
            name: "beside",
            server: other,
            ..found.clone()
        });
        targets.push(found);
        targets.extend(beside);
    }
    targets.push(target("missing", &options.missing, &[404]));
    targets.push(target("ignored", "/a.pdb/AB/file.ptr", &[404]));
    targets
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn names(arguments: &[&str]) -> Vec<&'static str> {
        let words = ["symbold-loadtest", "hot"].iter().chain(arguments);
        let Command::Hot(options) = Cli::try_parse_from(words).unwrap().command else {
            panic!("another command");
        };
        let peer = |authority: &str| Peer {
            authority: authority.to_owned(),
            address: authority.parse().unwrap(),
        };
        let other = options.beside.as_ref().map(|url| peer(&url.authority));
        let targets = targets(&options, &peer("127.0.0.1:8000"), other);
        targets.iter().map(|target| target.name).collect()
    }

    #[test]
    fn the_heartbeat_comes_first_and_a_found_symbol_only_when_named() {
        assert_eq!(names(&[]), ["heartbeat", "missing", "ignored"]);
        assert_eq!(
            names(&["--found", "/a.pdb/AB/a.sym"]),
            ["heartbeat", "found", "missing", "ignored"]
        );
        let beside = ["--beside", "http://127.0.0.1:8080"];
        assert_eq!(
            names(&["--found", "/a.pdb/AB/a.sym", beside[0], beside[1]]),
            ["heartbeat", "found", "beside", "missing", "ignored"]
        );
    }
}
