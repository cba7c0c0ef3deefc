//! Parses requests into the services' types, or refuses them.

mod breakpad;
mod build_path;
mod form;
mod missing_query;
mod principal;
mod submission;
mod symbol_path;

pub(super) use breakpad::{announced, announced_of_module, receive_described, receive_symbol_file};
pub(super) use build_path::{BuildPath, WantedOfBuild};
pub(super) use form::{announced_length, receive_bytes};
pub(super) use missing_query::{Listing, MissingQuery};
pub(super) use principal::{ByKey, ByToken};
pub(super) use submission::receive;
pub(super) use symbol_path::{ModulePath, SymbolPath, SymbolQuery};
