//! Temporary files that never outlive their process.
//!
//! A [`Scratch`] is a directory of one process. Most files in it have no name and are gone when the process ends, even
//! if it is killed. A file that is renamed into place later needs a name, so it is made in the process's own folder.
//! The process holds a lock on the folder's `lock` file until it ends. A starting process removes the folders whose
//! lock is free or gone, and leaves those of running processes alone. Only the user of the process may enter the
//! folders and open the files.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use tempfile::{NamedTempFile, TempDir};

use crate::blocking;
use crate::durable_dirs;
use crate::folder_lock;

/// A directory for temporary files of this process.
#[derive(Debug)]
pub struct Scratch {
    name: String,
    abandoned: Vec<String>,
    // Dropped before the lock, so that no other process can take the folder while it is being removed.
    folder: TempDir,
    _lock: File,
}

impl Scratch {
    /// Makes this process's folder under `parent`, and removes those of dead processes.
    ///
    /// # Errors
    /// `parent` cannot be created or written to.
    pub fn open(parent: &Path) -> io::Result<Self> {
        durable_dirs::make(parent)?;
        // One process at a time, so that none sees a folder that is made but not locked yet.
        let turn = folder_lock::open(parent)?;
        turn.lock()?;
        let abandoned = remove_abandoned(parent)?;
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let name = hex::encode(random);
        let folder = tempfile::Builder::new()
            .prefix(&name)
            .rand_bytes(0)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(parent)?;
        let lock = folder_lock::open(folder.path())?;
        lock.try_lock()?;
        Ok(Self {
            name,
            abandoned,
            folder,
            _lock: lock,
        })
    }

    /// The name of this process's folder, which no other process has ever had.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of the dead processes whose folders were removed when this one was made.
    #[must_use]
    pub fn abandoned(&self) -> &[String] {
        &self.abandoned
    }

    /// Makes a file without a name, open for reading and writing, with blocking calls.
    ///
    /// # Errors
    /// The disk is full, or the directory has become unwritable.
    pub fn unnamed_file(&self) -> io::Result<File> {
        tempfile::tempfile_in(self.folder.path())
    }

    /// [`Self::unnamed_file`] for async code.
    ///
    /// # Errors
    /// The disk is full, or the directory has become unwritable.
    pub async fn unnamed(self: &Arc<Self>) -> io::Result<File> {
        let scratch = Arc::clone(self);
        blocking::run(move || scratch.unnamed_file()).await
    }

    /// Makes a file that can be renamed into place. It is removed if dropped before that.
    ///
    /// # Errors
    /// The disk is full, or the directory has become unwritable.
    pub fn named_file(&self) -> io::Result<NamedTempFile> {
        NamedTempFile::new_in(self.folder.path())
    }
}

/// Removes the folders of dead processes and returns their names. The caller has its turn, so no folder is just being
/// made.
fn remove_abandoned(parent: &Path) -> io::Result<Vec<String>> {
    let mut abandoned = Vec::new();
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if !folder_lock::is_abandoned(&entry.path()) {
            continue;
        }
        abandoned.push(entry.file_name().to_string_lossy().into_owned());
        match fs::remove_dir_all(entry.path()) {
            Err(error) if error.kind() != ErrorKind::NotFound => tracing::warn!(
                event = "scratch_left",
                path = %entry.path().display(),
                %error,
                "could not remove left-over temporary files"
            ),
            // A process that is ending removes its own.
            _ => {}
        }
    }
    Ok(abandoned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_the_living_stay_and_those_of_the_dead_go() {
        let parent = tempfile::tempdir().unwrap();
        let dead = parent.path().join("dead");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join("lock"), "").unwrap();
        fs::write(dead.join("half-written"), "x").unwrap();
        let living = Scratch::open(parent.path()).unwrap();
        let file = living.named_file().unwrap();
        let other = Scratch::open(parent.path()).unwrap();
        assert!(!dead.exists());
        assert_eq!(living.abandoned(), ["dead"]);
        assert_eq!(other.abandoned(), [""; 0]);
        assert_ne!(living.name(), other.name());
        assert!(parent.path().join(living.name()).is_dir());
        assert!(file.path().exists());
        drop(file);
        drop(living);
        drop(other);
        assert_eq!(
            fs::read_dir(parent.path()).unwrap().count(),
            1,
            "only the common lock"
        );
    }

    #[test]
    fn folders_without_a_lock_go_whatever_is_in_them_and_nothing_else_does() {
        let parent = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let path = |name: &str| parent.path().join(name);
        fs::create_dir(path("empty")).unwrap();
        fs::create_dir_all(path("full/deep")).unwrap();
        fs::write(path("full/half-written"), "x").unwrap();
        fs::write(path("file"), "not a folder").unwrap();
        fs::write(elsewhere.path().join("kept"), "x").unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), path("link")).unwrap();
        let living = Scratch::open(parent.path()).unwrap();
        let mut abandoned = living.abandoned().to_vec();
        abandoned.sort();
        assert_eq!(abandoned, ["empty", "full"]);
        assert!(!path("empty").exists() && !path("full").exists());
        assert!(path("file").exists());
        assert!(path("link/kept").exists());
    }

    #[test]
    fn a_lock_that_cannot_be_tried_may_be_a_living_ones() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("unknown");
        fs::create_dir(&folder).unwrap();
        // It leads to itself, so it can never be opened.
        std::os::unix::fs::symlink("lock", folder.join("lock")).unwrap();
        Scratch::open(parent.path()).unwrap();
        assert!(folder.exists());
    }

    #[test]
    fn unnamed_files_leave_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::open(parent.path()).unwrap();
        let _file = scratch.unnamed_file().unwrap();
        assert_eq!(
            fs::read_dir(scratch.folder.path()).unwrap().count(),
            1,
            "only the lock"
        );
    }
}
