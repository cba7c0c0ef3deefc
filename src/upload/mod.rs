//! Uploads: from the zip that a build hands in to the symbol files in storage.

pub mod archive;
