//! The subcommands, one module each, and what they have in common.

pub(crate) mod download;
pub(crate) mod hot;
mod hot_report;
pub(crate) mod mixed;
mod rounds;
mod server_metrics;
pub(crate) mod trace;
pub(crate) mod upload;

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tokio::net::TcpStream;

use crate::cli::{Output, Server};
use crate::report::picture::{self, Curve};
use crate::report::table::share;

/// Resolves the server's name to the address that accepts a connection.
async fn connect(server: &Server) -> anyhow::Result<SocketAddr> {
    let stream = TcpStream::connect(&server.authority)
        .await
        .with_context(|| {
            format!(
                "cannot connect to {}; is the server running?",
                server.authority
            )
        })?;
    Ok(stream.peer_addr()?)
}

/// Drawn on the terminal's error stream; hidden when there is none.
fn progress_bar(steps: u64, template: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("the template is a constant");
    ProgressBar::new(steps).with_style(style)
}

/// Writes the files that were asked for.
fn write(
    output: &Output,
    report: &impl Serialize,
    headline: &(String, String),
    curves: &[Curve],
) -> anyhow::Result<()> {
    if let Some(path) = &output.json {
        write_json(report, path)?;
    }
    if let Some(path) = &output.svg {
        write_picture(&picture::draw(headline, curves), path)?;
    }
    Ok(())
}

/// Writes a picture.
fn write_picture(svg: &str, path: &Path) -> anyhow::Result<()> {
    std::fs::write(path, svg).with_context(|| format!("cannot write {}", path.display()))
}

/// Writes a report as JSON.
fn write_json(report: &impl Serialize, path: &Path) -> anyhow::Result<()> {
    let write = || -> anyhow::Result<()> {
        let mut writer = BufWriter::new(File::create(path)?);
        serde_json::to_writer_pretty(&mut writer, report)?;
        writeln!(writer)?;
        Ok(writer.flush()?)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Fails if fewer answers than were asked for are as expected.
fn check(output: &Output, expected: f64) -> anyhow::Result<()> {
    if expected < output.expect {
        bail!(
            "{} of the answers were as expected, fewer than {}",
            share(expected),
            share(output.expect)
        );
    }
    Ok(())
}
