//! How values are written in JSON.
//!
//! Answers are structs beside their handlers, called `…Json`. Their members are in the order of their names, as they have
//! been in all answers so far.

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
