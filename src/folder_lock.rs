//! The locks of folders that belong to one process each.
//!
//! A process holds a lock on the file [`NAME`] in its folder. The kernel frees the lock when the process ends, even if
//! it is killed. The folder above has such a file too: a process locks it while it makes its own folder, so that no
//! other process takes a folder that is made but not locked yet for an abandoned one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The name of the file that is locked.
pub const NAME: &str = "lock";

/// Opens the file to lock in a folder, and makes it with mode 0600 if need be.
///
/// # Errors
/// The folder is not there or cannot be written to.
pub fn open(folder: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(folder.join(NAME))
}

/// Returns whether this is the folder of a process that has ended: its lock is free, or the lock file is gone, because
/// a process was killed while it removed the folder. A lock that cannot be tried may belong to a living process.
#[must_use]
pub fn is_abandoned(folder: &Path) -> bool {
    if !fs::symlink_metadata(folder).is_ok_and(|attributes| attributes.is_dir()) {
        return false;
    }
    match File::open(folder.join(NAME)) {
        Ok(lock) => lock.try_lock().is_ok(),
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}
