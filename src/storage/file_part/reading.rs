//! Opening and reading files, with or without waiting for the disk.
//!
//! Sending a call to another thread and back takes longer than reading from memory, and most of what is downloaded has
//! been downloaded just before. Linux can be asked for what it has in memory alone: `RESOLVE_CACHED` of openat2(2),
//! since Linux 5.12, and `RWF_NOWAIT` of preadv2(2). If such a call fails, for whatever reason, the caller repeats
//! it on a thread that may wait. Other systems cannot be asked, so there every such call fails.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use bytes::Bytes;
use rustix::fs::OFlags;

/// How much is read at a time, in bytes: a buffer of twice this size would be mapped and unmapped by the system.
pub(super) const READ: usize = 64 * 1024;

/// The distance between the bytes that are probed to find out whether a range is in memory.
const PROBED: usize = 128 * 1024;

/// How a file is opened and read.
#[derive(Clone, Copy, Debug)]
pub(in crate::storage) enum Reading {
    /// Only what comes without waiting for the disk.
    AtOnce,
    /// Everything.
    Waiting,
}

impl Reading {
    /// Returns whether an error is final. A non-blocking call that fails proves nothing.
    pub(in crate::storage) fn waits(self) -> bool {
        matches!(self, Self::Waiting)
    }

    /// Opens a file; never follows a link, nor waits for the other end of a pipe.
    pub(in crate::storage) fn open(self, path: &Path) -> io::Result<File> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        match self {
            Self::AtOnce => open_at_once(path, flags),
            Self::Waiting => {
                let flags = flags.bits().cast_signed();
                File::options().custom_flags(flags).read(true).open(path)
            }
        }
    }

    /// Returns whether the kernel has a range in memory, which must not be empty. The kernel reads and drops many pages
    /// at a time, so a few probes stand for all of them.
    pub(super) fn has_in_memory(file: &File, range: &Range<u64>) -> bool {
        let last = range.end - 1;
        let mut probes = (range.start..last).step_by(PROBED).chain([last]);
        probes.all(|at| Self::AtOnce.read_exact(file, &mut [0], at).is_ok())
    }

    /// Fills the buffer with the bytes from `offset` on.
    pub(in crate::storage) fn read_exact(
        self,
        file: &File,
        buffer: &mut [u8],
        offset: u64,
    ) -> io::Result<()> {
        match self {
            Self::AtOnce => read_exact_at_once(file, buffer, offset),
            Self::Waiting => file.read_exact_at(buffer, offset),
        }
    }
}

/// Opens a file for reading, if its path is in memory.
#[cfg(target_os = "linux")]
fn open_at_once(path: &Path, flags: OFlags) -> io::Result<File> {
    use rustix::fs::{CWD, Mode, ResolveFlags, openat2};
    let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC;
    let file = openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED)?;
    Ok(file.into())
}

/// Fills the buffer with the bytes from `offset` on, if all of them are in memory.
#[cfg(target_os = "linux")]
fn read_exact_at_once(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    use rustix::io::{ReadWriteFlags, preadv2};
    while !buffer.is_empty() {
        let pieces = &mut [io::IoSliceMut::new(buffer)];
        let length = preadv2(file, pieces, offset, ReadWriteFlags::NOWAIT)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer = &mut buffer[length..];
        offset += length as u64;
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn open_at_once(_: &Path, _: OFlags) -> io::Result<File> {
    Err(io::ErrorKind::WouldBlock.into())
}

#[cfg(not(target_os = "linux"))]
fn read_exact_at_once(_: &File, _: &mut [u8], _: u64) -> io::Result<()> {
    Err(io::ErrorKind::WouldBlock.into())
}

/// Reads the beginning of a range, or all of it.
pub(super) fn read_piece(file: &File, range: &Range<u64>, reading: Reading) -> io::Result<Bytes> {
    let length = range.end.saturating_sub(range.start);
    let mut piece = vec![0; usize::try_from(length).unwrap_or(usize::MAX).min(READ)];
    reading.read_exact(file, &mut piece, range.start)?;
    Ok(piece.into())
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_was_just_written_comes_at_once_and_nothing_else_does() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"0123456789").unwrap();
        let opened = Reading::AtOnce.open(file.path()).unwrap();
        let mut buffer = [0; 4];
        Reading::AtOnce.read_exact(&opened, &mut buffer, 3).unwrap();
        assert_eq!(&buffer, b"3456");
        let error = Reading::AtOnce.read_exact(&opened, &mut buffer, 8);
        let error = error.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(Reading::AtOnce.open(&file.path().join("x")).is_err());
    }
}
