//! Directories that survive a power cut.
//!
//! A synced file can still vanish with its name: the name belongs to the directory, and the directory's own name to its
//! parent. Code that promises durability syncs them too.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

/// Creates a directory and its parents, each durable before anything is put into it. The path is absolute.
///
/// # Errors
/// A directory cannot be created or synced, or a file is in the way.
pub fn make(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let parent = directory.parent().ok_or(ErrorKind::NotADirectory)?;
    make(parent)?;
    match fs::create_dir(directory) {
        // Another thread or process may have created it meanwhile.
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => sync(parent),
    }
}

/// Makes the names in a directory durable.
///
/// # Errors
/// The directory cannot be opened or synced.
pub fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_made_once_and_files_are_in_the_way() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("a/b/c");
        make(&directory).unwrap();
        make(&directory).unwrap();
        assert!(directory.is_dir());
        fs::write(directory.join("file"), "").unwrap();
        assert!(make(&directory.join("file/d")).is_err());
    }
}
