//! Archives as builds make them.

use std::io::{Cursor, Write};

use zip::CompressionMethod;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// An archive being made.
pub(crate) struct Zip {
    writer: ZipWriter<Cursor<Vec<u8>>>,
}

impl Zip {
    pub(crate) fn new() -> Self {
        Self {
            writer: ZipWriter::new(Cursor::new(Vec::new())),
        }
    }

    /// Adds a deflated file.
    pub(crate) fn file(self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.add(name, bytes.as_ref(), CompressionMethod::Deflated)
    }

    /// Adds a file that is stored as it is.
    pub(crate) fn stored(self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.add(name, bytes.as_ref(), CompressionMethod::Stored)
    }

    pub(crate) fn directory(mut self, name: &str) -> Self {
        self.writer
            .add_directory(name, SimpleFileOptions::default())
            .unwrap();
        self
    }

    fn add(mut self, name: &str, bytes: &[u8], method: CompressionMethod) -> Self {
        let options = SimpleFileOptions::default().compression_method(method);
        self.writer.start_file(name, options).unwrap();
        self.writer.write_all(bytes).unwrap();
        self
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.writer.finish().unwrap().into_inner()
    }
}

impl From<Zip> for Vec<u8> {
    fn from(zip: Zip) -> Self {
        zip.bytes()
    }
}
