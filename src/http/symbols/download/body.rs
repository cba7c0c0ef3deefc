//! The bytes of a file on their way to a client.
//!
//! The next piece is read only when the connection has room for it, so a slow client holds no more than one piece.
//! Parts of a file that are sent unchanged and lie in the page cache are not read at all: the connection sends them. If
//! a file cannot be read to its end, the connection is closed, so that no client takes a part for the whole.

use std::fmt::Display;

use actix_web::body::{BodyStream, SizedStream};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use async_compression::tokio::bufread::GzipDecoder;
use futures_util::{Stream, TryStreamExt, stream};
use tokio_util::io::{ReaderStream, StreamReader};

use super::representation::Form;
use crate::http::sendfile::Outlet;
use crate::storage::{FilePart, ObjectBytes, ObjectStream, StorageError};

/// How much is inflated at a time, in bytes.
const PIECE: usize = 64 * 1024;

/// Sends the bytes of an object, stored or inflated; `length` is the number of bytes sent, if that is known.
pub(super) fn send(
    request: &HttpRequest,
    response: &mut HttpResponseBuilder,
    form: Form,
    length: Option<u64>,
    bytes: ObjectBytes,
) -> HttpResponse {
    let outlet = request.conn_data::<Outlet>().cloned();
    match (form, bytes, outlet.zip(length)) {
        (Form::Inflated, bytes, _) => finish(response, length, inflated(bytes.into_stream())),
        (Form::Original | Form::Gzipped, ObjectBytes::File(file), Some((outlet, length))) => {
            send_file(response, length, file, outlet)
        }
        (Form::Original | Form::Gzipped, bytes, _) => finish(response, length, bytes.into_stream()),
    }
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

/// Inflates a gzipped object as it is read, with all of its gzip members: other programs may have stored several.
fn inflated(stream: ObjectStream) -> impl Stream<Item = std::io::Result<Bytes>> {
    let mut decoder = GzipDecoder::new(StreamReader::new(stream.map_err(std::io::Error::other)));
    decoder.multiple_members(true);
    ReaderStream::with_capacity(decoder, PIECE)
}
