//! Range requests (RFC 9110, 14).
//!
//! A single range of bytes is answered with these bytes. Several ranges, other units and invalid ranges are ignored, as
//! the standard allows, and the whole file is sent.

use std::ops::Range;

use actix_web::http::header::{self, HeaderMap};

use super::precondition;
use super::representation::Representation;

/// The part of a file that a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it.
    Whole,
    /// This part, which has at least one byte and lies within the file.
    Part(Range<u64>),
    /// A range after the end of the file, which has this many bytes.
    Nothing(u64),
}

/// Reads the range of a GET request.
pub(super) fn wanted(headers: &HeaderMap, representation: &Representation) -> Extent {
    let Some(length) = representation.length_for_ranges() else {
        return Extent::Whole;
    };
    let Some(spec) = Spec::of(headers) else {
        return Extent::Whole;
    };
    if precondition::allows_range(headers, representation) {
        spec.within(length)
    } else {
        Extent::Whole
    }
}

/// Returns whether a request continues a download that an earlier request began.
pub(super) fn is_continuation(headers: &HeaderMap) -> bool {
    matches!(Spec::of(headers), Some(Spec::From(1.., _) | Spec::Last(_)))
}

/// A range as the client writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spec {
    /// From a position to another, both included, or to the end.
    From(u64, Option<u64>),
    /// This many bytes at the end.
    Last(u64),
}

impl Spec {
    /// The one range of a request.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(header::RANGE);
        let (Some(value), None) = (values.next(), values.next()) else {
            return None;
        };
        value.to_str().ok().and_then(Self::read)
    }

    /// Reads one range of bytes: `bytes=0-99`, `bytes=100-`, `bytes=-100`.
    fn read(text: &str) -> Option<Self> {
        let (unit, ranges) = text.split_once('=')?;
        let (first, last) = ranges.trim().split_once('-')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        match (first, last) {
            ("", last) => Some(Self::Last(number(last)?)),
            (first, "") => Some(Self::From(number(first)?, None)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::From(first, Some(last)))
            }
        }
    }

    fn within(self, length: u64) -> Extent {
        match self {
            // `Content-Range` cannot express a part of an empty file.
            Self::Last(count) if count > 0 && length == 0 => Extent::Whole,
            Self::Last(count) if count > 0 => Extent::Part(length.saturating_sub(count)..length),
            Self::From(first, last) if first < length => {
                let end = last.map_or(length, |last| last.saturating_add(1).min(length));
                Extent::Part(first..end)
            }
            Self::Last(_) | Self::From(..) => Extent::Nothing(length),
        }
    }
}

/// A number of decimal digits; one that is too large is larger than any file.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn extent(text: &str, length: u64) -> Extent {
        Spec::read(text).map_or(Extent::Whole, |spec| spec.within(length))
    }

    #[test]
    fn single_ranges() {
        for (text, expected) in [
            ("bytes=0-0", 0..1),
            ("bytes=0-99", 0..10),
            ("Bytes = 2-4", 2..5),
            ("bytes=9-", 9..10),
            ("bytes=-1", 9..10),
            ("bytes=-99", 0..10),
            ("bytes=3-99999999999999999999999", 3..10),
        ] {
            assert_eq!(extent(text, 10), Extent::Part(expected), "{text}");
        }
        for text in [
            "bytes=10-",
            "bytes=10-20",
            "bytes=-0",
            "bytes=99999999999999999999-",
        ] {
            assert_eq!(extent(text, 10), Extent::Nothing(10), "{text}");
        }
        assert_eq!(extent("bytes=0-", 0), Extent::Nothing(0));
        assert_eq!(extent("bytes=-5", 0), Extent::Whole);
    }

    #[test]
    fn what_is_passed_over() {
        for text in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=4-2",
            "bytes=0-1,3-4",
            "bytes=0-1,",
            "bytes=+1-2",
            "bytes=1--2",
            "bytes=a-b",
            "bytes=1 -2",
            "lines=0-1",
            "bytes=0x1-2",
            "=0-1",
        ] {
            assert_eq!(extent(text, 10), Extent::Whole, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_part_lies_within_the_file(text in "bytes=[0-9]{0,21}-[0-9]{0,21}", length: u64) {
            if let Extent::Part(range) = extent(&text, length) {
                prop_assert!(range.start < range.end && range.end <= length);
            }
        }

        #[test]
        fn nothing_in_a_header_panics(text in "\\PC*", length: u64) {
            extent(&text, length);
            extent(&format!("bytes={text}"), length);
        }
    }
}
