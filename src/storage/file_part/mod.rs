//! Parts of local files, on their way to a client.
//!
//! A part is read a piece at a time, each only when it is asked for. What the kernel has in memory need not be read at
//! all to be sent to a client: the kernel copies it to the socket itself, with sendfile(2). That call waits for the
//! disk if necessary, and cannot be asked not to; so it is made only for pieces that were found in memory just
//! before.

mod reading;
mod sendfile;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use rustix::io::Errno;

use super::error::StorageError;
use super::object::ObjectStream;
use crate::blocking;

pub(super) use reading::Reading;
use reading::{READ, read_piece};

/// How much the kernel is asked to send at a time, in bytes. Other connections of the same thread have their turn in
/// between.
const SENT: u64 = 512 * 1024;

/// A range of a local file that is being read or sent.
#[derive(Debug)]
pub struct FilePart {
    /// The storage's name, for errors.
    storage: &'static str,
    file: Arc<File>,
    /// Bytes that have been read already and come first.
    first: Bytes,
    /// The range that follows them.
    rest: Range<u64>,
}

impl FilePart {
    /// Begins with a range of a file of a storage, and reads it at once if one call is enough, or waiting is allowed.
    pub(super) fn new(
        storage: &'static str,
        file: File,
        range: Range<u64>,
        reading: Reading,
    ) -> io::Result<Self> {
        let is_short = range.end.saturating_sub(range.start) <= READ as u64;
        let first = if is_short || reading.waits() {
            read_piece(&file, &range, reading)?
        } else {
            Bytes::new()
        };
        Ok(Self {
            storage,
            file: Arc::new(file),
            rest: range.start + first.len() as u64..range.end,
            first,
        })
    }

    /// Begins with a range of a temporary file of this server.
    #[must_use]
    pub fn of_temporary(file: Arc<File>, range: Range<u64>) -> Self {
        Self {
            storage: "temporary files",
            file,
            first: Bytes::new(),
            rest: range,
        }
    }

    /// Returns whether all of it has been read or sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_empty() && self.rest.is_empty()
    }

    /// Splits off the next piece without reading it, if the kernel has it in memory. Such a piece is for
    /// [`Self::send_some`].
    pub fn split_cached(&mut self) -> Option<Self> {
        if !self.first.is_empty() || self.rest.is_empty() {
            return None;
        }
        let end = self.rest.end.min(self.rest.start + SENT);
        let range = self.rest.start..end;
        Reading::has_in_memory(&self.file, &range).then(|| {
            self.rest.start = end;
            Self {
                storage: self.storage,
                file: Arc::clone(&self.file),
                first: Bytes::new(),
                rest: range,
            }
        })
    }

    /// Sends as much as a socket takes in one call. The inner error is the socket's, which may accept more later
    /// (`WouldBlock`).
    ///
    /// # Errors
    /// The file cannot be read, or has become shorter.
    pub fn send_some(&mut self, socket: impl AsFd) -> Result<io::Result<()>, StorageError> {
        match self.send(socket) {
            Ok(()) => Ok(Ok(())),
            Err(error) if is_of_file(&error) => Err(self.failure(&error)),
            Err(error) => Ok(Err(error)),
        }
    }

    fn send(&mut self, socket: impl AsFd) -> io::Result<()> {
        if !self.first.is_empty() {
            let write = || rustix::io::write(&socket, &self.first);
            let written = rustix::io::retry_on_intr(write)?;
            drop(self.first.split_to(written));
            return Ok(());
        }
        let sent = sendfile::send(socket, &self.file, &self.rest)?;
        if sent == 0 && !self.rest.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.rest.start += sent as u64;
        Ok(())
    }

    /// Reads the next piece; `None` is the end.
    ///
    /// # Errors
    /// The file cannot be read, or has become shorter.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StorageError> {
        if !self.first.is_empty() {
            return Ok(Some(std::mem::take(&mut self.first)));
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        let piece = if let Ok(piece) = read_piece(&self.file, &self.rest, Reading::AtOnce) {
            piece
        } else {
            let (file, rest) = (Arc::clone(&self.file), self.rest.clone());
            blocking::run(move || read_piece(&file, &rest, Reading::Waiting))
                .await
                .map_err(|error| self.failure(&error))?
        };
        self.rest.start += piece.len() as u64;
        Ok(Some(piece))
    }

    /// Reads all pieces, each only when it is asked for.
    pub(super) fn into_stream(self) -> ObjectStream {
        let pieces = stream::try_unfold(self, async |mut part| {
            Ok(part.next().await?.map(|piece| (piece, part)))
        });
        pieces.boxed()
    }

    fn failure(&self, error: &io::Error) -> StorageError {
        StorageError::from_io(self.storage, error)
    }
}

/// Distinguishes errors of the file from those of the socket.
fn is_of_file(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
        || error.raw_os_error() == Some(Errno::IO.raw_os_error())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    const LENGTH: u64 = 3 * SENT + 7;

    fn file() -> (File, Vec<u8>) {
        let bytes: Vec<u8> = (0..LENGTH).map(|at| (at % 251) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        (file, bytes)
    }

    fn open(file: &File, range: Range<u64>) -> FilePart {
        FilePart::new("disk", file.try_clone().unwrap(), range, Reading::AtOnce).unwrap()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_in_memory_is_sent_without_being_read() {
        let (file, bytes) = file();
        let mut part = open(&file, 5..LENGTH);
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let reading = std::thread::spawn(move || {
            let mut got = Vec::new();
            theirs.read_to_end(&mut got).unwrap();
            got
        });
        let mut pieces = 0;
        while let Some(mut piece) = part.split_cached() {
            pieces += 1;
            while !piece.is_empty() {
                piece.send_some(&mut ours).unwrap().unwrap();
            }
        }
        drop(ours);
        assert_eq!(pieces, 4);
        assert_eq!(reading.join().unwrap(), &bytes[5..]);
    }

    #[tokio::test]
    async fn a_short_range_is_read_when_it_is_opened() {
        let (file, bytes) = file();
        let mut part = open(&file, 2..2 + READ as u64);
        file.set_len(0).unwrap();
        assert!(part.split_cached().is_none());
        assert!(!part.is_empty());
        let read = part.next().await.unwrap();
        assert_eq!(read.as_deref(), Some(&bytes[2..2 + READ]));
        assert_eq!(part.next().await.unwrap(), None);
    }

    #[test]
    fn bytes_that_have_been_read_are_sent_too() {
        let (file, bytes) = file();
        let mut part = open(&file, 2..9);
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        while !part.is_empty() {
            part.send_some(&ours).unwrap().unwrap();
        }
        drop(ours);
        let mut got = Vec::new();
        theirs.read_to_end(&mut got).unwrap();
        assert_eq!(got, &bytes[2..9]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_socket_that_is_full_is_told_from_a_file_that_ends() {
        let (file, _) = file();
        let (ours, _theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let mut piece = open(&file, 0..LENGTH).split_cached().unwrap();
        let full = loop {
            if let Err(error) = piece.send_some(&ours).unwrap() {
                break error;
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        file.set_len(1).unwrap();
        let (ours, _theirs) = UnixStream::pair().unwrap();
        piece.send_some(&ours).unwrap_err();
    }

    #[tokio::test]
    async fn a_file_that_has_become_shorter_is_an_error() {
        let (file, _) = file();
        let mut part = open(&file, 0..LENGTH);
        file.set_len(SENT).unwrap();
        part.next().await.unwrap();
        assert!(part.split_cached().is_none());
        while let Ok(piece) = part.next().await {
            assert!(piece.is_some(), "it must not end well");
        }
    }
}
