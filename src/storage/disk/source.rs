//! Reading the objects of a directory.
//!
//! A read is done at once if the kernel has the bytes in memory, and otherwise on a thread that may wait for the disk.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use rustix::io::Errno;

use super::footer::{ReadError, read_info};
use crate::blocking;
use crate::storage::error::StorageError;
use crate::storage::fetched::{Fetched, ObjectBytes};
use crate::storage::file_part::FilePart;
use crate::storage::file_part::Reading;
use crate::storage::object::{Address, ObjectInfo};
use crate::storage::traits::ObjectSource;

/// The name of storages on disk.
pub(super) const NAME: &str = "disk";

/// A directory whose objects are read.
#[derive(Clone, Debug)]
pub struct DiskSource {
    root: Arc<Path>,
    location: Arc<str>,
    /// Exists for as long as the directory's disk is mounted.
    sign: Arc<Path>,
}

impl DiskSource {
    /// Opens an existing directory.
    ///
    /// # Errors
    /// There is no such directory.
    pub fn open(root: &Path) -> Result<Self, StorageError> {
        let source = Self::at(root, None);
        source.map_err(|error| cannot_open(root, &error))
    }

    /// Opens a directory, in which `sign` is the name of an entry that always exists; without one the directory itself
    /// is the sign that its disk is mounted.
    pub(super) fn at(root: &Path, sign: Option<&str>) -> io::Result<Self> {
        let root = root.canonicalize()?;
        fs::read_dir(&root)?;
        let sign = sign.map_or_else(|| root.clone(), |name| root.join(name));
        Ok(Self {
            location: root.to_string_lossy().into(),
            root: root.into(),
            sign: sign.into(),
        })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn file_path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Makes sure that the directory's disk is mounted: otherwise every object would look absent.
    pub(super) fn check_root(&self) -> io::Result<()> {
        fs::metadata(&self.sign).map(drop).map_err(|error| {
            let message = format!(
                "{} has gone, is its disk mounted? ({error})",
                self.sign.display()
            );
            io::Error::new(error.kind(), message)
        })
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
        match read_info(&file, reading) {
            Err(ReadError::Io(error)) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => {
                Err(ReadError::Damaged("the disk cannot read it".to_owned()))
            }
            Err(error) => Err(error),
            Ok(info) => Ok(Some((file, info))),
        }
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
        let file = FilePart::new(NAME, file, range.clone(), reading)?;
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
        let (source, owned_path) = (self.clone(), path.to_owned());
        let opened = blocking::run(move || match read(&source, &owned_path) {
            Ok(object) => Ok(Ok(object)),
            Err(ReadError::Damaged(reason)) => Ok(Err(reason)),
            Err(ReadError::Io(error)) => Err(error),
        })
        .await;
        opened
            .map_err(|error| StorageError::from_io(NAME, &error))?
            .map_err(|reason| StorageError::Damaged {
                storage: NAME.to_owned(),
                path: path.to_owned(),
                reason,
            })
    }

    /// [`ObjectSource::head`], as a plain function that [`super::DiskStorage`] calls without a second boxed future.
    pub(super) async fn head_object(&self, path: &str) -> Result<Option<ObjectInfo>, StorageError> {
        let open = |source: &Self, path: &str| source.open_object(path, Reading::Waiting);
        let opened = self.read_blocking(path, open).await?;
        Ok(opened.map(|(_, info)| info))
    }

    /// [`ObjectSource::fetch`], likewise.
    pub(super) async fn fetch_object(
        &self,
        path: &str,
        range: Option<Range<u64>>,
    ) -> Result<Option<Fetched>, StorageError> {
        let at_once = self.open_range(path, range.clone(), Reading::AtOnce);
        if let Ok(Some(fetched)) = at_once {
            return Ok(Some(fetched));
        }
        // A read at once fails alike for absent objects, errors and bytes not in memory; only a waiting one decides.
        let open = |source: &Self, path: &str| source.open_range(path, range, Reading::Waiting);
        self.read_blocking(path, open).await
    }
}

#[async_trait]
impl ObjectSource for DiskSource {
    fn name(&self) -> &str {
        NAME
    }

    fn location(&self) -> &str {
        &self.location
    }

    async fn head(&self, path: &str) -> Result<Option<ObjectInfo>, StorageError> {
        self.head_object(path).await
    }

    async fn fetch(
        &self,
        path: &str,
        range: Option<Range<u64>>,
    ) -> Result<Option<Fetched>, StorageError> {
        self.fetch_object(path, range).await
    }

    async fn address(&self, _path: &str) -> Result<Option<Address>, StorageError> {
        Ok(None)
    }

    async fn check(&self) -> Result<(), StorageError> {
        let root = Arc::clone(&self.root);
        let checked = blocking::run(move || fs::read_dir(&root).map(drop)).await;
        checked.map_err(|error| StorageError::from_io(NAME, &error))
    }
}

pub(super) fn cannot_open(root: &Path, error: &io::Error) -> StorageError {
    StorageError::Unavailable {
        storage: NAME.to_owned(),
        reason: format!(
            "cannot open the directory {} (setting storage.directory): {error}",
            root.display()
        ),
    }
}
