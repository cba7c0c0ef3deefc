//! Values in JSON.
//!
//! The shape of each answer is a struct beside its handler, called `…Json`. Its members are in the order of their
//! names, which is the order that clients have always got.

use time::OffsetDateTime;
use time::macros::format_description;

/// A time as Tecken writes it: UTC, milliseconds, `Z`.
pub(super) fn json_time(at: OffsetDateTime) -> String {
    let format =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    at.format(format).unwrap_or_default()
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
