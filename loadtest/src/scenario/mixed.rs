//! The scenario `mixed`: what uploads cost downloads.
//!
//! The same downloads are measured twice, first alone for the time that was asked for, then as long as all of the
//! uploads take. Both are shown side by side, for a server promises that its uploads make downloads at most twice as
//! slow (p99).

use anyhow::ensure;
use serde::Serialize;

use super::download::{Downloads, read_trace};
use super::upload::Uploads;
use crate::cli;
use crate::report::{Report, part};

/// The two measurements of downloads, and the uploads of the second one.
#[derive(Debug, Serialize)]
struct Comparison {
    alone: Report,
    beside_uploads: Report,
    uploads: Report,
    /// The p99 beside uploads as a multiple of the one without.
    p99_ratio: f64,
}

/// Runs the scenario, prints the reports, and fails when too few answers of any part are as expected.
pub(crate) async fn run(options: &cli::Mixed) -> anyhow::Result<()> {
    ensure!(
        options.load.rate.is_some(),
        "two measurements can only be compared at the same rate: give --rate"
    );
    let trace = read_trace(&options.questions, options.load.requests)?;
    let uploads = Uploads::prepare(&options.server, &options.archives).await?;
    let seed = options.questions.spread.seed;
    let downloads = Downloads::new(&options.server, &options.load, &trace, seed).await?;
    let alone = downloads.run("download alone").await;
    print!("{alone}");
    let mut sent = None;
    let sending = async {
        sent = Some(uploads.run().await);
    };
    let beside_uploads = downloads
        .run_beside("download beside uploads", sending)
        .await;
    let uploads = sent.expect("downloads end after the uploads");
    let comparison = Comparison {
        p99_ratio: part(beside_uploads.p99_microseconds(), alone.p99_microseconds()),
        alone,
        beside_uploads,
        uploads,
    };
    print!("\n{}\n{}", comparison.beside_uploads, comparison.uploads);
    println!(
        "\nThe p99 of downloads beside uploads is {:.2} times that without.",
        comparison.p99_ratio
    );
    let Comparison {
        alone,
        beside_uploads,
        uploads,
        ..
    } = &comparison;
    let first = alone.curve("downloads alone");
    let mut second = beside_uploads.curve("downloads beside uploads");
    // The bars of the second run stand behind those of the first one.
    second.seconds.splice(0..0, first.seconds.iter().map(|_| 0));
    let headline = (
        "downloads alone and beside uploads".to_owned(),
        beside_uploads.headline().1,
    );
    super::write(&options.output, &comparison, &headline, &[first, second])?;
    let parts = [alone, beside_uploads, uploads];
    let expected = parts.map(Report::expected).into_iter().fold(1.0, f64::min);
    super::check(&options.output, expected)
}
