//! The scenario `hot`: questions that the server answers from memory.
//!
//! Four paths take turns: the heartbeat as the yardstick, a symbol that is there (when the caller names one), a symbol
//! that is known to be missing, and a name that can never be a symbol. They stand for most of the traffic of a crash
//! processor that asks for the same modules again and again.

use std::time::Duration;

use anyhow::bail;

use super::hot_report::Report;
use super::rounds::{self, Plan, Target};
use crate::cli::Hot;

/// Runs the scenario, prints the report, and fails when the answers were not those that it is about.
pub(crate) async fn run(options: &Hot) -> anyhow::Result<()> {
    let plan = plan(options).await?;
    let targets = targets(options);
    let steps = u64::from(plan.turns(targets.len()));
    let progress = super::progress_bar(steps, "{bar:40} {pos}/{len} {msg}");
    let tallies = rounds::run(&plan, &targets, &progress).await?;
    progress.finish_and_clear();
    let report = Report::new(&plan, &targets, &tallies);
    print!("{report}");
    if let Some(file) = &options.json {
        super::write_json(&report, file)?;
    }
    let complaints = report.complaints();
    if !complaints.is_empty() {
        bail!("not what was to be measured: {}", complaints.join("; "));
    }
    Ok(())
}

async fn plan(options: &Hot) -> anyhow::Result<Plan> {
    Ok(Plan {
        address: super::connect(&options.server.url).await?,
        authority: options.server.url.authority.clone(),
        connections: options.connections,
        duration: Duration::from_secs(options.seconds),
        rounds: options.rounds,
    })
}

fn targets(options: &Hot) -> Vec<Target> {
    let mut targets = vec![Target {
        name: "heartbeat",
        path: "/__lbheartbeat__".to_owned(),
        expected: &[200],
    }];
    if let Some(path) = &options.found {
        targets.push(Target {
            name: "found",
            path: path.clone(),
            expected: &[200, 302],
        });
    }
    targets.push(Target {
        name: "missing",
        path: options.missing.clone(),
        expected: &[404],
    });
    targets.push(Target {
        name: "ignored",
        path: "/a.pdb/AB/file.ptr".to_owned(),
        expected: &[404],
    });
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
        targets(&options).iter().map(|target| target.name).collect()
    }

    #[test]
    fn the_heartbeat_comes_first_and_a_found_symbol_only_when_named() {
        assert_eq!(names(&[]), ["heartbeat", "missing", "ignored"]);
        assert_eq!(
            names(&["--found", "/a.pdb/AB/a.sym"]),
            ["heartbeat", "found", "missing", "ignored"]
        );
    }
}
