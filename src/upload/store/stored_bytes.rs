//! Turns a verified member into the bytes that are stored.
//!
//! A deflated member that is to be stored gzipped is re-wrapped: the client's own deflate stream, which has been
//! verified, goes between a gzip header and trailer, directly from the archive's temporary file. A member that came
//! uncompressed and stays so is also read directly from there. Any other member is compressed or inflated into a
//! temporary file of its own, on the CPU pool.

use std::fs::File;
use std::io::{self, BufWriter};
use std::sync::Arc;

use bytes::Bytes;
use flate2::read::DeflateDecoder;
use strict_zip::Method;

use super::error::StoreError;
use super::gzip::{self, Text};
use crate::cpu::CpuPool;
use crate::scratch::Scratch;
use crate::storage::{Part, Payload};
use crate::upload::verify::Entry;

/// How much is read or written at a time, in bytes.
const PIECE: usize = 256 * 1024;

/// The most bytes of a temporary file that [`payload`] makes for a member; 0 if it makes none.
pub(super) fn temporary_size(entry: &Entry, gzipped: bool) -> u64 {
    match (entry.method, gzipped) {
        (Method::Deflated, true) | (Method::Stored, false) => 0,
        // Incompressible data grows, by an eighth at the fastest level and by less at others.
        (Method::Stored, true) => entry.size + entry.size / 8 + PIECE as u64,
        (Method::Deflated, false) => entry.size,
    }
}

/// The bytes to store for a member, gzipped or not, however the archive holds it.
///
/// # Errors
/// The temporary file cannot be read, or a new one cannot be written.
pub async fn payload(
    archive: &Arc<File>,
    entry: &Entry,
    gzipped: bool,
    level: u32,
    scratch: &Arc<Scratch>,
    cpu: &CpuPool,
) -> Result<Payload, StoreError> {
    let place = entry.data_offset..entry.data_offset + entry.compressed_size;
    let file = Arc::clone(archive);
    let data = Part::File {
        file: Arc::clone(archive),
        offset: entry.data_offset,
        length: entry.compressed_size,
    };
    let made = match (entry.method, gzipped) {
        (Method::Deflated, true) => return Ok(rewrapped(data, entry)),
        (Method::Stored, false) => return Ok(Payload::new(vec![data])),
        (Method::Stored, true) => {
            let crc32 = entry.crc32;
            let text = Text { file, place, crc32 };
            gzip::compress(text, level, cpu, new_file(scratch).await?).await?
        }
        (Method::Deflated, false) => {
            let output = new_file(scratch).await?;
            let inflated = cpu.run(move || inflate(data, output)).await?;
            inflated.map_err(StoreError::Temporary)?
        }
    };
    whole_file(made).map_err(StoreError::Temporary)
}

async fn new_file(scratch: &Arc<Scratch>) -> Result<File, StoreError> {
    scratch.unnamed().await.map_err(StoreError::Temporary)
}

fn rewrapped(deflated: Part, entry: &Entry) -> Payload {
    let trailer = gzip::trailer(entry.crc32, entry.size);
    Payload::new(vec![
        Part::Memory(Bytes::from_static(&gzip::HEADER)),
        deflated,
        Part::Memory(Bytes::copy_from_slice(&trailer)),
    ])
}

fn inflate(data: Part, output: File) -> io::Result<File> {
    let mut output = BufWriter::with_capacity(PIECE, output);
    let deflated = Payload::new(vec![data]).reader();
    let mut inflated = DeflateDecoder::new_with_buf(deflated, vec![0; PIECE]);
    io::copy(&mut inflated, &mut output)?;
    output.into_inner().map_err(io::IntoInnerError::into_error)
}

fn whole_file(file: File) -> io::Result<Payload> {
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

    use flate2::Compression;
    use flate2::read::GzDecoder;

    use super::*;
    use crate::upload::verify::Content;

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

    #[tokio::test]
    async fn every_way_in_and_out_gives_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Arc::new(Scratch::open(folder.path()).unwrap());
        let cpu = CpuPool::new(2).unwrap();
        for method in [Method::Stored, Method::Deflated] {
            let (archive, entry) = member(method);
            let plain = payload(&archive, &entry, false, 6, &scratch, &cpu);
            let plain = plain.await.unwrap();
            let mut bytes = Vec::new();
            plain.reader().read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes, TEXT, "{method:?}");
            let gzipped = payload(&archive, &entry, true, 6, &scratch, &cpu);
            let gzipped = gzipped.await.unwrap();
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
