//! The footer of an object's file: its metadata, behind its bytes.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::storage::file_part::Reading;
use crate::storage::object::{ObjectInfo, ObjectMeta};

/// The last bytes of every file; the digit is the format's version.
const MAGIC: &[u8; 8] = b"symbold1";

/// Length of the metadata (4 bytes, little endian), their CRC-32 (4 bytes), [`MAGIC`].
const TRAILER_LENGTH: usize = 16;

/// Most metadata are shorter than this with their trailer, so that one call reads them.
const USUAL_LENGTH: usize = 512;

/// No metadata are longer; more is damage.
const LONGEST_METADATA: usize = 64 * 1024;

/// The metadata that follow an object's bytes in its file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Footer {
    pub(super) stored_size: u64,
    #[serde(flatten)]
    pub(super) meta: ObjectMeta,
}

/// Why a file could not be read as an object.
pub(super) enum ReadError {
    Io(io::Error),
    Damaged(String),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Serializes a footer, with its trailer.
pub(super) fn footer(footer: &Footer) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(footer)?;
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    let checksum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes.extend_from_slice(MAGIC);
    Ok(bytes)
}

/// Reads the description of an object from its file.
pub(super) fn read_info(file: &File, reading: Reading) -> Result<ObjectInfo, ReadError> {
    let damaged = |reason: &str| ReadError::Damaged(reason.to_owned());
    let attributes = file.metadata()?;
    if !attributes.is_file() {
        return Err(damaged("it is not a file"));
    }
    let mut buffer = [0; USUAL_LENGTH];
    let tail = usize::try_from(attributes.len()).map_or(USUAL_LENGTH, |len| len.min(USUAL_LENGTH));
    let tail = &mut buffer[..tail];
    reading.read_exact(file, tail, attributes.len() - tail.len() as u64)?;
    let (before, trailer) = tail
        .split_last_chunk()
        .ok_or_else(|| damaged("the file is too short"))?;
    let (length, checksum) = read_trailer(trailer)
        .ok_or_else(|| damaged("the file does not end as an object of this storage does"))?;
    let start = (attributes.len() - TRAILER_LENGTH as u64)
        .checked_sub(u64::from(length))
        .filter(|_| length as usize <= LONGEST_METADATA)
        .ok_or_else(|| damaged("the metadata's length is wrong"))?;
    let json = if let Some(at) = before.len().checked_sub(length as usize) {
        Cow::Borrowed(&before[at..])
    } else {
        let mut json = vec![0; length as usize];
        reading.read_exact(file, &mut json, start)?;
        Cow::Owned(json)
    };
    if crc32fast::hash(&json) != checksum {
        return Err(damaged("the metadata's checksum is wrong"));
    }
    let footer: Footer =
        serde_json::from_slice(&json).map_err(|error| ReadError::Damaged(error.to_string()))?;
    if footer.stored_size != start {
        return Err(damaged("the length is not the recorded one"));
    }
    let modified_at = OffsetDateTime::from(attributes.modified()?);
    Ok(ObjectInfo {
        meta: footer.meta,
        stored_size: footer.stored_size,
        modified_at,
        version: None,
        inode: Some(attributes.ino()),
    })
}

/// The length and the checksum of the metadata.
fn read_trailer(trailer: &[u8; TRAILER_LENGTH]) -> Option<(u32, u32)> {
    let (length, rest) = trailer.split_first_chunk()?;
    let (checksum, magic) = rest.split_first_chunk()?;
    (magic == MAGIC).then_some((u32::from_le_bytes(*length), u32::from_le_bytes(*checksum)))
}
