//! Bodies, a piece at a time in both directions.

use std::io::{self, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body::{Body, Frame, SizeHint};
use tokio::task::JoinHandle;

use super::error;
use crate::blocking;
use crate::storage::object::ObjectStream;
use crate::storage::payload::Payload;
use crate::storage::payload::PayloadReader;

/// How much of a payload is in memory at a time, in bytes.
const PIECE: u64 = 256 * 1024;

/// The body of a request that sends a payload; it is read from its start again for every attempt.
pub(super) fn of_payload(payload: &Payload) -> ByteStream {
    let payload = payload.clone();
    ByteStream::new(SdkBody::retryable(move || {
        SdkBody::from_body_1_x(PayloadBody::new(&payload))
    }))
}

/// Reads the body of an answer, which must have exactly this length.
pub(super) fn read(bucket: Arc<str>, body: ByteStream, length: u64) -> ObjectStream {
    let pieces = stream::try_unfold((body, length), move |(mut body, left)| {
        let bucket = Arc::clone(&bucket);
        async move {
            let piece = body.try_next().await.map_err(|failure| {
                error::failed(&bucket, &format!("fetch: {}", error::cause_chain(&failure)))
            })?;
            let Some(piece) = piece else {
                if left == 0 {
                    return Ok(None);
                }
                let reason = format!("fetch: the body ended {left} bytes early");
                return Err(error::failed(&bucket, &reason));
            };
            match left.checked_sub(piece.len() as u64) {
                Some(left) => Ok(Some((piece, (body, left)))),
                None => Err(error::failed(&bucket, "fetch: the body is too long")),
            }
        }
    });
    pieces.boxed()
}

/// A payload that is read when the connection has room for the next piece.
struct PayloadBody {
    state: State,
    left: u64,
}

enum State {
    /// The next piece has not been requested yet.
    Waiting(PayloadReader),
    Reading(JoinHandle<io::Result<(PayloadReader, Bytes)>>),
    Ended,
}

impl PayloadBody {
    fn new(payload: &Payload) -> Self {
        Self {
            state: State::Waiting(payload.reader()),
            left: payload.len(),
        }
    }
}

impl Body for PayloadBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let wanted = self.left.min(PIECE);
        let mut reading = match std::mem::replace(&mut self.state, State::Ended) {
            State::Waiting(reader) => blocking::start(move || read_piece(reader, wanted)),
            State::Reading(reading) => reading,
            State::Ended => return Poll::Ready(None),
        };
        let Poll::Ready(read) = Pin::new(&mut reading).poll(context) else {
            self.state = State::Reading(reading);
            return Poll::Pending;
        };
        let (reader, piece) = read.unwrap_or_else(|panic| Err(io::Error::other(panic)))?;
        self.left -= wanted;
        self.state = State::Waiting(reader);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Reads exactly so many bytes.
fn read_piece(mut reader: PayloadReader, wanted: u64) -> io::Result<(PayloadReader, Bytes)> {
    let mut piece = vec![0; usize::try_from(wanted).map_err(io::Error::other)?];
    reader.read_exact(&mut piece)?;
    Ok((reader, piece.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_payload_is_read_a_piece_at_a_time() {
        let mut body = PayloadBody::new(&Bytes::from(vec![7; 600_000]).into());
        let mut left = 600_000_usize;
        for length in [262_144, 262_144, 75_712] {
            assert_eq!(body.size_hint().exact(), Some(left as u64));
            assert!(!body.is_end_stream());
            let frame = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context));
            let piece = frame.await.unwrap().unwrap().into_data().unwrap();
            assert_eq!(piece.len(), length);
            left -= length;
        }
        assert!(body.is_end_stream());
    }
}
