//! The request behind `symbold symbolicate --url`.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Response, StatusCode, Url};
use serde::Deserialize;

use super::connect::{client_for, endpoint_of};
use super::progress::Progress;

/// The time for a connection to come about.
const CONNECT: Duration = Duration::from_secs(10);

/// The time for a request and its answer; a server waits for symbols for half a minute.
const TIMEOUT: Duration = Duration::from_mins(2);

/// How often a server that is still preparing symbols is asked again, and how long between two requests at most.
const ATTEMPTS: u32 = 20;
const LONGEST_WAIT: Duration = Duration::from_secs(30);
const USUAL_WAIT: Duration = Duration::from_secs(5);

/// The largest answer, in bytes.
const LARGEST: usize = 128 << 20;

/// The JSON of a refusal.
#[derive(Deserialize)]
struct RefusalJson {
    error: String,
}

/// Asks the server at this base URL for the symbols of a request, as `POST /symbolicate/v5` takes it, and returns the
/// JSON of the answer. While the server prepares symbols, it is asked again.
///
/// # Errors
/// The server cannot be reached, refuses the request, or does not have the symbols ready after some minutes.
pub async fn symbolicate(base: &str, request: &[u8], quiet: bool) -> anyhow::Result<Vec<u8>> {
    let endpoint = endpoint_of(base, &["symbolicate", "v5"])?;
    let client = client_for(&endpoint, CONNECT)?;
    let spinner = Progress::new(quiet).waiting(format!("Asking {}", host(&endpoint)));
    let mut attempts = 0;
    loop {
        attempts += 1;
        let response = post(&client, &endpoint, request).await?;
        if response.status() != StatusCode::SERVICE_UNAVAILABLE || attempts >= ATTEMPTS {
            return read(response).await;
        }
        spinner.set_message(format!("{} prepares symbols", host(&endpoint)));
        tokio::time::sleep(wait(&response)).await;
    }
}

async fn post(client: &Client, endpoint: &Url, request: &[u8]) -> anyhow::Result<Response> {
    let request = client
        .post(endpoint.clone())
        .timeout(TIMEOUT)
        .body(request.to_vec());
    let sent = request.send().await;
    // The error names the URL, which may hold a password.
    sent.map_err(reqwest::Error::without_url)
        .with_context(|| format!("no answer from {}", host(endpoint)))
}

/// Returns the body of an answer, or the sentence of a refusal as an error.
async fn read(mut response: Response) -> anyhow::Result<Vec<u8>> {
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.context("the answer was cut short")? {
        body.extend_from_slice(&chunk);
        if body.len() > LARGEST {
            bail!("the answer is larger than 128 MiB; ask for fewer frames");
        }
    }
    if status.is_success() {
        return Ok(body);
    }
    match serde_json::from_slice::<RefusalJson>(&body) {
        Ok(refusal) => bail!("the server answered {status}: {}", refusal.error),
        Err(_) => bail!(
            "the server answered {status}; is this the address of a symbol server that symbolicates?"
        ),
    }
}

/// How long the server wants to be left alone.
fn wait(response: &Response) -> Duration {
    let seconds = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok());
    seconds
        .map_or(USUAL_WAIT, Duration::from_secs)
        .min(LONGEST_WAIT)
}

fn host(endpoint: &Url) -> &str {
    endpoint.host_str().unwrap_or("the server")
}
