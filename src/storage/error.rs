//! The errors of storages, the same for every kind.

use std::io;

/// A failure of a storage. Absence is not one: it is `Ok(None)`.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// There is no room left for the object.
    #[error("storage {storage} is full: {reason}")]
    Full {
        /// The storage's name.
        storage: String,
        /// The driver's message.
        reason: String,
    },
    /// The storage cannot be reached, or failed; the same call may succeed later.
    #[error("storage {storage} is unavailable: {reason}")]
    Unavailable {
        /// The storage's name.
        storage: String,
        /// The driver's message.
        reason: String,
    },
    /// The storage did not answer in time. It may hang, and the next calls with it.
    #[error("storage {storage} does not answer: {reason}")]
    TimedOut {
        /// The storage's name.
        storage: String,
        /// The driver's message.
        reason: String,
    },
    /// The object is there and is not what was stored. Asking again does not help, storing it anew does.
    #[error("storage {storage} holds a damaged object at {path}: {reason}")]
    Damaged {
        /// The storage's name.
        storage: String,
        /// The object's path.
        path: String,
        /// A description of the damage.
        reason: String,
    },
}

impl StorageError {
    /// Returns whether the object is there and damaged.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. })
    }

    /// Converts the failure of a file operation; a full disk becomes [`Self::Full`].
    #[must_use]
    pub fn from_io(storage: &str, error: &io::Error) -> Self {
        let (storage, reason) = (storage.to_owned(), error.to_string());
        match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::Full { storage, reason },
            _ => Self::Unavailable { storage, reason },
        }
    }
}
