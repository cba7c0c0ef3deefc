//! Objects as files of one directory.
//!
//! A file is the object's bytes, then its metadata as JSON, then a trailer of 16 bytes with the length of the metadata.
//! Bytes and metadata thus appear and change in one rename, and a reader that has the file open keeps its version.
//! Writing: fsync of the parent of every directory that this process has not synced yet, temporary file, fsync, rename,
//! fsync of the directory; an acknowledged object survives a power cut. So does one that an upload skips because it is
//! there: its directory is synced unless this process has done so since the file was given its name.
//!
//! A [`DiskSource`] reads such a directory, and a [`DiskStorage`] also writes to it.
//!
//! Directories may be symbolic links, so that an operator can keep some on another disk; objects may not, so that a
//! planted link never shows a file from elsewhere.

mod config;
mod footer;
mod inventory;
mod source;
#[cfg(test)]
mod tests;

use std::fs;
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use super::error::StorageError;
use super::fetched::Fetched;
use super::object::{Address, ObjectInfo, ObjectMeta};
use super::payload::Payload;
use super::traits::{ObjectSource, Storage};
use crate::blocking;
use crate::durable_dirs::{self, DurableNames};
use crate::scratch::Scratch;
use footer::{Footer, footer};
use source::{NAME, cannot_open};

pub use config::DiskConfig;
pub use source::DiskSource;

/// The directory of objects that are being written. It cannot clash with a symbol, whatever the prefix: no name has a
/// `#`.
const INCOMING: &str = "#incoming";

/// How much is written at a time, in bytes.
const WRITTEN: usize = 256 * 1024;

/// A directory that holds objects.
#[derive(Clone, Debug)]
pub struct DiskStorage {
    source: DiskSource,
    /// Where new objects are written first.
    scratch: Arc<Scratch>,
    names: Arc<DurableNames>,
}

impl DiskStorage {
    /// Opens a directory, creating it if necessary, and removes half-written files of processes that were killed.
    ///
    /// # Errors
    /// The directory cannot be created or written to.
    pub fn open(root: &Path) -> Result<Self, StorageError> {
        Self::open_with(root, DurableNames::below)
    }

    fn open_with(
        root: &Path,
        names: impl FnOnce(&Path) -> DurableNames,
    ) -> Result<Self, StorageError> {
        let open = || {
            durable_dirs::make(root)?;
            let scratch = Scratch::open(&root.join(INCOMING))?;
            let source = DiskSource::at(root, Some(INCOMING))?;
            Ok(Self {
                names: Arc::new(names(source.root())),
                source,
                scratch: Arc::new(scratch),
            })
        };
        open().map_err(|error| cannot_open(root, &error))
    }

    fn write(&self, path: &str, payload: &Payload, meta: ObjectMeta) -> io::Result<()> {
        let target = self.source.file_path(path);
        let directory = target.parent().ok_or(io::ErrorKind::InvalidInput)?;
        self.names.make(directory)?;
        let file = self.scratch.named_file()?;
        let mut writer = BufWriter::with_capacity(WRITTEN, file.as_file());
        let stored_size = io::copy(&mut payload.reader(), &mut writer)?;
        writer.write_all(&footer(&Footer { stored_size, meta })?)?;
        writer.flush()?;
        drop(writer);
        file.as_file().sync_all()?;
        let attributes = file.as_file().metadata()?;
        set_folder_aside(&target)?;
        file.persist(&target).map_err(|error| error.error)?;
        self.names.sync_new(&target, &attributes)
    }

    /// Removes a file. Directories stay: another writer may be about to use them.
    fn remove(&self, path: &str) -> io::Result<()> {
        let target = self.source.file_path(path);
        match fs::remove_file(&target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.source.check_root(),
            Err(error) => Err(error),
            Ok(()) => durable_dirs::sync(target.parent().ok_or(io::ErrorKind::InvalidInput)?),
        }
    }
}

/// Makes way for an object where a folder lies in its place, which no rename replaces. A folder that is not empty is
/// kept under a name that no symbol has, since its files are of unknown origin.
fn set_folder_aside(target: &Path) -> io::Result<()> {
    let is_folder = fs::symlink_metadata(target).is_ok_and(|it| it.is_dir());
    if !is_folder || fs::remove_dir(target).is_ok() {
        return Ok(());
    }
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let mut aside = target.as_os_str().to_owned();
    aside.push(format!("#{}", hex::encode(random)));
    fs::rename(target, aside)
}

#[async_trait]
impl ObjectSource for DiskStorage {
    fn name(&self) -> &str {
        self.source.name()
    }

    fn location(&self) -> &str {
        self.source.location()
    }

    async fn head(&self, path: &str) -> Result<Option<ObjectInfo>, StorageError> {
        self.source.head_object(path).await
    }

    async fn fetch(
        &self,
        path: &str,
        range: Option<Range<u64>>,
    ) -> Result<Option<Fetched>, StorageError> {
        self.source.fetch_object(path, range).await
    }

    async fn address(&self, _path: &str) -> Result<Option<Address>, StorageError> {
        Ok(None)
    }

    /// Checks that the directory can be written to.
    async fn check(&self) -> Result<(), StorageError> {
        let scratch = Arc::clone(&self.scratch);
        let checked = blocking::run(move || scratch.unnamed_file()?.write_all(b"alive")).await;
        checked.map_err(|error| StorageError::from_io(NAME, &error))
    }
}

#[async_trait]
impl Storage for DiskStorage {
    async fn put(
        &self,
        path: &str,
        payload: Payload,
        meta: ObjectMeta,
    ) -> Result<(), StorageError> {
        let (storage, path) = (self.clone(), path.to_owned());
        let written = blocking::run(move || storage.write(&path, &payload, meta)).await;
        written.map_err(|error| StorageError::from_io(NAME, &error))
    }

    async fn make_durable(&self, path: &str) -> Result<(), StorageError> {
        let (names, file) = (Arc::clone(&self.names), self.source.file_path(path));
        let synced = blocking::run(move || names.sync_found(&file)).await;
        synced.map_err(|error| StorageError::from_io(NAME, &error))
    }

    async fn delete(&self, path: &str) -> Result<(), StorageError> {
        let (storage, path) = (self.clone(), path.to_owned());
        let removed = blocking::run(move || storage.remove(&path)).await;
        removed.map_err(|error| StorageError::from_io(NAME, &error))
    }
}
