//! One archive goes over the wire, again and again if need be.
//!
//! An attempt is one `POST /upload/` as Tecken's clients make it: a multipart form whose file part has the archive's
//! name as its **field name**, an exact `Content-Length`, the token in `Auth-Token`. What may pass is tried again, as
//! by Mozilla's client: no answer at all, and the statuses 408, 429 and 500 or more. Any other answer is the server's
//! last word. Sending an archive twice does no harm: the server skips what it has.

use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::TryStreamExt;
use indicatif::ProgressBar;
use reqwest::header::HeaderValue;
use reqwest::multipart::{Form, Part};
use reqwest::{Body, Client, RequestBuilder, Url};

use super::UploadOptions;
use super::answer::{Answer, Failure, UploadRecord, UploadWarning};
use super::archive::Archive;
use super::connect::{client_for, endpoint_of};
use super::progress::Progress;

/// The slowest connection that an archive's time is reckoned for, in bytes a second.
const SLOWEST: u64 = 100_000;

/// The result of sending an archive that the server accepted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    /// The number of the upload's record.
    pub(super) id: i64,
    /// How many of the files the server had already.
    pub(super) skipped: usize,
    /// What the server says of files that clients cannot use.
    pub(super) warnings: Vec<UploadWarning>,
    /// How many requests it took.
    pub(super) attempts: u32,
}

/// Sends archives to one server.
pub(super) struct Sender<'a> {
    options: &'a UploadOptions,
    client: Client,
    endpoint: Url,
    token: HeaderValue,
    progress: Progress,
}

impl<'a> Sender<'a> {
    /// Checks the URL and the token and prepares the client. Nothing is sent.
    pub(super) fn new(options: &'a UploadOptions, progress: Progress) -> anyhow::Result<Self> {
        let endpoint = endpoint_of(&options.url, &["upload", ""])?;
        let client = client_for(&endpoint, options.connect_timeout)?;
        let mut token = HeaderValue::from_str(&options.token)
            .ok()
            .context("the token contains characters that no token has")?;
        token.set_sensitive(true);
        Ok(Self {
            options,
            client,
            endpoint,
            token,
            progress,
        })
    }

    /// Sends one archive, with as many attempts as the options allow.
    pub(super) async fn send(&self, archive: &Archive) -> anyhow::Result<Receipt> {
        let name = &archive.name;
        let most = self.options.attempts;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let (reason, wait) = match self.attempt(archive).await {
                Ok(record) => {
                    return Ok(Receipt {
                        id: record.id,
                        skipped: record.skipped_keys.len(),
                        warnings: record.warnings,
                        attempts,
                    });
                }
                Err(Failure::Final(reason)) => bail!("{name} was not uploaded: {reason}"),
                Err(Failure::Passing { reason, wait }) => (reason, wait),
            };
            if attempts >= most {
                bail!("{name} was not uploaded, attempt {attempts} was the last: {reason}");
            }
            let wait = wait.unwrap_or(self.options.retry_delay);
            let seconds = wait.as_secs();
            self.progress.say(&format!(
                "attempt {attempts} of {most}: {reason}; next attempt in {seconds} s"
            ));
            tokio::time::sleep(wait).await;
        }
    }

    async fn attempt(&self, archive: &Archive) -> Result<UploadRecord, Failure> {
        let bar = self
            .progress
            .bytes(format!("sending {}", archive.name), archive.length);
        let answer = match self.request(archive, bar.clone()) {
            Ok(request) => receive(request).await,
            Err(error) => Err(error),
        };
        bar.finish_and_clear();

        let endpoint = self.shown_endpoint();
        match answer {
            Ok(answer) => answer.outcome(&endpoint),
            Err(error) if error.is_builder() => Err(Failure::Final(sentence_of(error))),
            Err(error) => {
                let reason = format!("no answer from {endpoint}: {}", sentence_of(error));
                Err(Failure::Passing { reason, wait: None })
            }
        }
    }

    fn request(&self, archive: &Archive, bar: ProgressBar) -> reqwest::Result<RequestBuilder> {
        let chunks = archive
            .chunks()
            .inspect_ok(move |chunk| bar.inc(chunk.len() as u64));
        let part = Part::stream_with_length(Body::wrap_stream(chunks), archive.length)
            .file_name(archive.name.clone())
            .mime_str("application/zip")?;
        let mut form = Form::new();
        if self.options.try_symbols {
            form = form.text("try", "1");
        }
        let form = form.part(archive.name.clone(), part);
        let timeout = self.options.timeout + Duration::from_secs(archive.length / SLOWEST);
        let request = self.client.post(self.endpoint.clone()).timeout(timeout);
        Ok(request
            .header("Auth-Token", self.token.clone())
            .multipart(form))
    }

    /// The endpoint without a user name and a password.
    fn shown_endpoint(&self) -> String {
        format!(
            "{}{}",
            self.endpoint.origin().ascii_serialization(),
            self.endpoint.path()
        )
    }
}

async fn receive(request: RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let status = response.status();
    let headers = response.headers().clone();
    let body = response.bytes().await?.to_vec();
    Ok(Answer {
        status,
        headers,
        body,
    })
}

/// The whole chain of causes, without the URL, which may hold a password.
fn sentence_of(error: reqwest::Error) -> String {
    format!("{:#}", anyhow::Error::from(error.without_url()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::testing::{CREATED, Recorded, ScriptedServer, Turn};
    use super::*;

    const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\n\r\n";
    const BROKEN: &str = "HTTP/1.1 500 Internal Server Error\r\n\r\n";
    const REFUSED: &str = "HTTP/1.1 400 Bad Request\r\n\r\n{\"error\": \"File is not a zip file\"}";
    const TOO_LARGE: &str = "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\n\r\n";
    const MOVED: &str = "HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n";

    /// More than one chunk, and more than the sockets' buffers hold.
    const LARGE: usize = 20_000_000;

    fn archive(length: usize) -> (Archive, Vec<u8>) {
        let bytes: Vec<u8> = (0..=250).cycle().take(length).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        (
            Archive::new("symbols-3.zip".to_owned(), file, 5).unwrap(),
            bytes,
        )
    }

    fn options(url: &str) -> UploadOptions {
        let mut options = UploadOptions::new(Vec::new(), url.to_owned(), "s3cret-token".to_owned());
        options.quiet = true;
        options.retry_delay = Duration::ZERO;
        options
    }

    async fn send(options: &UploadOptions, archive: &Archive) -> anyhow::Result<Receipt> {
        Sender::new(options, Progress::new(true))
            .unwrap()
            .send(archive)
            .await
    }

    /// Sends a small archive to a server with this script.
    async fn run(script: &'static [Turn]) -> (anyhow::Result<Receipt>, Vec<Recorded>) {
        let server = ScriptedServer::start(script).await;
        let result = send(&options(&server.url), &archive(10).0).await;
        (result, server.requests().await)
    }

    #[tokio::test]
    async fn the_request_is_what_tecken_expects() {
        let server = ScriptedServer::start(&[Turn::Answer(CREATED)]).await;
        let mut options = options(&format!("{}/base/", server.url));
        options.try_symbols = true;
        let (archive, bytes) = archive(600_000);
        let receipt = send(&options, &archive).await.unwrap();
        assert_eq!(
            receipt,
            Receipt {
                warnings: Vec::new(),
                id: 12,
                skipped: 1,
                attempts: 1
            }
        );

        let request = server.requests().await.remove(0);
        assert!(
            request.head.starts_with("POST /base/upload/ HTTP/1.1\r\n"),
            "{}",
            request.head
        );
        assert_eq!(request.header("auth-token"), Some("s3cret-token"));
        let agent = request.header("user-agent").unwrap();
        assert_eq!(
            agent,
            format!("symbold-upload/{}", env!("CARGO_PKG_VERSION"))
        );
        assert_eq!(request.header("transfer-encoding"), None);
        let boundary = request
            .header("content-type")
            .unwrap()
            .strip_prefix("multipart/form-data; boundary=")
            .unwrap();
        let mut expected = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"try\"\r\n\r\n1\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"symbols-3.zip\"; filename=\"symbols-3.zip\"\r\n\
             Content-Type: application/zip\r\n\r\n"
        )
        .into_bytes();
        expected.extend_from_slice(&bytes);
        expected.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        assert!(request.body == expected);
    }

    #[tokio::test]
    async fn a_busy_server_is_asked_again_when_it_says() {
        let server = ScriptedServer::start(&[Turn::Answer(BUSY), Turn::Answer(CREATED)]).await;
        let mut options = options(&server.url);
        options.retry_delay = Duration::from_hours(1);
        let receipt = send(&options, &archive(10).0).await.unwrap();
        assert_eq!(receipt.attempts, 2);
        let requests = server.requests().await;
        let archive_in = |request: &Recorded| {
            request
                .body
                .windows(10)
                .any(|window| window == archive(10).1)
        };
        assert!(requests.len() == 2 && requests.iter().all(archive_in));
    }

    #[tokio::test]
    async fn a_lost_connection_is_tried_again() {
        let (result, requests) =
            run(&[Turn::HangUp, Turn::Answer(BROKEN), Turn::Answer(CREATED)]).await;
        assert_eq!(result.unwrap().attempts, 3);
        assert_eq!(requests.len(), 3);
    }

    #[tokio::test]
    async fn a_refusal_is_final_and_quoted() {
        let (result, requests) = run(&[Turn::Answer(REFUSED)]).await;
        let error = result.unwrap_err().to_string();
        assert_eq!(
            error,
            "symbols-3.zip was not uploaded: the server answered 400 Bad Request: File is not a zip file"
        );
        assert_eq!(requests.len(), 1);
    }

    #[tokio::test]
    async fn a_redirect_is_final() {
        let (result, requests) = run(&[Turn::Answer(MOVED)]).await;
        let error = result.unwrap_err().to_string();
        assert!(
            error.contains("302 Found") && error.contains("check the URL"),
            "{error}"
        );
        assert_eq!(requests.len(), 1);
    }

    #[tokio::test]
    async fn an_answer_before_the_end_of_the_body_is_heard() {
        let server = ScriptedServer::start(&[Turn::AnswerEarly(TOO_LARGE)]).await;
        let error = send(&options(&server.url), &archive(LARGE).0)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.ends_with("413 Payload Too Large"), "{error}");
    }

    #[tokio::test]
    async fn the_last_attempt_is_reported() {
        let server = ScriptedServer::start(&[Turn::Answer(BROKEN), Turn::Answer(BROKEN)]).await;
        let mut options = options(&server.url);
        options.attempts = 2;
        let error = send(&options, &archive(10).0)
            .await
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "symbols-3.zip was not uploaded, attempt 2 was the last: the server answered 500 Internal Server Error"
        );
    }

    #[tokio::test]
    async fn a_timeout_may_pass() {
        let server = ScriptedServer::start(&[]).await;
        let mut options = options(&server.url.replace("//", "//user:hidden@"));
        options.timeout = Duration::ZERO;
        options.attempts = 3;
        let error = send(&options, &archive(10).0)
            .await
            .unwrap_err()
            .to_string();
        let expected = format!(
            "attempt 3 was the last: no answer from {}/upload/",
            server.url
        );
        assert!(error.contains(&expected), "{error}");
        assert!(!error.contains("hidden"), "{error}");
    }

    #[test]
    fn a_token_that_is_no_header_is_not_repeated() {
        let mut options = options("http://localhost");
        options.token = "s3cret\n".to_owned();
        let error = Sender::new(&options, Progress::new(true)).err().unwrap();
        assert!(!format!("{error:#} {options:?}").contains("s3cret"));
    }
}
