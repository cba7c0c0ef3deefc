//! The hosts that requests name (RFC 9112, 3.2).
//!
//! A host becomes part of URLs in answers, so a request with a `Host` that is none is refused, whatever it asks for.

use std::net::Ipv6Addr;

use actix_web::http::header::{HOST, HeaderMap};

use super::error::ApiError;

/// The longest host with its port, in bytes.
const LONGEST: usize = 255;

/// Returns whether the request names a host, or none at all, as HTTP/1.0 allows. The library refuses a second `Host`,
/// and HTTP/1.1 without one.
pub(super) fn is_acceptable(headers: &HeaderMap) -> bool {
    headers
        .get(HOST)
        .is_none_or(|host| is_host(host.as_bytes()))
}

/// The error of a request whose host is none.
pub(super) fn bad_host() -> ApiError {
    let sentence = "The Host header is not the name of a host. Use the server's own address";
    ApiError::bad_request("bad_host", sentence)
}

/// Returns whether the text is a host: a name of letters, digits, `.`, `-` and `_`, or an address, and perhaps a port.
pub(super) fn is_host(text: &[u8]) -> bool {
    if text.len() > LONGEST {
        return false;
    }
    let is_literal = text.starts_with(b"[");
    let end = if is_literal {
        text.iter()
            .position(|byte| *byte == b']')
            .map_or(0, |last| last + 1)
    } else {
        let is_outside = |byte: &u8| !(byte.is_ascii_alphanumeric() || b".-_".contains(byte));
        text.iter().position(is_outside).unwrap_or(text.len())
    };
    let (host, port) = text.split_at(end);
    !host.is_empty() && (!is_literal || is_ipv6_literal(host)) && is_port(port)
}

fn is_ipv6_literal(text: &[u8]) -> bool {
    let address = text
        .strip_prefix(b"[")
        .and_then(|text| text.strip_suffix(b"]"));
    let address = address.and_then(|text| std::str::from_utf8(text).ok());
    address.is_some_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

/// Returns whether the text is empty, or a colon and the digits of a port.
fn is_port(text: &[u8]) -> bool {
    let digits = match text.split_first() {
        None => return true,
        Some((b':', digits)) => digits,
        Some(_) => return false,
    };
    digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for host in [
            "symbols.example.com",
            "localhost:8000",
            "my_host:",
            "10.0.0.1:80",
            "[::1]",
            "[2001:db8::1]:8000",
        ] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        let long = "a".repeat(256);
        for text in [
            "",
            ":80",
            "a b",
            "x\"y",
            "a/b",
            "user@host",
            "host:80:80",
            "host:8o",
            "host:123456",
            "[::1",
            "[::1]x",
            "[]",
            "[host]",
            "a,b",
            "grün",
            &long,
        ] {
            assert!(!is_host(text.as_bytes()), "{text}");
        }
    }
}
