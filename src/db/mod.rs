//! The records: uploads and their files, missing symbols, tokens.
//!
//! One trait a table, one folder an engine; SQL is written by hand in each engine's own dialect and kept beside its
//! migrations. The suite in `contract.rs` is what every engine passes. Every engine keeps times to the microsecond.

#[cfg(test)]
pub(crate) mod contract;
mod error;
pub mod migrate;
pub mod missing;
pub mod sqlite;
pub mod tokens;
pub mod uploads;

use std::fmt::Debug;

use async_trait::async_trait;

pub use error::DbError;
pub use missing::MissingRecords;
pub use tokens::TokenRecords;
pub use uploads::UploadRecords;

/// All records of one engine.
#[async_trait]
pub trait Database: UploadRecords + MissingRecords + TokenRecords + Debug + Send + Sync {
    /// Asks the database for a sign of life.
    async fn check(&self) -> Result<(), DbError>;
}
