//! Values in JSON.
//!
//! The shape of each answer is a struct beside its handler, called `…Json`. Its members are in the order of their
//! names, which is the order that clients have always got.

use serde::Serialize;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::db::warnings::{Warning, WarningKind};
use crate::upload::sentence_of;

/// A time as Tecken writes it: UTC, milliseconds, `Z`.
pub(super) fn json_time(at: OffsetDateTime) -> String {
    let format =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    at.format(format).unwrap_or_default()
}

/// Members of an upload that clients cannot use: how many there are, the first of them, and what to do about them.
#[derive(Debug, Serialize)]
pub(super) struct WarningJson<'warning> {
    code: WarningKind,
    count: u64,
    keys: &'warning [String],
    message: &'static str,
}

impl<'warning> From<&'warning Warning> for WarningJson<'warning> {
    fn from(warning: &'warning Warning) -> Self {
        Self {
            code: warning.kind,
            count: warning.count,
            keys: &warning.keys,
            message: sentence_of(warning.kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn milliseconds_and_z() {
        assert_eq!(
            json_time(datetime!(2026-11-23 00:27:02.1149 UTC)),
            "2026-11-23T00:27:02.114Z"
        );
    }
}
