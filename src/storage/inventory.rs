//! The seam of maintenance: everything that a place holds, and a way to take a damaged object out of service.
//!
//! Serving needs neither, so sources and storages that only serve do not have it.

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use time::OffsetDateTime;

use super::error::StorageError;
use super::traits::ObjectSource;

/// The folder into which damaged objects are moved, with their whole paths below it. No symbol lies there, since no
/// part of a prefix begins with a dot.
pub const DAMAGED: &str = ".damaged";

/// Entries of a listing. An error means that a part of the listing could not be read; what comes after it is still
/// listed where the storage can go on.
pub type Listing = BoxStream<'static, Result<Listed, StorageError>>;

/// An entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The object's path.
    pub path: String,
    /// The bytes that it takes in the storage, on disk with its metadata.
    pub size: u64,
    /// When it was stored.
    pub modified_at: OffsetDateTime,
    /// Tells this copy from every other that ever lay in its place, in the storage's own words.
    pub(super) copy: String,
}

/// What became of an object that was to be set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetAside {
    /// It lies at this path now, and nothing in its place.
    At(String),
    /// Another copy has taken its place, or it has gone. Nothing was changed.
    Replaced,
}

/// A place whose objects can be listed and set aside.
#[async_trait]
pub trait Inventory: ObjectSource {
    /// Lists what lies below a folder (`v1`, never the root), in any order, in bounded memory. An object that is stored
    /// or removed meanwhile is listed or not; every other is listed once.
    fn list(&self, folder: &str) -> Listing;

    /// Moves an object to the same path below [`DAMAGED`], where it replaces what lay there. Another copy that has
    /// taken its place since it was listed is not touched.
    async fn set_aside(&self, listed: &Listed) -> Result<SetAside, StorageError>;
}

/// Where an object is moved to.
pub(super) fn aside(path: &str) -> String {
    format!("{DAMAGED}/{path}")
}
