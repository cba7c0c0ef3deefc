//! An object on its way out of a storage.
//!
//! Its bytes come as a stream, wherever they are. Those in a local file are also available as a [`FilePart`], so that
//! the kernel can send them to a client.

use std::fmt::{self, Debug, Formatter};
use std::ops::Range;

use super::file_part::FilePart;
use super::object::{ObjectInfo, ObjectStream};

/// An object being read.
#[derive(Debug)]
pub struct Fetched {
    /// Describes the whole object, in exactly this version.
    pub info: ObjectInfo,
    /// Which of its bytes follow.
    pub range: Range<u64>,
    /// These bytes as stored.
    pub bytes: ObjectBytes,
}

/// Where the bytes of an object come from.
pub enum ObjectBytes {
    /// A local file.
    File(FilePart),
    /// Elsewhere.
    Stream(ObjectStream),
}

impl ObjectBytes {
    /// Reads the bytes, a piece at a time, each only when it is asked for.
    #[must_use]
    pub fn into_stream(self) -> ObjectStream {
        match self {
            Self::File(file) => file.into_stream(),
            Self::Stream(stream) => stream,
        }
    }
}

impl Debug for ObjectBytes {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => f.debug_tuple("File").field(file).finish(),
            Self::Stream(_) => f.debug_struct("Stream").finish_non_exhaustive(),
        }
    }
}
