//! Files that wait in the storage until their upload is completed.
//!
//! A client creates an upload, puts its file, and completes the upload, in requests that may reach different nodes. So
//! the file is kept where every node finds it: as an object of the main storage, outside the served prefixes, with a
//! record in the database. The key of an upload is a secret that permits putting its file; only the token's owner may
//! complete it. [`StagedFiles::sweep`] removes files whose upload is never completed.

mod error;
mod files;
mod sweep;

pub use error::StagedError;
pub use files::StagedFiles;
