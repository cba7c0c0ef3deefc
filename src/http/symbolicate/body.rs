//! Receives the body of a request, which is small beside those of uploads, and inflates it.

use std::io::Read;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::{Bytes, Payload};
use flate2::read::MultiGzDecoder;

/// The largest body, and the largest one once inflated, in bytes.
pub(super) const LARGEST: usize = 16 << 20;

/// How long a body may take to arrive.
const DEADLINE: Duration = Duration::from_mins(1);

/// Why a body is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BodyError {
    #[error("The body is larger than {LARGEST} bytes. Send fewer stacks in each request")]
    TooLarge,
    #[error("The body must be plain or gzipped, with no other Content-Encoding")]
    Encoding,
    #[error("The body does not inflate")]
    Damaged,
    #[error("The body did not arrive in time")]
    Late,
    #[error("The body did not arrive as a whole")]
    Cut,
}

/// How a body is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    Gzip,
}

impl Encoding {
    /// Reads the header `Content-Encoding`.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, BodyError> {
        let Some(value) = headers.get(header::CONTENT_ENCODING) else {
            return Ok(Self::Plain);
        };
        match value.to_str().map(str::to_ascii_lowercase).as_deref() {
            Ok("" | "identity") => Ok(Self::Plain),
            Ok("gzip" | "x-gzip") => Ok(Self::Gzip),
            _ => Err(BodyError::Encoding),
        }
    }
}

/// A body as it arrived.
#[derive(Debug)]
pub(super) struct Body {
    bytes: Bytes,
    encoding: Encoding,
}

impl Body {
    /// The most bytes that a body with these headers may turn out to have.
    pub(super) fn most_bytes(request: &HttpRequest) -> Result<usize, BodyError> {
        if Encoding::of(request.headers())? == Encoding::Gzip {
            return Ok(LARGEST);
        }
        let length = request.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        let Some(length) = length else {
            return Ok(LARGEST);
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > LARGEST {
            return Err(BodyError::TooLarge);
        }
        Ok(length)
    }

    /// Receives a body to its end.
    pub(super) async fn receive(request: &HttpRequest, body: Payload) -> Result<Self, BodyError> {
        let encoding = Encoding::of(request.headers())?;
        let received = tokio::time::timeout(DEADLINE, body.to_bytes_limited(LARGEST));
        let within_limit = received.await.map_err(|_| BodyError::Late)?;
        let bytes = within_limit.map_err(|_| BodyError::TooLarge)?;
        let bytes = bytes.map_err(|_| BodyError::Cut)?;
        Ok(Self { bytes, encoding })
    }

    /// The bytes that arrived.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns whether the body has to be inflated.
    pub(super) fn is_packed(&self) -> bool {
        self.encoding == Encoding::Gzip
    }

    /// The text of the request.
    pub(super) fn into_plain(self) -> Result<Bytes, BodyError> {
        match self.encoding {
            Encoding::Plain => Ok(self.bytes),
            Encoding::Gzip => inflate(&self.bytes).map(Bytes::from),
        }
    }
}

fn inflate(bytes: &[u8]) -> Result<Vec<u8>, BodyError> {
    let mut plain = Vec::new();
    let mut inflated = MultiGzDecoder::new(bytes).take(LARGEST as u64 + 1);
    let read = inflated.read_to_end(&mut plain);
    read.map_err(|_| BodyError::Damaged)?;
    if plain.len() > LARGEST {
        return Err(BodyError::TooLarge);
    }
    Ok(plain)
}
