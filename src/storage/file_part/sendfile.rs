//! Copying from a file to a socket, in the kernel where it can.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;

use super::reading::{Reading, read_piece};

/// Lets the kernel copy the beginning of a range to a socket, and returns how many bytes it copied. Where the kernel
/// cannot, they are copied here: not every file system has the call, nor every sandbox.
#[cfg(target_os = "linux")]
pub(super) fn send(socket: impl AsFd, file: &File, range: &Range<u64>) -> io::Result<usize> {
    use rustix::io::Errno;
    let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
    let mut offset = range.start;
    let by_kernel = || rustix::fs::sendfile(&socket, file, Some(&mut offset), length);
    match rustix::io::retry_on_intr(by_kernel) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => copy(socket, file, range),
        sent => Ok(sent?),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn send(socket: impl AsFd, file: &File, range: &Range<u64>) -> io::Result<usize> {
    copy(socket, file, range)
}

/// Copies the beginning of a range to a socket, and returns how many bytes that were.
fn copy(socket: impl AsFd, file: &File, range: &Range<u64>) -> io::Result<usize> {
    let piece = read_piece(file, range, Reading::Waiting)?;
    let write = || rustix::io::write(&socket, &piece);
    Ok(rustix::io::retry_on_intr(write)?)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn bytes_that_the_kernel_cannot_send_are_copied() {
        let bytes: Vec<u8> = (0..200_000).map(|at: u32| at.to_le_bytes()[0]).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let length = bytes.len() as u64;
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let sent = copy(&ours, &file, &(5..length)).unwrap();
        drop(ours);
        let mut got = Vec::new();
        theirs.read_to_end(&mut got).unwrap();
        assert!(sent > 0);
        assert_eq!(got, &bytes[5..5 + sent]);
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let ended = copy(&ours, &file, &(length - 1..length + 1)).unwrap_err();
        assert_eq!(ended.kind(), io::ErrorKind::UnexpectedEof);
    }
}
