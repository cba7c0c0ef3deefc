//! The request behind `symbold symbolicate --url`.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Client, StatusCode, Url};

use super::answer::Answer;
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
        let answer = ask(&client, &endpoint, request).await?;
        if answer.status.is_success() {
            return Ok(answer.body);
        }
        if answer.status != StatusCode::SERVICE_UNAVAILABLE || attempts >= ATTEMPTS {
            bail!("{}{}", answer.reason(), advice(&answer));
        }
        spinner.set_message(format!("{} prepares symbols", host(&endpoint)));
        tokio::time::sleep(answer.wait().unwrap_or(USUAL_WAIT).min(LONGEST_WAIT)).await;
    }
}

async fn ask(client: &Client, endpoint: &Url, request: &[u8]) -> anyhow::Result<Answer> {
    let request = client
        .post(endpoint.clone())
        .timeout(TIMEOUT)
        .body(request.to_vec());
    // The error names the URL, which may hold a password.
    let response = request.send().await.map_err(reqwest::Error::without_url);
    let mut response = response.with_context(|| format!("no answer from {}", host(endpoint)))?;
    let mut body = Vec::new();
    loop {
        let chunk = response.chunk().await.map_err(reqwest::Error::without_url);
        let Some(chunk) = chunk.context("the answer was cut short")? else {
            break;
        };
        body.extend_from_slice(&chunk);
        if body.len() > LARGEST {
            bail!("the answer is larger than 128 MiB; ask for fewer frames");
        }
    }
    Ok(Answer {
        status: response.status(),
        headers: std::mem::take(response.headers_mut()),
        body,
    })
}

/// What to check where the answer has no sentence, as those of symbol servers have.
fn advice(answer: &Answer) -> &'static str {
    match answer.sentence() {
        Some(_) => "",
        None => "; is this the address of a symbol server that symbolicates?",
    }
}

fn host(endpoint: &Url) -> &str {
    endpoint.host_str().unwrap_or("the server")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ScriptedServer, Turn};
    use super::*;

    const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\n\r\n";
    const ANSWERED: &str = "HTTP/1.1 200 OK\r\n\r\n{\"results\": []}";
    const REFUSED: &str = "HTTP/1.1 400 Bad Request\r\n\r\n{\"error\": \"no\\u001b[2J jobs\"}";
    const ELSEWHERE: &str = "HTTP/1.1 404 Not Found\r\n\r\n<html>";

    #[tokio::test]
    async fn a_server_that_prepares_symbols_is_asked_again() {
        let server = ScriptedServer::start(&[Turn::Answer(BUSY), Turn::Answer(ANSWERED)]).await;
        let answer = symbolicate(&server.url, b"{}", true).await.unwrap();
        assert_eq!(answer, b"{\"results\": []}");
        let requests = server.requests().await;
        assert_eq!(requests.len(), 2);
        assert!(requests[0].head.starts_with("POST /symbolicate/v5 "));
        assert_eq!(requests[1].body, b"{}");
    }

    #[tokio::test]
    async fn refusals_are_told_without_control_characters() {
        for (turn, sentence) in [
            (
                &[Turn::Answer(REFUSED)],
                "the server answered 400 Bad Request: no[2J jobs",
            ),
            (
                &[Turn::Answer(ELSEWHERE)],
                "the server answered 404 Not Found; is this the address of a symbol server that symbolicates?",
            ),
        ] {
            let server = ScriptedServer::start(turn).await;
            let error = symbolicate(&server.url, b"{}", true).await.unwrap_err();
            assert_eq!(error.to_string(), sentence);
        }
    }
}
