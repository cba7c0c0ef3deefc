//! Interprets a server's answer to an upload: a receipt, a reason to try again, or a final refusal.

use std::fmt;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use serde::Deserialize;

/// The longest wait that a server can ask for.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// The longest sentence of a server that is shown, in characters.
const LONGEST_SENTENCE: usize = 500;

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Why an attempt brought no receipt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The next attempt may succeed, after the time that the server asks for, if it does.
    Passing {
        reason: String,
        wait: Option<Duration>,
    },
    /// Every attempt would end like this.
    Final(String),
}

/// The server's record of an upload; it says more than this.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct UploadRecord {
    pub(super) id: i64,
    /// The files that the server had already.
    #[serde(default)]
    pub(super) skipped_keys: Vec<String>,
    /// What the server says of files that clients cannot use.
    #[serde(default)]
    pub(super) warnings: Vec<UploadWarning>,
}

/// A warning of symbold about some of the files; other servers send none.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct UploadWarning {
    message: String,
    count: u64,
    /// The first of the files.
    keys: Vec<String>,
}

impl fmt::Display for UploadWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}",
            shown(&self.message),
            shown(&self.keys.join(", "))
        )?;
        match self.count.saturating_sub(self.keys.len() as u64) {
            0 => Ok(()),
            others => write!(f, " and {others} more"),
        }
    }
}

/// The wire form of a receipt.
#[derive(Deserialize)]
struct ReceiptBody {
    upload: UploadRecord,
}

/// The wire form of every error, as Tecken has it.
#[derive(Deserialize)]
struct ErrorBody {
    error: String,
}

impl Answer {
    /// Decides what the answer means. The endpoint is the URL asked, fit to be shown.
    pub(super) fn outcome(&self, endpoint: &str) -> Result<UploadRecord, Failure> {
        let status = self.status;
        if status.is_success() {
            return self.record().ok_or_else(|| {
                Failure::Final(format!(
                    "{endpoint} answered {status} without the record of an upload, as no symbol server does: \
                     check the URL"
                ))
            });
        }
        let reason = self.reason();
        let may_pass = matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
        );
        if may_pass || status.is_server_error() {
            return Err(Failure::Passing {
                reason,
                wait: self.wait(),
            });
        }
        Err(Failure::Final(format!("{reason}{}", self.advice(endpoint))))
    }

    /// The status, and the sentence that the server gives.
    pub(super) fn reason(&self) -> String {
        let status = self.status;
        match self.sentence() {
            Some(sentence) => format!("the server answered {status}: {sentence}"),
            None => format!("the server answered {status}"),
        }
    }

    /// The sentence of a refusal, fit to be shown.
    pub(super) fn sentence(&self) -> Option<String> {
        let body = serde_json::from_slice::<ErrorBody>(&self.body).ok()?;
        Some(shown(&body.error))
    }

    fn record(&self) -> Option<UploadRecord> {
        let receipt = serde_json::from_slice::<ReceiptBody>(&self.body).ok()?;
        Some(receipt.upload)
    }

    /// `Retry-After` in seconds; its other form, a date, is not used by servers of this kind.
    pub(super) fn wait(&self) -> Option<Duration> {
        let seconds = self
            .headers
            .get(RETRY_AFTER)?
            .to_str()
            .ok()?
            .trim()
            .parse()
            .ok()?;
        Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
    }

    /// Advice for the user on a final answer. It starts with the punctuation it needs.
    fn advice(&self, endpoint: &str) -> String {
        match self.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                " (check the token: is it valid, may it upload?)".to_owned()
            }
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
                format!(" (check the URL: the upload went to {endpoint})")
            }
            status if status.is_redirection() => {
                let target = self
                    .headers
                    .get(LOCATION)
                    .and_then(|target| target.to_str().ok());
                let target = shown(target.unwrap_or("nowhere"));
                format!(
                    ": a redirect from {endpoint} to {target}, which is not followed (check the URL)"
                )
            }
            _ => String::new(),
        }
    }
}

/// Makes a server's text safe to print on a terminal.
fn shown(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_control())
        .take(LONGEST_SENTENCE)
        .collect()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderName;

    use super::*;

    const ENDPOINT: &str = "http://server/upload/";

    fn answer(status: u16, header: Option<(HeaderName, &'static str)>, body: &str) -> Answer {
        let headers = header
            .map(|(name, value)| (name, value.parse().unwrap()))
            .into_iter()
            .collect();
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: body.as_bytes().to_vec(),
        }
    }

    fn final_reason(answer: &Answer) -> String {
        match answer.outcome(ENDPOINT) {
            Err(Failure::Final(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn any_success_with_a_record_is_a_receipt() {
        let body =
            r#"{"upload": {"id": 7, "size": 3, "skipped_keys": ["a/AB/a.sym"], "bucket": null}}"#;
        let expected = UploadRecord {
            id: 7,
            skipped_keys: vec!["a/AB/a.sym".to_owned()],
            warnings: Vec::new(),
        };
        assert_eq!(answer(201, None, body).outcome(ENDPOINT), Ok(expected));
        let without_skipped = answer(200, None, r#"{"upload": {"id": 8}}"#)
            .outcome(ENDPOINT)
            .unwrap();
        assert_eq!(
            without_skipped,
            UploadRecord {
                id: 8,
                skipped_keys: Vec::new(),
                warnings: Vec::new(),
            }
        );
    }

    #[test]
    fn a_warning_is_one_line() {
        let body = r#"{"upload": {"id": 9, "warnings": [
            {"code": "x", "message": "Of no\u001b use", "count": 3, "keys": ["a/AB/a", "b/AB/b"]},
            {"code": "y", "message": "Wrong", "count": 1, "keys": ["c/AB/c"]}]}}"#;
        let record = answer(201, None, body).outcome(ENDPOINT).unwrap();
        let lines: Vec<_> = record.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            ["Of no use: a/AB/a, b/AB/b and 1 more", "Wrong: c/AB/c"]
        );
    }

    #[test]
    fn a_success_without_a_record_is_no_success() {
        let reason = final_reason(&answer(200, None, "<html>Welcome to nginx!</html>"));
        assert!(
            reason.starts_with("http://server/upload/ answered 200 OK without the record"),
            "{reason}"
        );
    }

    #[test]
    fn what_may_pass() {
        for status in [408, 429, 500, 502, 503, 504, 599] {
            let outcome = answer(status, None, "").outcome(ENDPOINT);
            assert!(
                matches!(outcome, Err(Failure::Passing { wait: None, .. })),
                "{status}"
            );
        }
        for status in [300, 304, 400, 403, 404, 409, 413, 422] {
            final_reason(&answer(status, None, ""));
        }
    }

    #[test]
    fn the_server_may_ask_for_a_wait_of_ten_minutes_at_most() {
        for (value, expected) in [
            ("0", Some(0)),
            ("30", Some(30)),
            ("86400", Some(600)),
            ("soon", None),
            ("-1", None),
        ] {
            let answer = answer(503, Some((RETRY_AFTER, value)), r#"{"error": "busy"}"#);
            let wait = expected.map(Duration::from_secs);
            let reason = "the server answered 503 Service Unavailable: busy".to_owned();
            assert_eq!(
                answer.outcome(ENDPOINT),
                Err(Failure::Passing { reason, wait }),
                "{value}"
            );
        }
    }

    #[test]
    fn the_reason_says_what_to_check() {
        let refused = answer(403, None, r#"{"error": "This token has expired"}"#);
        assert_eq!(
            final_reason(&refused),
            "the server answered 403 Forbidden: This token has expired (check the token: is it valid, may it upload?)"
        );
        let moved = answer(302, Some((LOCATION, "https://server/login")), "");
        assert_eq!(
            final_reason(&moved),
            "the server answered 302 Found: a redirect from http://server/upload/ to https://server/login, \
             which is not followed (check the URL)"
        );
        assert!(final_reason(&answer(404, None, "")).ends_with("went to http://server/upload/)"));
        assert_eq!(
            final_reason(&answer(413, None, "<html>")),
            "the server answered 413 Payload Too Large"
        );
    }

    #[test]
    fn the_servers_words_cannot_steer_the_terminal() {
        let hostile = format!(r#"{{"error": "\u001b[31m{}"}}"#, "x".repeat(1_000));
        let reason = final_reason(&answer(400, None, &hostile));
        assert!(!reason.contains('\x1b'));
        assert!(reason.len() < 600);
    }
}
