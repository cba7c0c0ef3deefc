//! Objects as files of one directory.
//!
//! A file is the object's bytes, then its metadata as JSON, then a trailer of 16 bytes that says how long the
//! metadata are. Bytes and metadata thus appear and change in one rename, and a reader that has the file open keeps
//! the version that it began with. Writing: temporary file, fsync, rename, fsync of the directory and of every
//! directory just made; what has been acknowledged survives a power cut.
//!
//! What is read is read at once if the kernel has it in memory, and else on a thread where waiting does no harm.
//!
//! Folders may be symbolic links, of an operator who keeps some on another disk; objects may not, so that no link that
//! somebody planted shows a file from elsewhere.

mod footer;
mod object_file;
mod reading;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use rustix::io::Errno;

use super::{
    Address, Fetched, ObjectBytes, ObjectInfo, ObjectMeta, Payload, Storage, StorageError,
};
use crate::blocking;
use crate::durable_dirs;
use crate::scratch::Scratch;
use footer::{Footer, ReadError, footer, read_info};
use reading::Reading;

pub use object_file::{CachedPiece, ObjectFile, SendError};

const NAME: &str = "disk";

/// The folder of objects that are being written. No symbol is ever called that, whatever the prefix: `#` is in no name.
const INCOMING: &str = "#incoming";

/// How much is written at a time, in bytes.
const WRITTEN: usize = 256 * 1024;

/// A directory that holds objects.
#[derive(Clone, Debug)]
pub struct DiskStorage {
    root: Arc<Path>,
    location: Arc<str>,
    /// Where new objects are written first; `None` in a directory that is only read.
    scratch: Option<Arc<Scratch>>,
}

impl DiskStorage {
    /// Opens a directory, making it if need be, and removes what killed processes left half written.
    ///
    /// # Errors
    /// The directory cannot be made or written to.
    pub fn open(root: &Path) -> Result<Self, StorageError> {
        let open = || {
            fs::create_dir_all(root)?;
            let scratch = Scratch::open(&root.join(INCOMING))?;
            Self::at(root, Some(Arc::new(scratch)))
        };
        open().map_err(|error| cannot_open(root, &error))
    }

    /// Opens a directory that is there already, for reading only.
    ///
    /// # Errors
    /// There is no such directory.
    pub fn open_for_reading(root: &Path) -> Result<Self, StorageError> {
        Self::at(root, None).map_err(|error| cannot_open(root, &error))
    }

    fn at(root: &Path, scratch: Option<Arc<Scratch>>) -> io::Result<Self> {
        let root = root.canonicalize()?;
        fs::read_dir(&root)?;
        Ok(Self {
            location: root.to_string_lossy().into(),
            root: root.into(),
            scratch,
        })
    }

    fn scratch(&self) -> io::Result<&Scratch> {
        let scratch = self.scratch.as_deref();
        scratch.ok_or_else(|| io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "it is only read"))
    }

    fn file_path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn write(&self, path: &str, payload: &Payload, meta: ObjectMeta) -> io::Result<()> {
        let target = self.file_path(path);
        let folder = target.parent().ok_or(io::ErrorKind::InvalidInput)?;
        durable_dirs::make(folder)?;
        let file = self.scratch()?.named_file()?;
        let mut writer = BufWriter::with_capacity(WRITTEN, file.as_file());
        let stored_size = io::copy(&mut payload.reader(), &mut writer)?;
        writer.write_all(&footer(&Footer { stored_size, meta })?)?;
        writer.flush()?;
        drop(writer);
        file.as_file().sync_all()?;
        file.persist(&target).map_err(|error| error.error)?;
        durable_dirs::sync(folder)
    }

    /// Makes sure that the storage itself is there: on a disk that is not mounted everything would look absent.
    fn check_root(&self) -> io::Result<()> {
        let sign = match self.scratch {
            Some(_) => self.root.join(INCOMING),
            None => self.root.to_path_buf(),
        };
        fs::metadata(&sign).map(drop).map_err(|error| {
            let told = format!(
                "{} has gone, is its disk mounted? ({error})",
                sign.display()
            );
            io::Error::new(error.kind(), told)
        })
    }

    /// Removes a file. Folders stay: another writer may be about to use them.
    fn remove(&self, path: &str) -> io::Result<()> {
        self.scratch()?;
        let target = self.file_path(path);
        match fs::remove_file(&target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.check_root(),
            Err(error) => Err(error),
            Ok(()) => durable_dirs::sync(target.parent().ok_or(io::ErrorKind::InvalidInput)?),
        }
    }

    fn open_object(
        &self,
        path: &str,
        reading: Reading,
    ) -> Result<Option<(File, ObjectInfo)>, ReadError> {
        let file = match reading.open(&self.file_path(path)) {
            Ok(file) => file,
            Err(error) if reading.waits() && error.kind() == io::ErrorKind::NotFound => {
                self.check_root()?;
                return Ok(None);
            }
            Err(error) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
                return Err(ReadError::Damaged("it is a symbolic link".to_owned()));
            }
            Err(error) => return Err(error.into()),
        };
        let info = read_info(&file, reading)?;
        Ok(Some((file, info)))
    }

    /// Opens an object for reading.
    fn open_range(
        &self,
        path: &str,
        range: Option<Range<u64>>,
        reading: Reading,
    ) -> Result<Option<Fetched>, ReadError> {
        let Some((file, info)) = self.open_object(path, reading)? else {
            return Ok(None);
        };
        let size = info.stored_size;
        let range = range.map_or(0..size, |range| range.start.min(size)..range.end.min(size));
        let file = ObjectFile::new(file, range.clone(), reading)?;
        Ok(Some(Fetched {
            info,
            range,
            bytes: ObjectBytes::File(file),
        }))
    }

    async fn read_blocking<T: Send + 'static>(
        &self,
        path: &str,
        read: impl FnOnce(&Self, &str) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let (storage, owned_path) = (self.clone(), path.to_owned());
        let opened = blocking::run(move || match read(&storage, &owned_path) {
            Ok(object) => Ok(Ok(object)),
            Err(ReadError::Damaged(reason)) => Ok(Err(reason)),
            Err(ReadError::Io(error)) => Err(error),
        })
        .await;
        opened
            .map_err(|error| StorageError::from_io(NAME, &error))?
            .map_err(|reason| StorageError::Corrupt {
                storage: NAME.to_owned(),
                path: path.to_owned(),
                reason,
            })
    }
}

#[async_trait]
impl Storage for DiskStorage {
    fn name(&self) -> &str {
        NAME
    }

    fn location(&self) -> &str {
        &self.location
    }

    async fn head(&self, path: &str) -> Result<Option<ObjectInfo>, StorageError> {
        let open = |storage: &Self, path: &str| storage.open_object(path, Reading::Waiting);
        let opened = self.read_blocking(path, open).await?;
        Ok(opened.map(|(_, info)| info))
    }

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

    async fn fetch(
        &self,
        path: &str,
        range: Option<Range<u64>>,
    ) -> Result<Option<Fetched>, StorageError> {
        let at_once = self.open_range(path, range.clone(), Reading::AtOnce);
        if let Ok(Some(fetched)) = at_once {
            return Ok(Some(fetched));
        }
        // Why it does not come at once is told by who can wait for it.
        let open = |storage: &Self, path: &str| storage.open_range(path, range, Reading::Waiting);
        self.read_blocking(path, open).await
    }

    async fn delete(&self, path: &str) -> Result<(), StorageError> {
        let (storage, path) = (self.clone(), path.to_owned());
        let removed = blocking::run(move || storage.remove(&path)).await;
        removed.map_err(|error| StorageError::from_io(NAME, &error))
    }

    async fn address(&self, _path: &str) -> Result<Option<Address>, StorageError> {
        Ok(None)
    }

    async fn check(&self) -> Result<(), StorageError> {
        let storage = self.clone();
        let checked = blocking::run(move || match &storage.scratch {
            Some(scratch) => scratch.unnamed_file()?.write_all(b"alive"),
            None => fs::read_dir(&storage.root).map(drop),
        })
        .await;
        checked.map_err(|error| StorageError::from_io(NAME, &error))
    }
}

fn cannot_open(root: &Path, error: &io::Error) -> StorageError {
    StorageError::Unavailable {
        storage: NAME.to_owned(),
        reason: format!(
            "cannot open the directory {} (setting storage.directory): {error}",
            root.display()
        ),
    }
}
