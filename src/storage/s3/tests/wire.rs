//! Requests and answers of S3, as far as the stub speaks it (HTTP/1.1).

use std::collections::HashMap;
use std::fmt::Write;

use bytes::{Bytes, BytesMut};
use percent_encoding::percent_decode_str;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::stub::BUCKET;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    HeadBucket,
    List,
    Head,
    Get,
    Put,
    Copy,
    BeginParts,
    PutPart,
    CompleteParts,
    AbortParts,
    Delete,
}

/// A request that arrived whole.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) call: Call,
    /// The key, decoded.
    pub(super) key: String,
    pub(super) query: String,
    /// The headers with their names in lower case.
    pub(super) headers: HashMap<String, String>,
    pub(super) body: Bytes,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
}

impl Request {
    pub(super) fn parameter(&self, name: &str) -> &str {
        let mut pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(key, _)| *key == name)
            .map_or("", |(_, value)| value)
    }
}

impl Answer {
    /// The status line and the headers.
    pub(super) fn head(&self) -> String {
        let mut head = format!(
            "HTTP/1.1 {} Status\r\ncontent-length: {}\r\netag: \"stub\"\r\n\
             last-modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n",
            self.status,
            self.body.len()
        );
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        head.push_str("\r\n");
        head
    }
}

/// Reads the head of the next request, and gives its method beside it.
pub(super) async fn read_head(
    connection: &mut TcpStream,
    buffer: &mut BytesMut,
) -> Option<(Request, String)> {
    let end = loop {
        let found = buffer.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = found {
            break end;
        }
        if connection.read_buf(buffer).await.unwrap_or(0) == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer.split_to(end + 4).to_vec()).unwrap();
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let mut headers = HashMap::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap();
        let repeated = headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        assert_eq!(repeated, None, "{name} is sent twice");
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = percent_decode_str(path).decode_utf8().unwrap();
    let (bucket, key) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
    assert_eq!(bucket, BUCKET);
    let has = |name: &str| {
        query
            .split('&')
            .any(|pair| pair.split('=').next() == Some(name))
    };
    let call = match (method, key.is_empty()) {
        ("HEAD", true) => Call::HeadBucket,
        ("GET", true) => Call::List,
        ("HEAD", false) => Call::Head,
        ("GET", false) => Call::Get,
        ("PUT", false) if has("uploadId") => Call::PutPart,
        ("PUT", false) if headers.contains_key("x-amz-copy-source") => Call::Copy,
        ("PUT", false) => Call::Put,
        ("POST", false) if has("uploads") => Call::BeginParts,
        ("POST", false) if has("uploadId") => Call::CompleteParts,
        ("DELETE", false) if has("uploadId") => Call::AbortParts,
        ("DELETE", false) => Call::Delete,
        _ => panic!("{method} {target} is not known here"),
    };
    let request = Request {
        call,
        key: key.to_owned(),
        query: query.to_owned(),
        headers,
        body: Bytes::new(),
    };
    Some((request, method.to_owned()))
}

pub(super) fn ok(body: impl Into<Bytes>) -> Answer {
    Answer {
        status: 200,
        headers: Vec::new(),
        body: body.into(),
    }
}

pub(super) fn error(status: u16, code: &str) -> Answer {
    // As Amazon's, whatever the error is.
    let region = ("x-amz-bucket-region".to_owned(), "eu-north-1".to_owned());
    Answer {
        status,
        headers: vec![region],
        body: error_body("", code).into(),
    }
}

pub(super) fn error_body(spaces: &str, code: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>{spaces}\
         <Error><Code>{code}</Code><Message>so it is</Message></Error>"
    )
}

/// An object's body, or the range of it that a header asks for.
pub(super) fn range_of(body: &Bytes, header: Option<&String>) -> Answer {
    let Some(header) = header else {
        return ok(body.clone());
    };
    let (first, last) = header
        .strip_prefix("bytes=")
        .unwrap()
        .split_once('-')
        .unwrap();
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
    if first >= body.len() {
        return error(416, "InvalidRange");
    }
    let end = (last + 1).min(body.len());
    let content_range = format!("bytes {first}-{}/{}", end - 1, body.len());
    Answer {
        status: 206,
        headers: vec![("content-range".to_owned(), content_range)],
        body: body.slice(first..end),
    }
}
