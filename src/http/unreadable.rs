//! The answer to what is no request: a head or a chunk of a body that breaks the grammar of HTTP/1.1.
//!
//! No handler is reached, so the connection writes this answer as it is, and ends.

/// The sentence and its code, as in every other refusal.
const BODY: &str = r#"{"code":"unreadable","error":"This is no request of HTTP/1.1. Correct what the client sends"}"#;

/// The whole answer, from the status line on.
#[must_use]
pub fn unreadable() -> String {
    format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{BODY}",
        BODY.len()
    )
}
