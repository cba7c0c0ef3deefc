//! The files of an archive, and where their data lie.

/// One member that is not a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<C> {
    /// The name, exactly as in the zip.
    pub name: String,
    /// The caller's classification of the file, by [`Names::classify`](super::Names::classify).
    pub content: C,
    /// How the data is stored.
    pub method: Method,
    /// CRC-32 of the uncompressed data, as declared.
    pub crc32: u32,
    /// Bytes of the data in the archive.
    pub compressed_size: u64,
    /// Bytes of the uncompressed data, as declared.
    pub size: u64,
    /// Where the data starts, counted from the archive's first byte.
    pub data_offset: u64,
}

/// The compression methods accepted (4.4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Method 0: the plain bytes.
    Stored,
    /// Method 8: one raw deflate stream.
    Deflated,
}

impl Method {
    pub(super) fn from_number(number: u16) -> Option<Self> {
        match number {
            0 => Some(Self::Stored),
            8 => Some(Self::Deflated),
            _ => None,
        }
    }

    pub(super) fn number(self) -> u16 {
        match self {
            Self::Stored => 0,
            Self::Deflated => 8,
        }
    }
}
