//! Directories that survive a power cut, and that only the server's user may enter.
//!
//! A synced file can still vanish with its name: the name belongs to the directory, and the directory's own name to its
//! parent. Code that promises durability syncs them too.

use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{self, Path};

/// The mode of directories. What lies in them has mode 0600.
const OWNER_ONLY: u32 = 0o700;

/// Creates a directory and its parents with mode 0700, each durable before anything is put into it.
///
/// # Errors
/// A directory cannot be created or synced, or a file is in the way.
pub fn make(directory: &Path) -> io::Result<()> {
    make_absolute(&path::absolute(directory)?)
}

fn make_absolute(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let parent = directory.parent().ok_or(ErrorKind::NotADirectory)?;
    make_absolute(parent)?;
    match DirBuilder::new().mode(OWNER_ONLY).create(directory) {
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
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn directories_are_for_their_owner_alone() {
        let root = tempfile::tempdir().unwrap();
        make(&root.path().join("a/b")).unwrap();
        for made in ["a", "a/b"] {
            let mode = fs::metadata(root.path().join(made)).unwrap().permissions();
            assert_eq!(mode.mode() & 0o777, 0o700, "{made}");
        }
    }

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
