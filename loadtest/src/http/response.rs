//! Finds the status, two headers and the end of an HTTP/1.1 answer (RFC 9112), and nothing else.
//!
//! A load generator throws every body away; it has to know where the answer ends, so that the connection can be used
//! again. Both parsers are pure: bytes go in, and they say how many of them they have used. What they have not used
//! is shown to them again together with the bytes that arrive next.

use std::str;
use std::time::Duration;

use thiserror::Error;

/// The most header lines in one answer.
const MAX_HEADERS: usize = 64;

/// An answer that cannot be read as HTTP/1.1.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum ResponseError {
    /// The head or a chunk size is not HTTP/1.1.
    #[error("malformed answer: {0}")]
    Malformed(&'static str),
}

impl From<httparse::Error> for ResponseError {
    fn from(_: httparse::Error) -> Self {
        Self::Malformed("status line or headers")
    }
}

/// The status line and the headers, as far as they matter here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The status code.
    pub(crate) status: u16,
    /// Bytes from the status line to the empty line, inclusive.
    pub(crate) length: usize,
    /// The body that follows, of which nothing has been read yet.
    pub(crate) body: Body,
    /// Whether the server keeps the connection open after this answer.
    pub(crate) keep_alive: bool,
    /// `Debug-Time`, by which Tecken and symbold tell in seconds how long the lookup took.
    pub(crate) debug_time: Option<Duration>,
    /// `Location`, of a redirect.
    pub(crate) location: Option<String>,
}

impl Head {
    /// Reads the head at the front of `bytes`; `None` when its end has not arrived yet.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, ResponseError> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = response.parse(bytes)? else {
            return Ok(None);
        };
        let status = response
            .code
            .ok_or(ResponseError::Malformed("no status code"))?;
        let body = Body::announced_by(status, response.headers)?;
        let keep_alive = response.version == Some(1)
            && body != Body::UntilClose
            && !has_token(response.headers, "connection", "close");
        Ok(Some(Self {
            status,
            length,
            body,
            keep_alive,
            debug_time: text(response.headers, "debug-time")
                .and_then(|seconds| seconds.parse().ok())
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            location: text(response.headers, "location").map(str::to_owned),
        }))
    }
}

/// What is left of a body, by the way its end is known (RFC 9112 §6.3).
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// So many bytes.
    Length(u64),
    /// Chunked, at the line with the size of the next chunk.
    ChunkSize,
    /// Chunked, inside a chunk: so many bytes with the line end that closes it.
    ChunkData(u64),
    /// Chunked, after the last chunk: header lines up to an empty one.
    Trailer,
    /// Everything up to the end of the connection.
    UntilClose,
    /// The answer is complete.
    Complete,
}

impl Body {
    fn announced_by(status: u16, headers: &[httparse::Header<'_>]) -> Result<Self, ResponseError> {
        if matches!(status, 100..=199 | 204 | 304) {
            return Ok(Self::Complete);
        }
        if has_token(headers, "transfer-encoding", "chunked") {
            return Ok(Self::ChunkSize);
        }
        if values(headers, "content-length").next().is_none() {
            return Ok(Self::UntilClose);
        }
        text(headers, "content-length")
            .and_then(|length| length.parse().ok())
            .map(Self::Length)
            .ok_or(ResponseError::Malformed("content length"))
    }

    /// Uses up the front of `bytes` as far as it belongs to the body, and returns how many bytes that were.
    /// Fewer than all of them means: the body is complete, or a line of it is cut off and needs more bytes.
    pub(crate) fn consume(&mut self, bytes: &[u8]) -> Result<usize, ResponseError> {
        let mut used = 0;
        loop {
            let rest = &bytes[used..];
            match self {
                Self::Complete => return Ok(used),
                Self::UntilClose => return Ok(bytes.len()),
                Self::Length(left) => {
                    used += take(left, rest);
                    if *left > 0 {
                        return Ok(used);
                    }
                    *self = Self::Complete;
                }
                Self::ChunkData(left) => {
                    used += take(left, rest);
                    if *left > 0 {
                        return Ok(used);
                    }
                    *self = Self::ChunkSize;
                }
                Self::ChunkSize => {
                    let Some((length, size)) = chunk_size(rest)? else {
                        return Ok(used);
                    };
                    used += length;
                    *self = if size == 0 {
                        Self::Trailer
                    } else {
                        Self::ChunkData(size + LINE_END)
                    };
                }
                Self::Trailer => {
                    let Some(line) = rest.iter().position(|&byte| byte == b'\n') else {
                        return Ok(used);
                    };
                    used += line + 1;
                    if matches!(&rest[..line], b"" | b"\r") {
                        *self = Self::Complete;
                    }
                }
            }
        }
    }
}

/// Length of the line end after each chunk.
const LINE_END: u64 = 2;

/// Takes at most `left` bytes from `rest` and returns how many were there.
fn take(left: &mut u64, rest: &[u8]) -> usize {
    let available = usize::try_from(*left).map_or(rest.len(), |left| left.min(rest.len()));
    *left -= available as u64;
    available
}

/// Length of the size line and the size that it names; `None` when the line is cut off. Sizes stay under 2^60.
fn chunk_size(rest: &[u8]) -> Result<Option<(usize, u64)>, ResponseError> {
    match httparse::parse_chunk_size(rest) {
        Ok(httparse::Status::Complete(found)) => Ok(Some(found)),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(_) => Err(ResponseError::Malformed("chunk size")),
    }
}

fn values<'a>(
    headers: &'a [httparse::Header<'a>],
    name: &'a str,
) -> impl Iterator<Item = &'a [u8]> {
    headers
        .iter()
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .map(|header| header.value)
}

/// The first header of this name, if it is text.
fn text<'a>(headers: &'a [httparse::Header<'a>], name: &'a str) -> Option<&'a str> {
    let value = values(headers, name).next()?;
    str::from_utf8(value).ok().map(str::trim)
}

/// Whether a header that lists tokens, separated by commas, has this one.
fn has_token(headers: &[httparse::Header<'_>], name: &str, token: &str) -> bool {
    values(headers, name)
        .flat_map(|value| value.split(|&byte| byte == b','))
        .any(|value| value.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head(text: &str) -> Head {
        Head::parse(text.as_bytes()).unwrap().unwrap()
    }

    /// Shows an answer to the parsers in pieces that end at `cuts`, as a connection would.
    /// Returns the status and how many bytes the answer had.
    fn read_in_pieces(answer: &[u8], cuts: &[usize]) -> Option<(u16, usize)> {
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % answer.len()).collect();
        ends.push(answer.len());
        ends.sort_unstable();
        let mut head: Option<Head> = None;
        let mut used = 0;
        for end in ends {
            if head.is_none() {
                head = Head::parse(&answer[used..end]).unwrap();
                used += head.as_ref().map_or(0, |head| head.length);
            }
            if let Some(head) = &mut head {
                used += head.body.consume(&answer[used..end]).unwrap();
            }
        }
        head.filter(|head| head.body == Body::Complete)
            .map(|head| (head.status, used))
    }

    #[test]
    fn a_length_ends_the_body() {
        let mut answer = head("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
        assert_eq!((answer.status, answer.keep_alive), (200, true));
        assert_eq!(answer.body.consume(b"abc"), Ok(3));
        assert_eq!(answer.body, Body::Length(2));
        assert_eq!(answer.body.consume(b"deHTTP/1.1"), Ok(2));
        assert_eq!(answer.body, Body::Complete);
    }

    #[test]
    fn an_empty_body_is_complete_without_a_byte() {
        let mut answer = head("HTTP/1.1 302 Found\r\ncontent-length: 0\r\nlocation: /x\r\n\r\n");
        assert_eq!(answer.body.consume(b""), Ok(0));
        assert_eq!(answer.body, Body::Complete);
    }

    #[test]
    fn no_body_follows_a_304() {
        let answer = head("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n");
        assert_eq!(answer.body, Body::Complete);
    }

    #[test]
    fn chunks_end_with_the_empty_one_and_its_trailer() {
        let mut answer = head("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        let body = b"4;name=value\r\nabcd\r\nB\r\n0\r\n\r\nabcdef\r\n0\r\nDigest: x\r\n\r\n";
        assert_eq!(answer.body.consume(body), Ok(body.len()));
        assert_eq!(answer.body, Body::Complete);
    }

    #[test]
    fn a_cut_size_line_waits_for_its_end() {
        let mut body = Body::ChunkSize;
        assert_eq!(body.consume(b"1"), Ok(0));
        assert_eq!(body.consume(b"10\r\n"), Ok(4));
        assert_eq!(body, Body::ChunkData(18));
    }

    #[test]
    fn the_connection_ends_when_the_server_says_so_or_nothing_else_ends_the_body() {
        assert!(
            !head("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Upgrade, Close\r\n\r\n")
                .keep_alive
        );
        assert!(!head("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n").keep_alive);
        let open = head("HTTP/1.1 200 OK\r\n\r\n");
        assert_eq!((open.body, open.keep_alive), (Body::UntilClose, false));
    }

    #[test]
    fn what_is_not_http_is_an_error() {
        assert!(Head::parse(b"SSH-2.0-OpenSSH_9.2\r\n").is_err());
        assert!(Head::parse(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n").is_err());
        assert!(Body::ChunkSize.consume(b"xyz\r\n").is_err());
        assert_eq!(Head::parse(b"HTTP/1.1 200 OK\r\nContent-Le"), Ok(None));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = Head::parse(&bytes);
            let _ = Body::ChunkSize.consume(&bytes);
            let _ = Body::Trailer.consume(&bytes);
        }

        #[test]
        fn pieces_make_no_difference_to_a_length(
            body in proptest::collection::vec(any::<u8>(), 0..200),
            cuts in proptest::collection::vec(any::<usize>(), 0..8),
        ) {
            let mut answer = format!("HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
            answer.extend(body);
            prop_assert_eq!(read_in_pieces(&answer, &cuts), Some((404, answer.len())));
        }

        #[test]
        fn pieces_make_no_difference_to_chunks(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..6),
            cuts in proptest::collection::vec(any::<usize>(), 0..8),
        ) {
            let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            for chunk in &chunks {
                answer.extend(format!("{:X}\r\n", chunk.len()).bytes());
                answer.extend(chunk);
                answer.extend(b"\r\n");
            }
            answer.extend(b"0\r\n\r\n");
            prop_assert_eq!(read_in_pieces(&answer, &cuts), Some((200, answer.len())));
        }
    }
}
