//! Folders that survive a power cut.
//!
//! A file that was synced can still vanish with its name: the name is a part of the folder, and the folder's own name
//! a part of the one above. Whoever promises durability syncs them too.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

/// Makes a folder and those above it, each durable before something is put into it. The path is absolute.
///
/// # Errors
/// A folder cannot be made or synced, or a file is in the way.
pub fn make(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().ok_or(ErrorKind::NotADirectory)?;
    make(parent)?;
    match fs::create_dir(folder) {
        // Somebody else may have made it meanwhile.
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => sync(parent),
    }
}

/// Makes durable which names a folder holds.
///
/// # Errors
/// The folder cannot be opened or synced.
pub fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_made_once_and_files_are_in_the_way() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b/c");
        make(&folder).unwrap();
        make(&folder).unwrap();
        assert!(folder.is_dir());
        fs::write(folder.join("file"), "").unwrap();
        assert!(make(&folder.join("file/d")).is_err());
    }
}
