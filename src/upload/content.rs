//! Turning a verified member into the bytes that are stored.
//!
//! A deflated member that is to be stored gzipped is re-wrapped: the deflate stream that the client sent, which has
//! been proved to be one, goes between a gzip header and trailer, straight from the temporary file. A stored member
//! that stays as it is goes straight from the temporary file too. Anything else is compressed or inflated into a
//! temporary file of its own.

use std::fs::File;
use std::io::{self, BufWriter};
use std::sync::Arc;

use bytes::Bytes;
use flate2::read::DeflateDecoder;
use flate2::{Compression, GzBuilder};

use super::archive::{Entry, Method};
use crate::scratch::Scratch;
use crate::storage::{Part, Payload};

/// Gzip header (RFC 1952): deflate, no name, no time, so that equal files have equal bytes; operating system unknown.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// How much is read or written at a time, in bytes.
const PIECE: usize = 256 * 1024;

/// The most bytes of a temporary file that [`payload`] makes for a member; 0 if it makes none.
pub(super) fn temporary_size(entry: &Entry, gzipped: bool) -> u64 {
    match (entry.method, gzipped) {
        (Method::Deflated, true) | (Method::Stored, false) => 0,
        // What does not compress grows: by an eighth at the fastest level, by less at others.
        (Method::Stored, true) => entry.size + entry.size / 8 + PIECE as u64,
        (Method::Deflated, false) => entry.size,
    }
}

/// The bytes to store for a member: gzipped or not, whatever the archive has.
///
/// # Errors
/// The temporary file cannot be read, or a new one not written.
pub fn payload(
    archive: &Arc<File>,
    entry: &Entry,
    gzipped: bool,
    level: u32,
    scratch: &Scratch,
) -> io::Result<Payload> {
    let data = Part::File {
        file: Arc::clone(archive),
        offset: entry.data_offset,
        length: entry.compressed_size,
    };
    match (entry.method, gzipped) {
        (Method::Deflated, true) => Ok(rewrapped(data, entry)),
        (Method::Stored, false) => Ok(Payload::new(vec![data])),
        (Method::Stored, true) => {
            let file = BufWriter::with_capacity(PIECE, scratch.unnamed_file()?);
            let mut encoder = GzBuilder::new()
                .mtime(0)
                .write(file, Compression::new(level));
            io::copy(&mut Payload::new(vec![data]).reader(), &mut encoder)?;
            whole_file(encoder.finish()?)
        }
        (Method::Deflated, false) => {
            let mut file = BufWriter::with_capacity(PIECE, scratch.unnamed_file()?);
            let deflated = Payload::new(vec![data]).reader();
            io::copy(
                &mut DeflateDecoder::new_with_buf(deflated, vec![0; PIECE]),
                &mut file,
            )?;
            whole_file(file)
        }
    }
}

fn rewrapped(deflated: Part, entry: &Entry) -> Payload {
    let mut trailer = Vec::with_capacity(8);
    trailer.extend_from_slice(&entry.crc32.to_le_bytes());
    // The length is kept modulo 2^32 (RFC 1952, ISIZE).
    let length = u32::try_from(entry.size & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    trailer.extend_from_slice(&length.to_le_bytes());
    Payload::new(vec![
        Part::Memory(Bytes::from_static(&GZIP_HEADER)),
        deflated,
        Part::Memory(trailer.into()),
    ])
}

fn whole_file(writer: BufWriter<File>) -> io::Result<Payload> {
    let file = writer
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?;
    let length = file.metadata()?.len();
    Ok(Payload::new(vec![Part::File {
        file: Arc::new(file),
        offset: 0,
        length,
    }]))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use flate2::read::GzDecoder;

    use super::super::archive::Content;
    use super::*;

    const TEXT: &[u8] = b"MODULE Linux x86_64 AB a\nPUBLIC 0 0 main\n";

    fn member(method: Method) -> (Arc<File>, Entry) {
        let mut data = Vec::new();
        match method {
            Method::Stored => data.extend_from_slice(TEXT),
            Method::Deflated => {
                let mut encoder =
                    flate2::write::DeflateEncoder::new(&mut data, Compression::new(6));
                encoder.write_all(TEXT).unwrap();
                encoder.finish().unwrap();
            }
        }
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"before").unwrap();
        file.write_all(&data).unwrap();
        let entry = Entry {
            name: "a/AB/a.sym".to_owned(),
            content: Content::Ignored,
            method,
            crc32: crc32fast::hash(TEXT),
            compressed_size: data.len() as u64,
            size: TEXT.len() as u64,
            data_offset: 6,
        };
        (Arc::new(file), entry)
    }

    #[test]
    fn every_way_in_and_out_gives_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::open(folder.path()).unwrap();
        for method in [Method::Stored, Method::Deflated] {
            let (archive, entry) = member(method);
            let plain = payload(&archive, &entry, false, 6, &scratch).unwrap();
            let mut bytes = Vec::new();
            plain.reader().read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes, TEXT, "{method:?}");
            let gzipped = payload(&archive, &entry, true, 6, &scratch).unwrap();
            let mut bytes = Vec::new();
            GzDecoder::new(gzipped.reader())
                .read_to_end(&mut bytes)
                .unwrap();
            assert_eq!(bytes, TEXT, "{method:?}");
            for (payload, gzipped) in [(&plain, false), (&gzipped, true)] {
                let bound = temporary_size(&entry, gzipped);
                assert!(bound == 0 || payload.len() <= bound, "{method:?}");
            }
            assert_eq!(gzipped.len(), {
                let mut stored = Vec::new();
                gzipped.reader().read_to_end(&mut stored).unwrap()
            } as u64);
        }
    }
}
