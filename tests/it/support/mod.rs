//! A server of its own for every test, and the words to talk to it with.

mod app;
pub(crate) mod backends;
mod binary;
pub(crate) mod faults;
pub(crate) mod gate;
pub(crate) mod minidump;
pub(crate) mod object_store;
mod program;
mod raw;
pub(crate) mod remote;
mod services;
mod symbols;
mod zip;

pub(crate) use app::{Answer, App, PATIENCE, bytes_of, eventually};
pub(crate) use backends::variable;
pub(crate) use binary::{Running, Site, symbold};
pub(crate) use program::{Program, SOURCE};
pub(crate) use raw::{RawAnswer, RawConnection};
pub(crate) use services::{OwnPostgres, OwnRedis};
pub(crate) use symbols::{ID, random_bytes, sym};
pub(crate) use zip::Zip;
