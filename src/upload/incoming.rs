//! An archive on its way into a temporary file, whoever sends it.

use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use tokio::fs::File;
use tokio::io::{AsyncWriteExt, BufWriter};

use super::{TempArchive, UploadError, UploadService};
use crate::blocking;
use crate::clock::SharedClock;

/// The longest name of an archive that is kept, in bytes.
const NAME_LENGTH: usize = 100;

/// How much is gathered before it is written to the temporary file, in bytes.
const PIECE: usize = 1024 * 1024;

/// An archive that is arriving.
#[derive(Debug)]
pub struct IncomingArchive {
    name: String,
    file: BufWriter<File>,
    size: u64,
    limit: ByteSize,
    clock: SharedClock,
    began: Duration,
}

impl IncomingArchive {
    /// Begins an archive of this name, which must end in `.zip`.
    ///
    /// # Errors
    /// The name ends otherwise, or there is no room.
    pub async fn begin(name: &str, uploads: &UploadService) -> Result<Self, UploadError> {
        Self::open(archive_name(name)?, uploads).await
    }

    /// Begins a file that comes without an archive around it; its name is yet to be known.
    ///
    /// # Errors
    /// There is no room.
    pub async fn of_one_file(uploads: &UploadService) -> Result<Self, UploadError> {
        Self::open(String::new(), uploads).await
    }

    async fn open(name: String, uploads: &UploadService) -> Result<Self, UploadError> {
        let scratch = Arc::clone(&uploads.scratch);
        let file = blocking::run(move || scratch.unnamed_file())
            .await
            .map_err(UploadError::Temporary)?;
        Ok(Self {
            name,
            file: BufWriter::with_capacity(PIECE, File::from_std(file)),
            size: 0,
            limit: uploads.config.size,
            clock: Arc::clone(&uploads.clock),
            began: uploads.clock.elapsed(),
        })
    }

    /// Adds what came.
    ///
    /// # Errors
    /// The archive is larger than the limit, or there is no room.
    pub async fn write(&mut self, piece: &[u8]) -> Result<(), UploadError> {
        self.size += piece.len() as u64;
        if self.size > self.limit.as_u64() {
            return Err(UploadError::TooLarge(self.limit));
        }
        self.file
            .write_all(piece)
            .await
            .map_err(UploadError::Temporary)
    }

    /// Ends the archive.
    ///
    /// # Errors
    /// There is no room: an asynchronous file tells of a failed write only when it is flushed.
    pub async fn finish(mut self) -> Result<TempArchive, UploadError> {
        self.file.flush().await.map_err(UploadError::Temporary)?;
        let file = Arc::new(self.file.into_inner().into_std().await);
        Ok(TempArchive {
            file,
            size: self.size,
            name: self.name,
            origin: None,
            received_in: self.clock.elapsed().saturating_sub(self.began),
        })
    }
}

/// Checks that an archive is called `.zip`, in any case, and cuts a name that is too long for the record.
fn archive_name(name: &str) -> Result<String, UploadError> {
    let extension = name.rfind('.').map_or("", |dot| &name[dot..]);
    if !extension.eq_ignore_ascii_case(".zip") {
        return Err(UploadError::Extension(
            extension.chars().take(NAME_LENGTH).collect(),
        ));
    }
    let legal = |character: &char| !character.is_control();
    let name: String = name.chars().filter(legal).collect();
    let start = name.len().saturating_sub(NAME_LENGTH);
    let start = (start..=name.len())
        .find(|index| name.is_char_boundary(*index))
        .unwrap_or(0);
    Ok(name[start..].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archive_names() {
        assert_eq!(archive_name("a.ZIP").unwrap(), "a.ZIP");
        assert_eq!(archive_name("a\r\n.zip").unwrap(), "a.zip");
        let long = format!("{}.zip", "汉".repeat(60));
        let cut = archive_name(&long).unwrap();
        assert!(cut.len() <= NAME_LENGTH && cut.ends_with("汉.zip"));
        for (name, extension) in [("file", ""), ("a.rar", ".rar"), ("", ""), ("zip", "")] {
            let Err(UploadError::Extension(found)) = archive_name(name) else {
                panic!("{name}")
            };
            assert_eq!(found, extension);
        }
    }
}
