//! `symbold verify`: compares every stored object with its recorded digest.

mod progress;

use std::path::Path;

use anyhow::{Context, bail, ensure};
use bytesize::ByteSize;
use clap::Args;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use crate::catalog::Layout;
use crate::config::Config;
use crate::storage;
use crate::verification::{End, Problems, Repair, Report, Verification, VerificationSettings};
use progress::Progress;

#[derive(Debug, Args)]
pub(super) struct VerifyArguments {
    /// Moves damaged objects out of the way, below `.damaged/`, so that they are counted as missing and uploaded anew
    #[arg(long)]
    repair: bool,
    /// Reads only objects that were stored since then: a date (2026-11-28, in UTC) or a time (2026-11-28T06:00:00Z)
    #[arg(long, value_name = "DATE", value_parser = since)]
    since: Option<OffsetDateTime>,
    /// How much is read in a second, so that a running server is not slowed down
    #[arg(long, default_value = "64 MiB", value_parser = rate)]
    rate: ByteSize,
}

pub(super) async fn run(arguments: VerifyArguments, config: &Config) -> anyhow::Result<()> {
    let settings = VerificationSettings {
        since: arguments.since,
        rate: arguments.rate,
        repair: if arguments.repair {
            Repair::SetAside
        } else {
            Repair::Nothing
        },
    };
    let storage = &config.storage;
    let inventory = storage::open_inventory(&storage.kind, Path::new(&config.data_dir))
        .await
        .context("cannot open [storage]")?;
    let layouts = [&storage.prefix, &storage.try_prefix].map(|prefix| Layout::breakpad(prefix));
    let verification = Verification::new(inventory, layouts.to_vec(), settings);
    let mut progress = Progress::new();
    let (report, end) = verification.run(|report| progress.tell(report)).await;
    progress.end();
    print(&report);
    conclude(&report, end)
}

/// Prints what was found, and every problem that the report keeps.
fn print(report: &Report) {
    println!("{}", summary(report));
    println!(
        "{} intact, {} without a recorded digest, {} damaged ({} set aside), {} unreadable",
        report.intact,
        report.without_digest,
        report.damaged(),
        report.set_aside.count,
        report.unreadable.count
    );
    println!(
        "not read: {} older, {} replaced or removed meanwhile, {} that are no symbols",
        report.older, report.changed, report.foreign.count
    );
    for (kind, problems) in [
        ("damaged", &report.damaged),
        ("damaged", &report.set_aside),
        ("unreadable", &report.unreadable),
        ("no symbol", &report.foreign),
    ] {
        list(kind, problems);
    }
}

fn list(kind: &str, problems: &Problems) {
    for problem in &problems.first {
        let parts = [kind, &problem.path, &problem.reason];
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        println!("{}", parts.join(": "));
    }
    let rest = problems.count - problems.first.len() as u64;
    if rest > 0 {
        println!("{kind}: and {rest} more");
    }
}

/// How far a walk has come.
fn summary(report: &Report) -> String {
    let (checked, bytes) = (report.checked(), ByteSize(report.bytes).display().si());
    let noun = if checked == 1 { "object" } else { "objects" };
    format!("checked {checked} {noun}, {bytes}")
}

fn conclude(report: &Report, end: End) -> anyhow::Result<()> {
    let (damaged, unreadable) = (report.damaged.count, report.unreadable.count);
    if end == End::GaveUp {
        bail!("the storage cannot be read: the rest was not checked; try again when it answers");
    }
    ensure!(
        damaged == 0,
        "damaged objects left: {damaged}; upload their files again, or set them aside with --repair"
    );
    ensure!(
        unreadable == 0,
        "objects that could not be read: {unreadable}; it is unknown whether they are damaged"
    );
    Ok(())
}

/// Reads a date or a time.
fn since(text: &str) -> Result<OffsetDateTime, String> {
    if let Ok(date) = Date::parse(text, format_description!("[year]-[month]-[day]")) {
        return Ok(date.midnight().assume_utc());
    }
    OffsetDateTime::parse(text, &Rfc3339).map_err(|_| {
        "neither a date such as 2026-11-28 nor a time such as 2026-11-28T06:00:00Z".to_owned()
    })
}

fn rate(text: &str) -> Result<ByteSize, String> {
    let rate: ByteSize = text.parse()?;
    if rate.as_u64() == 0 {
        return Err("must be more than zero".to_owned());
    }
    Ok(rate)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn dates_and_times_are_read() {
        assert_eq!(since("2026-11-28"), Ok(datetime!(2026-11-28 0:00 UTC)));
        let time = since("2026-11-28T08:00:00+02:00").unwrap();
        assert_eq!(time, datetime!(2026-11-28 6:00 UTC));
        assert!(since("yesterday").is_err());
    }

    #[test]
    fn a_rate_is_a_size_and_not_zero() {
        assert_eq!(rate("10 MB"), Ok(ByteSize::mb(10)));
        assert!(rate("0").is_err());
        assert!(rate("fast").is_err());
    }
}
