//! The bytes of an object's file, on their way out.
//!
//! They are read a piece at a time, each only when it is asked for. What the kernel has in memory need not be read at
//! all to be sent to a client: the kernel copies it to the socket itself, with sendfile(2). That call waits for the
//! disk where it has to, and cannot be asked not to; so it is made only for what was found in memory just before.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use rustix::io::Errno;

use super::NAME;
use super::reading::Reading;
use crate::blocking;
use crate::storage::{ObjectStream, StorageError};

/// How much is read at a time, in bytes: a buffer of twice this size would be mapped and unmapped by the system.
const READ: usize = 64 * 1024;

/// How much the kernel is told to send at a time, in bytes. Other connections of the same thread have their turn in
/// between.
const SENT: u64 = 512 * 1024;

/// A file that is being read.
#[derive(Debug)]
pub struct ObjectFile {
    file: Arc<File>,
    /// What has been read already and comes first.
    first: Bytes,
    /// What follows that.
    rest: Range<u64>,
}

impl ObjectFile {
    /// Begins with a range of a file, and reads it at once if that takes no second call, or waiting is allowed.
    pub(super) fn new(file: File, range: Range<u64>, reading: Reading) -> io::Result<Self> {
        let is_short = range.end.saturating_sub(range.start) <= READ as u64;
        let first = if is_short || reading.waits() {
            read_piece(&file, &range, reading)?
        } else {
            Bytes::new()
        };
        Ok(Self {
            file: Arc::new(file),
            rest: range.start + first.len() as u64..range.end,
            first,
        })
    }

    /// Takes the next piece without reading it, if the kernel has it in memory.
    pub fn next_in_memory(&mut self) -> Option<CachedPiece> {
        if !self.first.is_empty() || self.rest.is_empty() {
            return None;
        }
        let end = self.rest.end.min(self.rest.start + SENT);
        let range = self.rest.start..end;
        Reading::has_in_memory(&self.file, &range).then(|| {
            self.rest.start = end;
            CachedPiece {
                file: Arc::clone(&self.file),
                range,
            }
        })
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
                .map_err(|error| StorageError::from_io(NAME, &error))?
        };
        self.rest.start += piece.len() as u64;
        Ok(Some(piece))
    }

    /// Reads all pieces, each only when it is asked for.
    pub(in crate::storage) fn into_stream(self) -> ObjectStream {
        let pieces = stream::try_unfold(self, async |mut file| {
            Ok(file.next().await?.map(|piece| (piece, file)))
        });
        pieces.boxed()
    }
}

/// A piece of a file that was in the kernel's memory when it was taken.
#[derive(Debug)]
pub struct CachedPiece {
    file: Arc<File>,
    /// What has not been sent yet.
    range: Range<u64>,
}

/// Why a piece could not be sent.
#[derive(Debug)]
pub enum SendError {
    /// The file cannot be read, or has become shorter.
    File(StorageError),
    /// The socket does not take it, perhaps only for now (`WouldBlock`).
    Socket(io::Error),
}

impl CachedPiece {
    /// Tells whether all of it has been sent.
    #[must_use]
    pub fn is_sent(&self) -> bool {
        self.range.is_empty()
    }

    /// Sends as much as a socket takes in one call.
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn send_some(&mut self, socket: impl AsFd) -> Result<(), SendError> {
        match send(socket, &self.file, &self.range) {
            Ok(0) => Err(of_file(&io::ErrorKind::UnexpectedEof.into())),
            Ok(sent) => {
                self.range.start += sent as u64;
                Ok(())
            }
            Err(error) if is_of_file(&error) => Err(of_file(&error)),
            Err(error) => Err(SendError::Socket(error)),
        }
    }
}

/// Tells what goes wrong with a file from what goes wrong with a socket.
fn is_of_file(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
        || error.raw_os_error() == Some(Errno::IO.raw_os_error())
}

fn of_file(error: &io::Error) -> SendError {
    SendError::File(StorageError::from_io(NAME, error))
}

/// Lets the kernel copy from a file to a socket, and tells how many bytes it copied. Where it cannot, they are copied here:
/// not every file system has the call, nor every sandbox.
#[cfg(target_os = "linux")]
fn send(socket: impl AsFd, file: &File, range: &Range<u64>) -> io::Result<usize> {
    let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
    let mut offset = range.start;
    let by_kernel = || rustix::fs::sendfile(&socket, file, Some(&mut offset), length);
    match rustix::io::retry_on_intr(by_kernel) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => copy(socket, file, range),
        sent => Ok(sent?),
    }
}

#[cfg(not(target_os = "linux"))]
fn send(socket: impl AsFd, file: &File, range: &Range<u64>) -> io::Result<usize> {
    copy(socket, file, range)
}

/// Copies the beginning of a range from a file to a socket, and tells how many bytes that were.
fn copy(socket: impl AsFd, file: &File, range: &Range<u64>) -> io::Result<usize> {
    let piece = read_piece(file, range, Reading::Waiting)?;
    let write = || rustix::io::write(&socket, &piece);
    Ok(rustix::io::retry_on_intr(write)?)
}

/// Reads the beginning of a range, or all of it.
fn read_piece(file: &File, range: &Range<u64>, reading: Reading) -> io::Result<Bytes> {
    let length = range.end.saturating_sub(range.start);
    let mut piece = vec![0; usize::try_from(length).unwrap_or(usize::MAX).min(READ)];
    reading.read_exact(file, &mut piece, range.start)?;
    Ok(piece.into())
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

    fn open(file: &File, range: Range<u64>) -> ObjectFile {
        ObjectFile::new(file.try_clone().unwrap(), range, Reading::AtOnce).unwrap()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_in_memory_is_sent_without_being_read() {
        let (file, bytes) = file();
        let mut object = open(&file, 5..LENGTH);
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let reading = std::thread::spawn(move || {
            let mut got = Vec::new();
            theirs.read_to_end(&mut got).unwrap();
            got
        });
        let mut pieces = 0;
        while let Some(mut piece) = object.next_in_memory() {
            pieces += 1;
            while !piece.is_sent() {
                piece.send_some(&mut ours).unwrap();
            }
        }
        drop(ours);
        assert_eq!(pieces, 4);
        assert_eq!(reading.join().unwrap(), &bytes[5..]);
    }

    #[test]
    fn what_the_kernel_cannot_send_is_copied() {
        let (file, bytes) = file();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let sent = copy(&ours, &file, &(5..LENGTH)).unwrap();
        drop(ours);
        let mut got = Vec::new();
        theirs.read_to_end(&mut got).unwrap();
        assert!(sent > 0);
        assert_eq!(got, &bytes[5..5 + sent]);
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let ended = copy(&ours, &file, &(LENGTH - 1..LENGTH + 1)).unwrap_err();
        assert_eq!(ended.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn a_short_range_is_read_when_it_is_opened() {
        let (file, bytes) = file();
        let mut object = open(&file, 2..2 + READ as u64);
        file.set_len(0).unwrap();
        assert!(object.next_in_memory().is_none());
        let read = object.next().await.unwrap();
        assert_eq!(read.as_deref(), Some(&bytes[2..2 + READ]));
        assert_eq!(object.next().await.unwrap(), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_socket_that_is_full_is_told_from_a_file_that_ends() {
        let (file, _) = file();
        let (ours, _theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let mut piece = open(&file, 0..LENGTH).next_in_memory().unwrap();
        let full = loop {
            if let Err(error) = piece.send_some(&ours) {
                break error;
            }
        };
        assert!(
            matches!(&full, SendError::Socket(error) if error.kind() == io::ErrorKind::WouldBlock)
        );
        file.set_len(1).unwrap();
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let ended = piece.send_some(&ours).unwrap_err();
        assert!(matches!(ended, SendError::File(_)), "{ended:?}");
    }

    #[tokio::test]
    async fn a_file_that_has_become_shorter_is_an_error() {
        let (file, _) = file();
        let mut object = open(&file, 0..LENGTH);
        file.set_len(SENT).unwrap();
        object.next().await.unwrap();
        assert!(object.next_in_memory().is_none());
        while let Ok(piece) = object.next().await {
            assert!(piece.is_some(), "it must not end well");
        }
    }
}
