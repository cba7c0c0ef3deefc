//! `symbold serve`: the server, until a signal ends it.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::clock::SystemClock;
use crate::config::Config;
use crate::server::{Adaptors, Server};
use crate::{first_run, telemetry};

/// The exit code that a shell reports for a program ended by an interrupt.
const INTERRUPTED: i32 = 130;

pub(super) async fn serve(config: Config) -> anyhow::Result<()> {
    telemetry::start(&config.log).context("setting log.level")?;
    // Before the server reports that it is ready, so that a signal right after that stops it cleanly.
    let stop = stop_at_signal()?;
    let adaptors = Adaptors::open(&config).await?;
    let server = Server::new(config.clone(), adaptors, Arc::new(SystemClock::new()))?;
    let url = public_url(&config, &server)?;
    if !config.database.is_embedded() {
        hint_at_tokens(&server).await?;
    } else if let Some(token_file) =
        first_run::ensure_token(server.auth(), Path::new(&config.data_dir)).await?
    {
        let program = std::env::args()
            .next()
            .unwrap_or_else(|| "symbold".to_owned());
        println!("{}", first_run::welcome(&program, &url, &token_file));
    }
    tracing::info!(
        event = "started",
        version = crate::VERSION,
        url,
        data_dir = config.data_dir,
        "ready"
    );
    Box::pin(server.run(stop)).await?;
    tracing::info!(event = "stopped", "stopped");
    Ok(())
}

fn public_url(config: &Config, server: &Server) -> anyhow::Result<String> {
    if !config.server.public_url.is_empty() {
        return Ok(config.server.public_url.trim_end_matches('/').to_owned());
    }
    Ok(format!("http://{}", server.address()?))
}

/// Nodes that share a database have no first start of their own, so no token is made for them.
async fn hint_at_tokens(server: &Server) -> anyhow::Result<()> {
    if server.auth().list().await?.is_empty() {
        tracing::warn!(
            event = "no_tokens",
            "there is no token yet, so uploads are refused: make one with `symbold token create`"
        );
    }
    Ok(())
}

/// A token that SIGTERM or SIGINT cancels. A second signal ends the program at once.
fn stop_at_signal() -> anyhow::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        for attempt in 1.. {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if attempt > 1 {
                std::process::exit(INTERRUPTED);
            }
            tracing::info!(
                event = "stopping",
                "finishing what is in flight; a second signal stops at once"
            );
            stopped.cancel();
        }
    });
    Ok(stop)
}
