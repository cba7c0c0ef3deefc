//! The directory in which a node keeps its symcaches.
//!
//! Below `data/symcache/` every process has a numbered folder of its own and holds the lock in it; a second process on
//! the same data takes the next number. Files are written under a temporary name and renamed, and never changed. Those
//! that were not used for longest are removed when all of them take more than they may. An open symcache stays mapped
//! all the same.
//!
//! At the start, temporary files, those of other versions and folders that no process holds are removed. No file is
//! synced: after a power cut, checksums tell what is whole.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

use super::file::VERSIONS;
use crate::durable_dirs;
use crate::folder_lock;
use crate::metrics::Metrics;

/// How many processes may share a data directory.
const PROCESSES: u32 = 64;

/// The folder of files that are being written.
const INCOMING: &str = "incoming";

/// A node's symcaches.
#[derive(Debug)]
pub(super) struct NodeDirectory {
    files: PathBuf,
    incoming: PathBuf,
    largest_total: u64,
    uses: Mutex<Uses>,
    metrics: Metrics,
    _lock: File,
}

/// The files, and in which order they were used.
#[derive(Debug, Default)]
struct Uses {
    files: HashMap<String, KeptFile>,
    by_use: BTreeMap<u64, String>,
    total: u64,
    next_use: u64,
}

#[derive(Clone, Copy, Debug)]
struct KeptFile {
    bytes: u64,
    last_use: u64,
}

impl NodeDirectory {
    /// Takes a folder below `root` and cleans up.
    ///
    /// # Errors
    /// The folder cannot be made or written to.
    pub(super) fn open(root: &Path, largest_total: u64, metrics: Metrics) -> io::Result<Self> {
        durable_dirs::make(root)?;
        let (folder, lock) = take_folder(root)?;
        let (files, incoming) = (folder.join(VERSIONS), folder.join(INCOMING));
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_name() != VERSIONS && entry.file_name() != folder_lock::NAME {
                remove(&entry.path());
            }
        }
        durable_dirs::make(&files)?;
        durable_dirs::make(&incoming)?;
        let directory = Self {
            uses: Mutex::new(Uses::read(&files)?),
            files,
            incoming,
            largest_total,
            metrics,
            _lock: lock,
        };
        directory.make_room();
        Ok(directory)
    }

    /// Makes a file that [`Self::keep`] takes. It is removed if dropped before that.
    ///
    /// # Errors
    /// The disk is full, or the directory has become unwritable.
    pub(super) fn temporary(&self) -> io::Result<NamedTempFile> {
        NamedTempFile::new_in(&self.incoming)
    }

    /// Opens the file of this name, if it is there.
    pub(super) fn file(&self, name: &str) -> Option<File> {
        if !self.uses().touch(name) {
            return None;
        }
        let file = File::open(self.files.join(name)).ok();
        if file.is_none() {
            // Someone has removed it.
            self.uses().forget(name);
        }
        file
    }

    /// Opens the file of this name, which does not count as a use.
    pub(super) fn peek(&self, name: &str) -> Option<File> {
        File::open(self.files.join(name)).ok()
    }

    /// Keeps a file under a name, and returns it. Others make room for it.
    ///
    /// # Errors
    /// It cannot be renamed.
    pub(super) fn keep(&self, name: &str, file: NamedTempFile) -> io::Result<File> {
        let bytes = file.as_file().metadata()?.len();
        let file = file.persist(self.files.join(name));
        let file = file.map_err(|error| error.error)?;
        self.uses().add(name, bytes);
        self.make_room();
        Ok(file)
    }

    /// Removes a file.
    pub(super) fn remove(&self, name: &str) {
        self.uses().forget(name);
        remove(&self.files.join(name));
        self.show();
    }

    /// Removes files until the others take no more than they may.
    fn make_room(&self) {
        while let Some(name) = self.uses().oldest_above(self.largest_total) {
            remove(&self.files.join(name));
            self.metrics.symcache_evictions.inc();
        }
        self.show();
    }

    fn show(&self) {
        let uses = self.uses();
        let gauge = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.metrics.symcache_disk_bytes.set(gauge(uses.total));
        self.metrics
            .symcache_disk_files
            .set(gauge(uses.files.len() as u64));
    }

    /// A panic elsewhere leaves the list as good as it was: at worst, a file is not known and made again.
    fn uses(&self) -> MutexGuard<'_, Uses> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Uses {
    /// The files of a folder, the one that was written last being the one used last.
    fn read(folder: &Path) -> io::Result<Self> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            match (entry.file_name().into_string(), entry.metadata()?) {
                (Ok(name), meta) if meta.is_file() => {
                    found.push((meta.modified()?, name, meta.len()));
                }
                _ => remove(&entry.path()),
            }
        }
        found.sort();
        let mut uses = Self::default();
        for (_, name, bytes) in found {
            uses.add(&name, bytes);
        }
        Ok(uses)
    }

    fn add(&mut self, name: &str, bytes: u64) {
        self.forget(name);
        let last_use = self.next_use;
        self.next_use += 1;
        self.by_use.insert(last_use, name.to_owned());
        self.files
            .insert(name.to_owned(), KeptFile { bytes, last_use });
        self.total += bytes;
    }

    /// Notes that a file is used, and returns whether it is known.
    fn touch(&mut self, name: &str) -> bool {
        let Some(KeptFile { bytes, .. }) = self.files.get(name).copied() else {
            return false;
        };
        self.add(name, bytes);
        true
    }

    fn forget(&mut self, name: &str) {
        if let Some(KeptFile { bytes, last_use }) = self.files.remove(name) {
            self.by_use.remove(&last_use);
            self.total -= bytes;
        }
    }

    /// Takes the file that was not used for longest off the list, if all take more than `largest` bytes.
    fn oldest_above(&mut self, largest: u64) -> Option<String> {
        if self.total <= largest {
            return None;
        }
        let name = self.by_use.first_key_value()?.1.clone();
        self.forget(&name);
        Some(name)
    }
}

/// The first folder that no living process holds, with its lock. Abandoned folders with higher numbers are removed.
fn take_folder(root: &Path) -> io::Result<(PathBuf, File)> {
    // One process at a time, so that none removes a folder that is made but not locked yet.
    let turn = folder_lock::open(root)?;
    turn.lock()?;
    let mut taken = None;
    for number in 0..PROCESSES {
        let folder = root.join(number.to_string());
        if taken.is_none() {
            durable_dirs::make(&folder)?;
            let lock = folder_lock::open(&folder)?;
            if lock.try_lock().is_ok() {
                taken = Some((folder, lock));
            }
        } else if folder_lock::is_abandoned(&folder) {
            remove(&folder);
        }
    }
    taken.ok_or_else(|| io::Error::other("too many processes use it"))
}

/// Removes a file or a folder. What cannot be removed is left for the next start.
fn remove(path: &Path) {
    let removed = if path.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => tracing::warn!(
            event = "symcache_left",
            path = %path.display(),
            %error,
            "could not remove a symcache"
        ),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
