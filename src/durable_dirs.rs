//! Names that survive a power cut, and directories that only the server's user may enter.
//!
//! A synced file can still vanish with its name: the name belongs to the directory, and the directory's own name to its
//! parent. Code that promises durability syncs them too. A name that exists is not always durable: the thread or
//! process that made it may not have synced the directory yet, or may have been killed before it could.

use std::fmt::{self, Debug, Formatter};
use std::fs::{self, DirBuilder, File, Metadata};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{self, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The mode of directories. What lies in them has mode 0600.
const OWNER_ONLY: u32 = 0o700;

/// How many names are remembered, at 8 bytes each. The table is direct-mapped: two names that share a slot are synced
/// more often than necessary, and nothing else.
const KNOWN: usize = 1 << 16;

/// Creates a directory and its parents with mode 0700, each durable before anything is put into it. One that is there
/// already is made durable, too, unless this process may not sync its parent.
///
/// # Errors
/// A directory cannot be created or synced, or a file is in the way.
pub fn make(directory: &Path) -> io::Result<()> {
    make_absolute(&path::absolute(directory)?)
}

fn make_absolute(directory: &Path) -> io::Result<()> {
    let Some(parent) = directory.parent() else {
        return Ok(());
    };
    if directory.is_dir() {
        return match sync(parent) {
            Err(error) if is_refused(error.kind()) => Ok(()),
            synced => synced,
        };
    }
    make_absolute(parent)?;
    create(directory)?;
    sync(parent)
}

/// Makes the names in a directory durable.
///
/// # Errors
/// The directory cannot be opened or synced.
pub fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Returns whether a directory cannot be synced by this process, or not at all, as on the read-only file system of a
/// container.
fn is_refused(error: ErrorKind) -> bool {
    matches!(
        error,
        ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::InvalidInput
            | ErrorKind::Unsupported
    )
}

/// Creates a directory with mode 0700; another thread or process may have done so meanwhile.
fn create(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(OWNER_ONLY).create(directory) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        created => created,
    }
}

/// Syncs a directory.
type Sync = dyn Fn(&Path) -> io::Result<()> + Send + std::marker::Sync;

/// The names below a directory, with a memory of those that are durable, so that each is synced once.
pub struct DurableNames {
    root: PathBuf,
    hasher: RandomState,
    known: Box<[AtomicU64]>,
    sync: Box<Sync>,
}

impl DurableNames {
    /// Begins with a directory whose own name is durable, and knows nothing of what is in it. Its path is absolute.
    #[must_use]
    pub fn below(root: &Path) -> Self {
        Self::with(root, sync)
    }

    /// As [`Self::below`], with another way to sync a directory.
    pub(crate) fn with(
        root: &Path,
        sync: impl Fn(&Path) -> io::Result<()> + Send + std::marker::Sync + 'static,
    ) -> Self {
        Self {
            root: root.to_owned(),
            hasher: RandomState::new(),
            known: (0..KNOWN).map(|_| AtomicU64::new(0)).collect(),
            sync: Box::new(sync),
        }
    }

    /// Makes sure that a directory below the root exists and that its name is durable.
    ///
    /// # Errors
    /// A directory cannot be created or synced, or a file is in the way.
    pub fn make(&self, directory: &Path) -> io::Result<()> {
        if directory == self.root {
            return Ok(());
        }
        if let Ok(attributes) = fs::metadata(directory)
            && attributes.is_dir()
            && self.knows(self.directory(directory, &attributes))
        {
            return Ok(());
        }
        let parent = directory.parent().ok_or(ErrorKind::NotADirectory)?;
        self.make(parent)?;
        create(directory)?;
        let attributes = fs::metadata(directory)?;
        (self.sync)(parent)?;
        self.learn(self.directory(directory, &attributes));
        Ok(())
    }

    /// Makes the name durable that a file has just been given; `attributes` are the file's.
    ///
    /// # Errors
    /// Its directory cannot be synced.
    pub fn sync_new(&self, file: &Path, attributes: &Metadata) -> io::Result<()> {
        (self.sync)(file.parent().ok_or(ErrorKind::NotADirectory)?)?;
        self.learn(self.file(file, attributes));
        Ok(())
    }

    /// Makes the name of an existing file durable, unless this process knows that it is.
    ///
    /// # Errors
    /// The file has gone, or its directory cannot be synced.
    pub fn sync_found(&self, file: &Path) -> io::Result<()> {
        let attributes = fs::symlink_metadata(file)?;
        if self.knows(self.file(file, &attributes)) {
            return Ok(());
        }
        self.make(file.parent().ok_or(ErrorKind::NotADirectory)?)?;
        self.sync_new(file, &attributes)
    }

    fn directory(&self, path: &Path, attributes: &Metadata) -> u64 {
        self.hasher.hash_one((path, attributes.ino()))
    }

    /// A file that is replaced has another number, time or size.
    fn file(&self, path: &Path, attributes: &Metadata) -> u64 {
        let modified = (attributes.mtime(), attributes.mtime_nsec());
        let facts = (attributes.ino(), attributes.len(), modified);
        self.hasher.hash_one((path, facts))
    }

    fn knows(&self, name: u64) -> bool {
        self.slot(name).load(Ordering::Acquire) == name
    }

    fn learn(&self, name: u64) {
        self.slot(name).store(name, Ordering::Release);
    }

    fn slot(&self, name: u64) -> &AtomicU64 {
        // The remainder fits, whatever the width of the pointer.
        &self.known[usize::try_from(name % KNOWN as u64).unwrap_or(0)]
    }
}

impl Debug for DurableNames {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut names = f.debug_struct("DurableNames");
        names.field("root", &self.root).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::{Arc, Mutex};

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
        let names = DurableNames::below(root.path());
        names.make(&directory).unwrap();
        assert!(names.make(&directory.join("file/d")).is_err());
    }

    /// Which directories were synced, and what was in each at that moment.
    type Synced = Arc<Mutex<Vec<(PathBuf, Vec<String>)>>>;

    fn recording(root: &Path) -> (DurableNames, Synced) {
        let synced = Synced::default();
        let (record, base) = (Arc::clone(&synced), root.to_owned());
        let names = DurableNames::with(root, move |directory| {
            let entries = fs::read_dir(directory)?;
            let entries = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let directory = directory.strip_prefix(&base).unwrap().to_owned();
            record.lock().unwrap().push((directory, entries.collect()));
            Ok(())
        });
        (names, synced)
    }

    fn taken(synced: &Synced) -> Vec<(PathBuf, Vec<String>)> {
        std::mem::take(&mut *synced.lock().unwrap())
    }

    fn step(directory: &str, entry: &str) -> (PathBuf, Vec<String>) {
        (PathBuf::from(directory), vec![entry.to_owned()])
    }

    #[test]
    fn a_directory_that_is_there_is_not_taken_for_a_durable_one() {
        let root = tempfile::tempdir().unwrap();
        // As a killed process leaves them, or one that is just about to sync them.
        fs::create_dir_all(root.path().join("v1/a/AB")).unwrap();
        let (names, synced) = recording(root.path());
        let directory = root.path().join("v1/a/AB");
        names.make(&directory).unwrap();
        let steps = [step("", "v1"), step("v1", "a"), step("v1/a", "AB")];
        assert_eq!(taken(&synced), steps, "from the top, each once it is there");
        names.make(&directory).unwrap();
        names.make(&root.path().join("v1/a")).unwrap();
        assert_eq!(taken(&synced), [], "known");
        fs::remove_dir(&directory).unwrap();
        names.make(&directory).unwrap();
        assert_eq!(taken(&synced), [step("v1/a", "AB")], "made again");
    }

    #[test]
    fn a_file_that_others_made_is_synced_once_and_each_of_its_successors() {
        let root = tempfile::tempdir().unwrap();
        let (names, synced) = recording(root.path());
        let file = root.path().join("v1/a.sym");
        fs::create_dir(root.path().join("v1")).unwrap();
        fs::write(&file, "first").unwrap();
        names.sync_found(&file).unwrap();
        let steps = [step("", "v1"), step("v1", "a.sym")];
        assert_eq!(taken(&synced), steps);
        names.sync_found(&file).unwrap();
        assert_eq!(taken(&synced), [], "known");
        let next = root.path().join("next");
        fs::write(&next, "second").unwrap();
        fs::rename(&next, &file).unwrap();
        names.sync_found(&file).unwrap();
        assert_eq!(taken(&synced), [step("v1", "a.sym")], "another file");
        fs::remove_file(&file).unwrap();
        assert!(names.sync_found(&file).is_err());
    }

    #[test]
    fn what_cannot_be_synced_is_not_known() {
        let root = tempfile::tempdir().unwrap();
        let names = DurableNames::with(root.path(), |_| Err(ErrorKind::StorageFull.into()));
        let directory = root.path().join("v1");
        for _ in 0..2 {
            assert!(names.make(&directory).is_err());
        }
        let file = root.path().join("a.sym");
        fs::write(&file, "text").unwrap();
        for _ in 0..2 {
            assert!(names.sync_found(&file).is_err());
        }
    }
}
