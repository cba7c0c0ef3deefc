//! Writes an archive or a file to a temporary file as it arrives.
//!
//! Bytes gather in pieces, and one piece is written while the next one fills. Early verification learns of each piece
//! once it is written.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::error::ReceiveError;
use super::submission::ReceivedFile;
use crate::blocking;
use crate::clock::SharedClock;
use crate::scratch::Scratch;
use crate::upload::verify::{EarlyVerification, Verifier};

/// The longest name of an archive that is kept, in bytes.
const NAME_LENGTH: usize = 100;

/// How much is gathered before it is written to the temporary file, in bytes.
const PIECE: usize = 1024 * 1024;

/// An archive or a file that is arriving.
#[derive(Debug)]
pub struct IncomingFile {
    name: String,
    file: Arc<File>,
    /// Bytes that arrived since the last piece.
    gathered: Vec<u8>,
    /// The piece that is being written; the task returns the empty buffer.
    writing: Option<JoinHandle<io::Result<Vec<u8>>>>,
    /// How many bytes have been written.
    arrived: Arc<watch::Sender<u64>>,
    early: Option<EarlyVerification>,
    size: u64,
    limit: ByteSize,
    clock: SharedClock,
    began: Duration,
}

impl IncomingFile {
    /// Starts an archive of this name, which must end in `.zip`.
    pub(super) async fn archive(
        name: &str,
        scratch: &Arc<Scratch>,
        limit: ByteSize,
        clock: &SharedClock,
    ) -> Result<Self, ReceiveError> {
        let name = archive_name(name)?;
        let incoming = Self::unnamed(scratch, limit, clock).await?;
        Ok(Self { name, ..incoming })
    }

    /// Starts a file whose name is not known yet.
    pub(super) async fn unnamed(
        scratch: &Arc<Scratch>,
        limit: ByteSize,
        clock: &SharedClock,
    ) -> Result<Self, ReceiveError> {
        let file = scratch.unnamed().await.map_err(ReceiveError::Temporary)?;
        Ok(Self {
            name: String::new(),
            file: Arc::new(file),
            gathered: Vec::new(),
            writing: None,
            arrived: Arc::new(watch::Sender::new(0)),
            early: None,
            size: 0,
            limit,
            clock: Arc::clone(clock),
            began: clock.elapsed(),
        })
    }

    /// Verifies members while the rest of the archive is still arriving.
    pub(super) fn verified_early(mut self, verifier: Verifier) -> Self {
        let (file, arrived) = (Arc::clone(&self.file), self.arrived.subscribe());
        self.early = Some(EarlyVerification::begin(file, arrived, verifier));
        self
    }

    /// Adds the next bytes.
    ///
    /// # Errors
    /// The archive is larger than the limit, or there is no room.
    pub async fn write(&mut self, piece: &[u8]) -> Result<(), ReceiveError> {
        self.size += piece.len() as u64;
        if self.size > self.limit.as_u64() {
            return Err(ReceiveError::TooLarge(self.limit));
        }
        self.gathered.extend_from_slice(piece);
        if self.gathered.len() >= PIECE {
            self.write_out().await?;
        }
        Ok(())
    }

    /// Ends the file: waits until all of it is written.
    ///
    /// # Errors
    /// There is no room.
    pub async fn finish(mut self) -> Result<ReceivedFile, ReceiveError> {
        self.write_out().await?;
        self.wait_for_buffer().await?;
        Ok(ReceivedFile {
            file: self.file,
            size: self.size,
            name: self.name,
            fetched_from: None,
            received_in: self.clock.elapsed().saturating_sub(self.began),
            early: self.early,
        })
    }

    /// Starts to write the gathered bytes, once the previous piece is written.
    async fn write_out(&mut self) -> Result<(), ReceiveError> {
        let next = self.wait_for_buffer().await?;
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

    /// Waits for the piece that is being written, and returns its empty buffer.
    async fn wait_for_buffer(&mut self) -> Result<Vec<u8>, ReceiveError> {
        let Some(writing) = self.writing.take() else {
            return Ok(Vec::new());
        };
        let written = writing
            .await
            .unwrap_or_else(|panic| Err(io::Error::other(panic)));
        written.map_err(ReceiveError::Temporary)
    }
}

/// Checks that an archive's name ends in `.zip`, in any case, and shortens a name that is too long for the record.
fn archive_name(name: &str) -> Result<String, ReceiveError> {
    let extension = name.rfind('.').map_or("", |dot| &name[dot..]);
    if !extension.eq_ignore_ascii_case(".zip") {
        return Err(ReceiveError::Extension(
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
            let Err(ReceiveError::Extension(found)) = archive_name(name) else {
                panic!("{name}")
            };
            assert_eq!(found, extension);
        }
    }
}
