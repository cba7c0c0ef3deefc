//! Where the files of symbols lie: objects with metadata, by path.
//!
//! A storage knows paths and bytes and nothing of the product. The seam has two sides: an [`ObjectSource`] is read, and
//! a [`Storage`] is an object source that is also written to; an [`Inventory`] is one that maintenance walks. Each kind
//! has a folder of its own; [`open`], [`open_source`] and [`open_inventory`] pick by configuration. `contract` holds
//! the suite that every source passes, and on top of it those for storages and inventories. An object is visible whole
//! or not at all, and a `put` that has returned is durable.

mod config;
mod disk;
mod error;
mod fetched;
mod file_part;
mod integrity;
mod inventory;
mod metered;
mod object;
mod payload;
mod s3;
mod traits;

#[cfg(test)]
mod contract;

use std::path::Path;
use std::sync::Arc;

pub use config::{SourceConfig, StorageConfig, StorageKind};
pub use disk::{DiskConfig, DiskSource, DiskStorage};
pub use error::StorageError;
pub use fetched::{Fetched, ObjectBytes};
pub use file_part::FilePart;
pub use integrity::{Checked, Integrity};
pub use inventory::{DAMAGED, Inventory, Listed, Listing, SetAside};
pub use metered::Metered;
pub use object::{Address, ObjectInfo, ObjectMeta, ObjectStream};
pub use payload::{Part, Payload};
pub use s3::{Access, RequestConfig, S3Config, S3Storage};
pub use traits::{ObjectSource, Storage};

/// Opens the storage of the configuration. Relative directories lie under `data_dir`.
///
/// # Errors
/// The storage cannot be reached or written to; the message names the setting to look at.
pub async fn open(kind: &StorageKind, data_dir: &Path) -> Result<Arc<dyn Storage>, StorageError> {
    Ok(match kind {
        StorageKind::Disk(disk) => Arc::new(DiskStorage::open(&data_dir.join(&disk.directory))?),
        StorageKind::S3(s3) => Arc::new(S3Storage::open(s3).await?),
    })
}

/// Opens a further place of the configuration, for reading only.
///
/// # Errors
/// The place does not exist or cannot be reached; the message names the setting to look at.
pub async fn open_source(
    kind: &StorageKind,
    data_dir: &Path,
) -> Result<Arc<dyn ObjectSource>, StorageError> {
    Ok(match kind {
        StorageKind::Disk(disk) => Arc::new(DiskSource::open(&data_dir.join(&disk.directory))?),
        StorageKind::S3(s3) => Arc::new(S3Storage::open(s3).await?),
    })
}

/// Opens the storage of the configuration for a walk over its objects. Nothing is made or locked, so that it may be
/// done beside running servers.
///
/// # Errors
/// The place does not exist or cannot be reached; the message names the setting to look at.
pub async fn open_inventory(
    kind: &StorageKind,
    data_dir: &Path,
) -> Result<Arc<dyn Inventory>, StorageError> {
    Ok(match kind {
        StorageKind::Disk(disk) => Arc::new(DiskSource::open(&data_dir.join(&disk.directory))?),
        StorageKind::S3(s3) => Arc::new(S3Storage::open(s3).await?),
    })
}
