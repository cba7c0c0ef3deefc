//! The numbers of the scenario `hot`, for people and programs.
//!
//! The first target is the yardstick (in the scenario `hot` the heartbeat): it costs the server nothing but the HTTP
//! exchange itself. The ratio of a target's throughput to it says what the product's own work costs, on any machine.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::rounds::{Plan, Tally, Target};
use crate::report::comparison::{self, Bar};

/// The result of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    server: String,
    connections: u16,
    seconds: f64,
    rounds: u32,
    targets: Vec<Row>,
}

/// The result of one target.
#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    path: String,
    answers: u64,
    requests_per_second: f64,
    /// Throughput as a share of the first target's; absent when that one had no answer.
    ratio: Option<f64>,
    /// Between the fastest and the slowest round, as a share of the throughput: how steady the machine was.
    spread: Option<f64>,
    median_microseconds: u64,
    p99_microseconds: u64,
    statuses: BTreeMap<u16, u64>,
    failures: u64,
    #[serde(skip)]
    expected: &'static [u16],
}

impl Report {
    /// Takes the tallies in the order of the targets.
    pub(crate) fn new(plan: &Plan, targets: &[Target], tallies: &[Tally]) -> Self {
        let server = targets
            .first()
            .map_or_else(String::new, |target| target.server.authority.clone());
        let yardstick = tallies.first().map_or(0.0, Tally::rate);
        let rows = targets
            .iter()
            .zip(tallies)
            .map(|(target, tally)| Row::new(target, tally, yardstick))
            .collect();
        Self {
            server,
            connections: plan.connections,
            seconds: plan.duration.as_secs_f64(),
            rounds: plan.rounds,
            targets: rows,
        }
    }

    /// Draws the throughputs as SVG.
    pub(crate) fn picture(&self) -> String {
        let bar = |row: &Row| Bar {
            name: row.name.to_owned(),
            requests_per_second: row.requests_per_second,
            words: format!(
                "{:.0}/s, {} of the first",
                row.requests_per_second,
                optional(row.ratio, |ratio| format!("{ratio:.2}")),
            ),
        };
        let headline = (
            format!("hot {}", self.server),
            format!(
                "{} connections, {} s in {} rounds",
                self.connections, self.seconds, self.rounds
            ),
        );
        let bars: Vec<Bar> = self.targets.iter().map(bar).collect();
        comparison::draw(&headline, &bars)
    }

    /// Why the numbers are not what they seem: answers with other statuses than expected, and missing answers.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        for row in &self.targets {
            for (status, count) in &row.statuses {
                if !row.expected.contains(status) {
                    complaints.push(format!(
                        "{} was answered with {status} ({count} times)",
                        row.path
                    ));
                }
            }
            if row.failures > 0 {
                complaints.push(format!("{} had no answer {} times", row.path, row.failures));
            }
        }
        complaints
    }
}

impl Row {
    fn new(target: &Target, tally: &Tally, yardstick: f64) -> Self {
        let rate = tally.rate();
        let fastest = tally.rates.iter().copied().fold(f64::MIN, f64::max);
        let slowest = tally.rates.iter().copied().fold(f64::MAX, f64::min);
        Self {
            name: target.name,
            path: target.path.clone(),
            answers: tally.answers(),
            requests_per_second: rate,
            ratio: (yardstick > 0.0).then(|| rate / yardstick),
            spread: (rate > 0.0 && !tally.rates.is_empty()).then(|| (fastest - slowest) / rate),
            median_microseconds: tally.latencies.value_at_quantile(0.5),
            p99_microseconds: tally.latencies.value_at_quantile(0.99),
            statuses: tally.statuses.clone(),
            failures: tally.failures,
            expected: target.expected,
        }
    }

    fn statuses(&self) -> String {
        let mut parts: Vec<String> = self
            .statuses
            .iter()
            .map(|(status, count)| format!("{status}: {count}"))
            .collect();
        if self.failures > 0 {
            parts.push(format!("no answer: {}", self.failures));
        }
        parts.join(", ")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            server,
            connections,
            seconds,
            rounds,
            targets,
        } = self;
        writeln!(
            formatter,
            "{server}, {connections} connections, {seconds} s in {rounds} rounds"
        )?;
        writeln!(
            formatter,
            "{:<10} {:>10} {:>6} {:>7} {:>10} {:>10}  statuses",
            "target", "requests/s", "ratio", "spread", "median", "p99"
        )?;
        for row in targets {
            writeln!(
                formatter,
                "{:<10} {:>10.0} {:>6} {:>7} {:>10} {:>10}  {}",
                row.name,
                row.requests_per_second,
                optional(row.ratio, |ratio| format!("{ratio:.2}")),
                optional(row.spread, |spread| format!("{:.0} %", spread * 100.0)),
                milliseconds(row.median_microseconds),
                milliseconds(row.p99_microseconds),
                row.statuses(),
            )?;
        }
        Ok(())
    }
}

fn optional(number: Option<f64>, format: impl FnOnce(f64) -> String) -> String {
    number.map_or_else(|| "-".to_owned(), format)
}

fn milliseconds(microseconds: u64) -> String {
    format!("{}.{:02} ms", microseconds / 1000, microseconds % 1000 / 10)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::rounds::Peer;
    use super::*;

    fn plan() -> Plan {
        Plan {
            connections: 2,
            duration: Duration::from_secs(6),
            rounds: 2,
        }
    }

    fn target(name: &'static str, expected: &'static [u16]) -> Target {
        Target {
            name,
            server: Peer {
                authority: "127.0.0.1:8000".to_owned(),
                address: "127.0.0.1:8000".parse().unwrap(),
            },
            path: format!("/{name}"),
            expected,
        }
    }

    /// Two turns of one second each, with so many answers; latencies from 10 µs upwards in steps of 10 µs.
    fn tally(status: u16, turns: [u64; 2]) -> Tally {
        let mut all = Tally::new();
        for answers in turns {
            let mut turn = Tally::new();
            for answer in 1..=answers {
                turn.record(status, Duration::from_micros(answer * 10));
            }
            turn.elapsed = Duration::from_secs(1);
            all.absorb(&turn);
        }
        all
    }

    fn report() -> Report {
        let targets = [target("heartbeat", &[200]), target("missing", &[404])];
        Report::new(
            &plan(),
            &targets,
            &[tally(200, [100, 100]), tally(404, [40, 60])],
        )
    }

    #[test]
    fn the_numbers_follow_from_the_tallies() {
        let json = serde_json::to_value(report()).unwrap();
        assert_eq!(json["connections"], 2);
        assert_eq!(json["targets"][0]["ratio"], 1.0);
        assert_eq!(json["targets"][0]["spread"], 0.0);
        assert_eq!(json["targets"][0]["median_microseconds"], 500);
        assert_eq!(json["targets"][0]["p99_microseconds"], 990);
        assert_eq!(
            json["targets"][1],
            serde_json::json!({
                "name": "missing",
                "path": "/missing",
                "answers": 100,
                "requests_per_second": 50.0,
                "ratio": 0.5,
                "spread": 0.4,
                "median_microseconds": 250,
                "p99_microseconds": 590,
                "statuses": { "404": 100 },
                "failures": 0,
            })
        );
    }

    #[test]
    fn the_table_has_a_line_for_each_target() {
        let expected = "\
127.0.0.1:8000, 2 connections, 6 s in 2 rounds
target     requests/s  ratio  spread     median        p99  statuses
heartbeat         100   1.00     0 %    0.50 ms    0.99 ms  200: 200
missing            50   0.50    40 %    0.25 ms    0.59 ms  404: 100
";
        assert_eq!(report().to_string(), expected);
    }

    #[test]
    fn a_run_without_an_answer_has_no_ratio() {
        let mut silent = tally(200, [0, 0]);
        silent.failures = 7;
        let report = Report::new(&plan(), &[target("heartbeat", &[200])], &[silent]);
        let table = report.to_string();
        assert!(
            table.ends_with("         0      -       -    0.00 ms    0.00 ms  no answer: 7\n"),
            "{table}"
        );
        assert_eq!(report.complaints(), ["/heartbeat had no answer 7 times"]);
    }

    #[test]
    fn an_unexpected_status_is_a_complaint() {
        assert!(report().complaints().is_empty());
        let report = Report::new(
            &plan(),
            &[target("found", &[200, 302])],
            &[tally(404, [1, 1])],
        );
        assert_eq!(
            report.complaints(),
            ["/found was answered with 404 (2 times)"]
        );
    }

    #[test]
    fn milliseconds_have_two_places() {
        assert_eq!(milliseconds(0), "0.00 ms");
        assert_eq!(milliseconds(12_345), "12.34 ms");
    }
}
