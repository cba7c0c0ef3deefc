//! A member's deflate stream, which in whole archives hides behind a CRC that fuzzing seldom gets right.

use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZFlush, MZStatus};
use strict_zip::{Entry, Error, Limits, Method, verify};

/// The most that is inflated, in bytes.
const LONGEST: usize = 64 * 1024;

/// Verifies the bytes as a member's compressed data, whose headers are right for what `miniz_oxide` makes of it.
///
/// # Panics
/// We inflate a stream to something else, or refuse one for another reason than its blocks or its codes.
pub fn deflate(stream: &[u8]) {
    let Some((content, consumed)) = inflate_with_miniz(stream) else {
        return;
    };
    let entry = Entry {
        name: "a".to_owned(),
        content: (),
        method: Method::Deflated,
        crc32: crc32fast::hash(&content),
        compressed_size: stream.len() as u64,
        size: content.len() as u64,
        data_offset: 0,
    };
    let mut ours = Vec::new();
    let sink = |piece: &[u8]| {
        ours.extend_from_slice(piece);
        Ok::<_, Error>(())
    };
    match verify(stream, &entry, &Limits::default(), sink) {
        Ok(()) => {
            assert_eq!(consumed, stream.len());
            assert_eq!(ours, content);
        }
        // zlib refuses some codes that miniz puts up with.
        Err(error) if ["damaged_data", "too_many_blocks"].contains(&error.code()) => {}
        Err(error) => {
            assert_eq!(error.code(), "bytes_after_stream");
            assert!(consumed < stream.len());
        }
    }
}

/// The content, and the length of the stream that holds it.
fn inflate_with_miniz(stream: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut state = InflateState::new(DataFormat::Raw);
    let mut content = vec![0; LONGEST];
    let result = inflate(&mut state, stream, &mut content, MZFlush::Finish);
    if result.status != Ok(MZStatus::StreamEnd) {
        return None;
    }
    content.truncate(result.bytes_written);
    Some((content, result.bytes_consumed))
}
