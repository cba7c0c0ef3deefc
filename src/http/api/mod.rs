//! The scope of the API: uploads and their records, the list of missing symbols, health and operations.
//!
//! Its policy: errors are JSON, and no CORS headers are sent, so that scripts of other sites cannot read answers
//! that are meant for the owner of a token.

pub(super) mod health;
pub(super) mod missing;
pub(super) mod operations;
pub(super) mod uploads;
