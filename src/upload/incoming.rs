//! An archive on its way into a temporary file, whoever sends it.
//!
//! What comes is gathered, and one piece is written while the next one fills. Each piece that has been written is told
//! to those who read members early.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::early::EarlyVerification;
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
    file: Arc<File>,
    /// What came since the last piece.
    gathered: Vec<u8>,
    /// The last piece on its way; gives the buffer back.
    writing: Option<JoinHandle<io::Result<Vec<u8>>>>,
    /// How many bytes have been written.
    arrived: Arc<watch::Sender<u64>>,
    early: Option<EarlyVerification>,
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
        let mut incoming = Self::open(archive_name(name)?, uploads).await?;
        let (file, arrived) = (Arc::clone(&incoming.file), incoming.arrived.subscribe());
        let verifier = uploads.verifier.clone();
        incoming.early = Some(EarlyVerification::begin(file, arrived, verifier));
        Ok(incoming)
    }

    /// Begins a file that comes without an archive around it; its name is yet to be known.
    ///
    /// # Errors
    /// There is no room.
    pub async fn of_one_file(uploads: &UploadService) -> Result<Self, UploadError> {
        Self::open(String::new(), uploads).await
    }

    async fn open(name: String, uploads: &UploadService) -> Result<Self, UploadError> {
        let file = uploads.scratch.unnamed().await;
        let file = file.map_err(UploadError::Temporary)?;
        Ok(Self {
            name,
            file: Arc::new(file),
            gathered: Vec::new(),
            writing: None,
            arrived: Arc::new(watch::Sender::new(0)),
            early: None,
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
        self.gathered.extend_from_slice(piece);
        if self.gathered.len() >= PIECE {
            self.write_out().await?;
        }
        Ok(())
    }

    /// Ends the archive.
    ///
    /// # Errors
    /// There is no room.
    pub async fn finish(mut self) -> Result<TempArchive, UploadError> {
        self.write_out().await?;
        self.wait_for_room().await?;
        Ok(TempArchive {
            file: self.file,
            size: self.size,
            name: self.name,
            origin: None,
            received_in: self.clock.elapsed().saturating_sub(self.began),
            early: self.early,
        })
    }

    /// Begins to write what was gathered, once the piece before it has been written.
    async fn write_out(&mut self) -> Result<(), UploadError> {
        let next = self.wait_for_room().await?;
        let mut piece = std::mem::replace(&mut self.gathered, next);
        let (file, arrived) = (Arc::clone(&self.file), Arc::clone(&self.arrived));
        self.writing = Some(blocking::start(move || {
            (&*file).write_all(&piece)?;
            arrived.send_modify(|arrived| *arrived += piece.len() as u64);
            piece.clear();
            Ok(piece)
        }));
        Ok(())
    }

    /// Waits for the piece that is being written, and returns an empty buffer.
    async fn wait_for_room(&mut self) -> Result<Vec<u8>, UploadError> {
        let Some(writing) = self.writing.take() else {
            return Ok(Vec::new());
        };
        let written = writing
            .await
            .unwrap_or_else(|panic| Err(io::Error::other(panic)));
        written.map_err(UploadError::Temporary)
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
