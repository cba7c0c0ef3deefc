//! HTTP/1.1 as far as a load generator needs it.

mod client;
mod redirect;
mod response;

pub(crate) use client::{Answer, Client, ClientError, Upload};
pub(crate) use redirect::Follower;
