//! Compresses a file into one gzip member, on all threads of the pool at once.
//!
//! The text is cut into chunks that are deflated in parallel, as pigz does. Each chunk has the text before it as its
//! dictionary, so that the cuts cost almost nothing. All chunks but the last end on a byte boundary (zlib's sync
//! flush), so that they join into a single deflate stream. Several gzip members would be simpler, but many readers stop
//! after the first. The cuts depend on the length alone, so equal files compress to equal bytes on every machine.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use flate2::{Compress, Compression, FlushCompress, Status};
use futures_util::{StreamExt, stream};

use super::error::StoreError;
use crate::blocking;
use crate::cpu::CpuPool;

/// Gzip header (RFC 1952): deflate, no name, no time, so that equal files have equal bytes; operating system unknown.
pub(super) const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// How much text one job deflates, in bytes.
const CHUNK: u64 = 1024 * 1024;

/// How far back a deflate stream may refer, in bytes (RFC 1951, 2).
const WINDOW: u64 = 32 * 1024;

/// The trailer of a member (RFC 1952): the text's CRC-32 and its length modulo 2^32.
pub(super) fn trailer(crc32: u32, length: u64) -> [u8; 8] {
    let [l0, l1, l2, l3, ..] = length.to_le_bytes();
    let [c0, c1, c2, c3] = crc32.to_le_bytes();
    [c0, c1, c2, c3, l0, l1, l2, l3]
}

/// A text in a file.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) file: Arc<File>,
    /// Its range in the file.
    pub(super) place: Range<u64>,
    /// Its CRC-32, which verifying has confirmed.
    pub(super) crc32: u32,
}

/// Writes the text to `output` as one gzip member and returns that file.
///
/// # Errors
/// One of the files cannot be read or written.
pub(super) async fn compress(
    text: Text,
    level: u32,
    cpu: &CpuPool,
    mut output: File,
) -> Result<File, StoreError> {
    let trailer = trailer(text.crc32, text.place.end - text.place.start);
    let mut deflated = stream::iter(text.chunks())
        .map(|chunk| {
            let text = text.clone();
            cpu.run(move || text.deflate(&chunk, level))
        })
        .buffered(cpu.threads() * 2);
    let mut piece = HEADER.to_vec();
    while let Some(chunk) = deflated.next().await {
        piece.extend_from_slice(&chunk?.map_err(StoreError::Temporary)?);
        output = append(output, piece).await?;
        piece = Vec::new();
    }
    append(output, trailer.to_vec()).await
}

async fn append(mut output: File, piece: Vec<u8>) -> Result<File, StoreError> {
    let written = blocking::run(move || output.write_all(&piece).map(|()| output)).await;
    written.map_err(StoreError::Temporary)
}

impl Text {
    /// The ranges that become a job each. An empty text has one empty chunk.
    fn chunks(&self) -> impl Iterator<Item = Range<u64>> + use<> {
        let Range { start, end } = self.place;
        let count = (end - start).div_ceil(CHUNK).max(1);
        (0..count).map(move |number| {
            let start = start + number * CHUNK;
            start..end.min(start + CHUNK)
        })
    }

    /// Deflates a chunk into blocks of the text's deflate stream.
    fn deflate(&self, chunk: &Range<u64>, level: u32) -> io::Result<Vec<u8>> {
        let known = chunk.start.saturating_sub(WINDOW).max(self.place.start);
        let mut bytes = vec![0; to_usize(chunk.end - known)];
        self.file.read_exact_at(&mut bytes, known)?;
        let (dictionary, bytes) = bytes.split_at(to_usize(chunk.start - known));

        let mut compress = Compress::new(Compression::new(level), false);
        if !dictionary.is_empty() {
            compress.set_dictionary(dictionary)?;
        }
        let is_last = chunk.end == self.place.end;
        let flush = if is_last {
            FlushCompress::Finish
        } else {
            FlushCompress::Sync
        };
        let mut deflated = Vec::with_capacity(bytes.len() / 4 + 1024);
        loop {
            let rest = &bytes[to_usize(compress.total_in())..];
            let status = compress.compress_vec(rest, &mut deflated, flush)?;
            // A flush is complete when it leaves room in the output (zlib's manual, `deflate`).
            let has_room = deflated.len() < deflated.capacity();
            let is_taken = compress.total_in() == bytes.len() as u64;
            if status == Status::StreamEnd || (!is_last && is_taken && has_room) {
                break;
            }
            deflated.reserve(bytes.len() / 8 + 1024);
        }
        // The chunk may be kept for a while, until those before it are written.
        deflated.shrink_to_fit();
        Ok(deflated)
    }
}

/// Lengths within a chunk fit everywhere.
fn to_usize(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    /// Text that repeats itself from far away, so that dictionaries are used, or bytes that do not compress.
    fn bytes(length: usize, is_text: bool) -> Vec<u8> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 16
        };
        let mut bytes = Vec::with_capacity(length + 40);
        while bytes.len() < length {
            if is_text {
                let line = format!(
                    "FUNC {:x} {:x} 0 name{}\n",
                    next() % 999,
                    next() % 99,
                    next()
                );
                bytes.extend_from_slice(line.as_bytes());
            } else {
                bytes.extend_from_slice(&next().to_le_bytes()[..2]);
            }
        }
        bytes.truncate(length);
        bytes
    }

    async fn gzipped(bytes: &[u8], level: u32, threads: usize) -> Vec<u8> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"before").unwrap();
        file.write_all(bytes).unwrap();
        file.write_all(b"after").unwrap();
        let text = Text {
            file: Arc::new(file),
            place: 6..6 + bytes.len() as u64,
            crc32: crc32fast::hash(bytes),
        };
        let cpu = CpuPool::new(threads).unwrap();
        let output = compress(text, level, &cpu, tempfile::tempfile().unwrap());
        let output = output.await.unwrap();
        let mut gzipped = vec![0; to_usize(output.metadata().unwrap().len())];
        output.read_exact_at(&mut gzipped, 0).unwrap();
        gzipped
    }

    #[tokio::test]
    async fn any_length_and_level_gives_one_member_with_the_same_text() {
        let chunk = to_usize(CHUNK);
        for length in [0, 1, chunk - 1, chunk, chunk + 1, 3 * chunk + 7] {
            for level in [0, 1, 6, 9] {
                for is_text in [true, false] {
                    let bytes = bytes(length, is_text);
                    let gzipped = gzipped(&bytes, level, 3).await;
                    let mut decoder = GzDecoder::new(&gzipped[..]);
                    let mut inflated = Vec::new();
                    decoder.read_to_end(&mut inflated).unwrap();
                    assert!(inflated == bytes, "{length} bytes at level {level}");
                    assert!(decoder.into_inner().is_empty(), "nothing comes after it");
                }
            }
        }
    }

    #[tokio::test]
    async fn the_bytes_do_not_depend_on_the_threads() {
        let bytes = bytes(3 * to_usize(CHUNK), true);
        assert_eq!(gzipped(&bytes, 6, 1).await, gzipped(&bytes, 6, 4).await);
    }

    #[tokio::test]
    async fn cuts_cost_next_to_nothing() {
        let bytes = bytes(4 * to_usize(CHUNK), true);
        let mut whole = flate2::write::GzEncoder::new(Vec::new(), Compression::new(6));
        whole.write_all(&bytes).unwrap();
        let (cut, whole) = (
            gzipped(&bytes, 6, 2).await.len(),
            whole.finish().unwrap().len(),
        );
        assert!(cut * 1000 < whole * 1003, "{cut} bytes instead of {whole}");
    }
}
