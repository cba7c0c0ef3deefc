//! The bytes of a file on their way to a client.
//!
//! The next piece is read only when the connection has room for it, so a slow client holds no more than one piece.
//! Parts of a file that are sent unchanged and lie in the page cache are not read at all: the connection sends them. If
//! a file cannot be read to its end, the connection is closed, so that no client takes a part for the whole. The start
//! of a file that has to be inflated is inflated before the answer begins, so that damage there still gets a status.

use std::fmt::Display;
use std::io;

use actix_web::body::{BodyStream, SizedStream};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use bytes::Buf;
use futures_util::stream::Fuse;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use symbols::Gunzip;

use super::representation::Form;
use crate::http::sendfile::Outlet;
use crate::storage::{FilePart, ObjectBytes, ObjectStream, StorageError};

/// How much is inflated before an answer begins, in bytes.
const AHEAD: usize = 64 * 1024;

/// Why the bytes of an inflated file end too early.
#[derive(Debug, thiserror::Error)]
pub(super) enum InflateError {
    /// The file is no gzip file, or is damaged.
    #[error("it cannot be inflated: {0}")]
    Damaged(#[source] io::Error),
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Sends the bytes of an object, stored or inflated; `length` is the number of bytes sent, if that is known.
///
/// # Errors
/// The start of an object that has to be inflated is damaged or cannot be read.
pub(super) async fn send(
    request: &HttpRequest,
    response: &mut HttpResponseBuilder,
    form: Form,
    length: Option<u64>,
    bytes: ObjectBytes,
) -> Result<HttpResponse, InflateError> {
    let outlet = request.conn_data::<Outlet>().cloned();
    Ok(match (form, bytes, outlet.zip(length)) {
        (Form::Inflated, bytes, _) => {
            finish(response, length, inflated(bytes.into_stream()).await?)
        }
        (Form::Original | Form::Gzipped, ObjectBytes::File(file), Some((outlet, length))) => {
            send_file(response, length, file, outlet)
        }
        (Form::Original | Form::Gzipped, bytes, _) => finish(response, length, bytes.into_stream()),
    })
}

/// Sends the length and no bytes, for HEAD.
pub(super) fn send_none(response: &mut HttpResponseBuilder, length: Option<u64>) -> HttpResponse {
    finish(
        response,
        length,
        stream::empty::<Result<Bytes, StorageError>>(),
    )
}

/// Sends a file, most of which bypasses the HTTP library. Chunking is off, so that the library does not count the
/// bytes.
fn send_file(
    response: &mut HttpResponseBuilder,
    length: u64,
    file: FilePart,
    outlet: Outlet,
) -> HttpResponse {
    let stream = stream::try_unfold((file, outlet), async |(mut file, outlet)| {
        while let Some(piece) = file.split_cached() {
            outlet.send(piece).await?;
        }
        let read = file.next().await?;
        Ok::<_, StorageError>(read.map(|piece| (piece, (file, outlet))))
    });
    let stream = stream.inspect_err(|error| tell_cut(error));
    response.no_chunking(length).body(BodyStream::new(stream))
}

fn finish<S, E>(response: &mut HttpResponseBuilder, length: Option<u64>, stream: S) -> HttpResponse
where
    S: Stream<Item = Result<Bytes, E>> + 'static,
    E: std::error::Error + 'static,
{
    let stream = stream.inspect_err(|error| tell_cut(error));
    match length {
        Some(length) => response.body(SizedStream::new(length, stream)),
        None => response.streaming(stream),
    }
}

fn tell_cut(error: &dyn Display) {
    tracing::error!(event = "body_cut", %error, "a file could not be read to its end, the connection is cut");
}

/// Inflates a gzipped object as it is read. The stream begins once its start has been inflated.
async fn inflated(
    bytes: ObjectStream,
) -> Result<impl Stream<Item = Result<Bytes, InflateError>>, InflateError> {
    let inflating = Inflating {
        stream: bytes.fuse(),
        piece: Bytes::new(),
        gunzip: Gunzip::default(),
    };
    let mut rest = Box::pin(stream::try_unfold(inflating, Inflating::next));
    let (mut start, mut length) = (Vec::new(), 0);
    while length < AHEAD
        && let Some(piece) = rest.try_next().await?
    {
        length += piece.len();
        start.push(Ok(piece));
    }
    Ok(stream::iter(start).chain(rest))
}

/// A gzipped object that is being inflated.
struct Inflating {
    stream: Fuse<ObjectStream>,
    /// What was read of the object and not inflated yet.
    piece: Bytes,
    gunzip: Gunzip,
}

impl Inflating {
    /// The next inflated bytes; `None` at the end of the object.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, InflateError> {
        loop {
            if self.piece.is_empty() {
                let Some(piece) = self.stream.try_next().await? else {
                    let rest = self.gunzip.finish().map_err(InflateError::Damaged)?;
                    return Ok((!rest.is_empty()).then(|| (Bytes::from(rest), self)));
                };
                self.piece = piece;
            }
            let mut piece = &self.piece[..];
            let inflated = self.gunzip.inflate(&mut piece);
            let inflated = inflated.map_err(InflateError::Damaged)?;
            let taken = self.piece.len() - piece.len();
            self.piece.advance(taken);
            if !inflated.is_empty() {
                return Ok(Some((Bytes::from(inflated), self)));
            }
        }
    }
}
