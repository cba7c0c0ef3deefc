//! The tests that every engine passes.

mod arrivals;
mod build_ids;
pub(crate) mod corrupt;
mod files;
mod missing;
mod nodes;
mod pages;
mod tokens;
mod uploaders;
mod uploads;
mod waiting;

use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::Database;
use symbols::{BuildId, DebugId, Sha256, SymbolKey};

/// Runs the whole suite on an empty database.
pub(crate) async fn check_all(database: &dyn Database) {
    database.check().await.unwrap();
    tokens::check_all(database).await;
    uploads::check_all(database).await;
    build_ids::check_all(database).await;
    files::check_all(database).await;
    uploaders::check_all(database).await;
    nodes::check_all(database).await;
    missing::check_all(database).await;
    arrivals::check_all(database).await;
    pages::check_all(database).await;
    waiting::check_all(database).await;
}

/// A time that is easy to tell from others, to the microsecond that every engine keeps.
fn minute(minutes: i64) -> OffsetDateTime {
    datetime!(2026-11-23 10:00:00.123_456 UTC) + Duration::minutes(minutes)
}

fn key(text: &str) -> SymbolKey {
    SymbolKey::parse(text).unwrap()
}

fn debug_id(text: &str) -> DebugId {
    DebugId::parse(text).unwrap()
}

fn build_id(text: &str) -> BuildId {
    BuildId::parse(text).unwrap()
}

/// The digest of this byte, written in hexadecimal, over and over.
fn sha256(byte: &str) -> Sha256 {
    Sha256::parse(&byte.repeat(32)).unwrap()
}
