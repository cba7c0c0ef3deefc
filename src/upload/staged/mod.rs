//! Files that wait in the storage until their upload is completed.
//!
//! A client creates an upload, puts its file, and completes the upload, in requests that may reach different nodes. The
//! file waits where every node finds it: as an object of the main storage outside of what is served, with a record in
//! the database. The key of an upload is a secret that allows to put its file; the owner of the token alone may complete
//! it. [`StagedFiles::sweep`] removes files that are never completed.

mod error;
mod files;
mod sweep;

pub use error::StagedError;
pub use files::StagedFiles;
