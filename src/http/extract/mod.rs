//! From a request to the services' types, or a refusal.

mod missing_query;
mod principal;
mod submission;
mod symbol_path;

pub(super) use missing_query::{Listing, MissingQuery};
pub(super) use submission::receive;
pub(super) use symbol_path::{ModulePath, SymbolPath, SymbolQuery};
