//! Listing a directory's objects, and moving damaged ones out of the way.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use time::OffsetDateTime;
use walkdir::WalkDir;

use super::source::{DiskSource, NAME};
use crate::blocking;
use crate::durable_dirs;
use crate::storage::error::StorageError;
use crate::storage::inventory::{Inventory, Listed, Listing, SetAside, aside};

/// How many entries are read in one call.
const ENTRIES: usize = 256;

impl DiskSource {
    /// What a walk came across; `None` for a folder, and for what has gone since.
    fn listed(
        &self,
        entry: &Result<walkdir::DirEntry, walkdir::Error>,
    ) -> Option<Result<Listed, StorageError>> {
        let listed = match entry {
            Ok(entry) if entry.file_type().is_dir() => return None,
            Ok(entry) => self.describe(entry.path()),
            Err(error) => match error.path() {
                // A link that leads nowhere lies in an object's place as well.
                Some(path) if path.is_symlink() && error.loop_ancestor().is_none() => {
                    self.describe(path)
                }
                _ => {
                    let kind = error
                        .io_error()
                        .map_or(io::ErrorKind::Other, io::Error::kind);
                    Err(io::Error::new(kind, error.to_string()))
                }
            },
        };
        match listed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            listed => Some(listed.map_err(|error| StorageError::from_io(NAME, &error))),
        }
    }

    fn describe(&self, file: &Path) -> io::Result<Listed> {
        let attributes = fs::symlink_metadata(file)?;
        let path = file.strip_prefix(self.root()).map_err(io::Error::other)?;
        Ok(Listed {
            path: path.to_string_lossy().into_owned(),
            size: attributes.len(),
            modified_at: OffsetDateTime::from(attributes.modified()?),
            copy: copy_of(&attributes),
        })
    }

    fn move_aside(&self, listed: &Listed) -> io::Result<SetAside> {
        let (from, aside) = (self.file_path(&listed.path), aside(&listed.path));
        let to = self.file_path(&aside);
        let is_the_copy = |path: &Path| -> io::Result<bool> {
            match fs::symlink_metadata(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                attributes => Ok(copy_of(&attributes?) == listed.copy),
            }
        };
        if !is_the_copy(&from)? {
            return Ok(SetAside::Replaced);
        }
        let folder = to.parent().ok_or(io::ErrorKind::InvalidInput)?;
        durable_dirs::make(folder)?;
        fs::rename(&from, &to)?;
        if !is_the_copy(&to)? {
            // An upload has replaced it in this very moment: its file goes back, unless a newer one is there by now.
            match renameat_with(CWD, &to, CWD, &from, RenameFlags::NOREPLACE) {
                Err(error) if error != rustix::io::Errno::EXIST => return Err(error.into()),
                _ => return Ok(SetAside::Replaced),
            }
        }
        durable_dirs::sync(folder)?;
        durable_dirs::sync(from.parent().ok_or(io::ErrorKind::InvalidInput)?)?;
        Ok(SetAside::At(aside))
    }
}

/// The file's number, size and time: no other file has had the same three.
fn copy_of(attributes: &Metadata) -> String {
    let (seconds, nanoseconds) = (attributes.mtime(), attributes.mtime_nsec());
    let (inode, size) = (attributes.ino(), attributes.len());
    format!("{inode}-{size}-{seconds}.{nanoseconds}")
}

#[async_trait]
impl Inventory for DiskSource {
    fn list(&self, folder: &str) -> Listing {
        // Linked folders are walked into, as objects are served from them.
        let walk = WalkDir::new(self.file_path(folder)).follow_links(true);
        let walked = stream::try_unfold(
            (self.clone(), walk.into_iter()),
            async |(source, mut walk)| {
                let read = move || {
                    let seen: Vec<_> = walk.by_ref().take(ENTRIES).collect();
                    if seen.is_empty() {
                        source.check_root()?;
                        return Ok(None);
                    }
                    let listed: Vec<_> = seen
                        .iter()
                        .filter_map(|entry| source.listed(entry))
                        .collect();
                    Ok(Some((listed, (source, walk))))
                };
                let listed = blocking::run(read).await;
                listed.map_err(|error| StorageError::from_io(NAME, &error))
            },
        );
        let entries = walked.flat_map(|listed| match listed {
            Ok(listed) => stream::iter(listed).left_stream(),
            Err(error) => stream::iter([Err(error)]).right_stream(),
        });
        entries.boxed()
    }

    async fn set_aside(&self, listed: &Listed) -> Result<SetAside, StorageError> {
        let (source, listed) = (self.clone(), listed.clone());
        let moved = blocking::run(move || source.move_aside(&listed)).await;
        moved.map_err(|error| StorageError::from_io(NAME, &error))
    }
}
