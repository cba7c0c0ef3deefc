//! Conditional requests: conditions on the version of a file (RFC 9110, 13).

use actix_web::http::header::{self, HeaderMap, HeaderName, HttpDate};

use super::representation::Representation;

/// The result of the conditions of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The file is to be sent.
    Proceed,
    /// The client has this version already.
    NotModified,
    /// The client wants another version.
    Failed,
}

/// Evaluates the conditions of a GET or HEAD request in their order of precedence (RFC 9110, 13.2.2). An invalid date
/// is ignored.
pub(super) fn check(headers: &HeaderMap, representation: &Representation) -> Verdict {
    let tag = representation.tag();
    let modified = representation.last_modified();
    if headers.contains_key(header::IF_MATCH) {
        if !names(headers, &header::IF_MATCH, tag, Comparison::Strong) {
            return Verdict::Failed;
        }
    } else if let (Some(known), Some(modified)) =
        (date(headers, &header::IF_UNMODIFIED_SINCE), modified)
        && modified > known
    {
        return Verdict::Failed;
    }
    let has_it = if headers.contains_key(header::IF_NONE_MATCH) {
        names(headers, &header::IF_NONE_MATCH, tag, Comparison::Weak)
    } else if let (Some(known), Some(modified)) =
        (date(headers, &header::IF_MODIFIED_SINCE), modified)
    {
        modified <= known
    } else {
        false
    };
    if has_it {
        Verdict::NotModified
    } else {
        Verdict::Proceed
    }
}

/// Returns whether a range may be sent: `If-Range` names this version, or is missing (RFC 9110, 13.1.5).
pub(super) fn allows_range(headers: &HeaderMap, representation: &Representation) -> bool {
    let Some(value) = headers.get(header::IF_RANGE) else {
        return true;
    };
    let Ok(text) = value.to_str() else {
        return false;
    };
    match text.trim().parse::<HttpDate>() {
        Ok(known) => representation.last_modified() == Some(known),
        Err(_) => {
            text.trim()
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'))
                == Some(representation.tag())
        }
    }
}

/// Whether a weak tag of the client may match one of ours, which are all strong (RFC 9110, 8.8.3.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

/// Returns whether a list of entity tags contains the tag, or is `*`.
fn names(headers: &HeaderMap, name: &HeaderName, tag: &str, comparison: Comparison) -> bool {
    let lists = headers
        .get_all(name)
        .filter_map(|value| value.to_str().ok());
    lists.map(str::trim).any(|list| {
        list == "*"
            || tags(list).any(|(is_weak, listed)| {
                listed == tag && !(is_weak && comparison == Comparison::Strong)
            })
    })
}

/// The entity tags of a list, each with whether it is weak, up to the first invalid one.
fn tags(list: &str) -> impl Iterator<Item = (bool, &str)> {
    let mut rest = list;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let weak = rest.strip_prefix("W/");
        let (tag, after) = weak.unwrap_or(rest).strip_prefix('"')?.split_once('"')?;
        rest = after;
        Some((weak.is_some(), tag))
    })
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<HttpDate> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;
    use crate::storage::{ObjectInfo, ObjectMeta};

    const BEFORE: &str = "Mon, 23 Nov 2026 00:27:01 GMT";
    const THEN: &str = "Mon, 23 Nov 2026 00:27:02 GMT";
    const AFTER: &str = "Mon, 23 Nov 2026 00:27:03 GMT";

    /// A file with the tag `tag`, stored at `THEN`.
    fn file() -> Representation {
        let info = ObjectInfo {
            meta: ObjectMeta::default(),
            stored_size: 10,
            modified_at: datetime!(2026-11-23 00:27:02.9 UTC),
            version: Some("tag".to_owned()),
            inode: None,
        };
        Representation::of(&info, false)
    }

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.clone(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn verdict(lines: &[(HeaderName, &str)]) -> Verdict {
        check(&headers(lines), &file())
    }

    #[test]
    fn entity_tags_are_compared() {
        for list in [
            "\"tag\"",
            "*",
            "W/\"tag\"",
            "\"a,\", W/\"b\" ,,\"tag\"",
            " \"tag\" , \"x",
        ] {
            assert_eq!(
                verdict(&[(header::IF_NONE_MATCH, list)]),
                Verdict::NotModified,
                "{list}"
            );
        }
        for list in [
            "\"other\"",
            "tag",
            "",
            "\"TAG\"",
            "\"tag-gzip\"",
            "w/\"tag\"",
            "\"a,tag\"",
            "x, \"tag\"",
        ] {
            assert_eq!(
                verdict(&[(header::IF_NONE_MATCH, list)]),
                Verdict::Proceed,
                "{list}"
            );
            assert_eq!(
                verdict(&[(header::IF_MATCH, list)]),
                Verdict::Failed,
                "{list}"
            );
        }
        assert_eq!(
            verdict(&[(header::IF_MATCH, "\"x\", \"tag\"")]),
            Verdict::Proceed
        );
        assert_eq!(verdict(&[(header::IF_MATCH, "*")]), Verdict::Proceed);
        let weak = verdict(&[(header::IF_MATCH, "W/\"tag\"")]);
        assert_eq!(weak, Verdict::Failed, "weak tags never match strongly");
        let lines = [
            (header::IF_NONE_MATCH, "\"x\""),
            (header::IF_NONE_MATCH, "\"tag\""),
        ];
        assert_eq!(
            verdict(&lines),
            Verdict::NotModified,
            "a list may have several lines"
        );
    }

    #[test]
    fn dates_are_compared() {
        let since = |at| verdict(&[(header::IF_MODIFIED_SINCE, at)]);
        assert_eq!(since(BEFORE), Verdict::Proceed);
        assert_eq!(since(THEN), Verdict::NotModified);
        assert_eq!(since(AFTER), Verdict::NotModified);
        assert_eq!(
            since("Monday, 23-Nov-26 00:27:02 GMT"),
            Verdict::NotModified,
            "an old form"
        );
        assert_eq!(since("yesterday"), Verdict::Proceed);
        let unless = |at| verdict(&[(header::IF_UNMODIFIED_SINCE, at)]);
        assert_eq!(unless(BEFORE), Verdict::Failed);
        assert_eq!(unless(THEN), Verdict::Proceed);
        assert_eq!(unless("yesterday"), Verdict::Proceed);
    }

    #[test]
    fn tags_take_precedence_over_dates() {
        let none_match = |tag| {
            verdict(&[
                (header::IF_NONE_MATCH, tag),
                (header::IF_MODIFIED_SINCE, THEN),
            ])
        };
        assert_eq!(none_match("\"other\""), Verdict::Proceed);
        let none_match = |tag| {
            verdict(&[
                (header::IF_NONE_MATCH, tag),
                (header::IF_MODIFIED_SINCE, BEFORE),
            ])
        };
        assert_eq!(none_match("\"tag\""), Verdict::NotModified);
        let matches = |tag| {
            verdict(&[
                (header::IF_MATCH, tag),
                (header::IF_UNMODIFIED_SINCE, BEFORE),
            ])
        };
        assert_eq!(matches("\"tag\""), Verdict::Proceed);
        let both = verdict(&[
            (header::IF_MATCH, "\"other\""),
            (header::IF_NONE_MATCH, "\"tag\""),
        ]);
        assert_eq!(both, Verdict::Failed, "what must match comes first");
        let both = verdict(&[
            (header::IF_MATCH, "\"tag\""),
            (header::IF_NONE_MATCH, "\"tag\""),
        ]);
        assert_eq!(both, Verdict::NotModified);
    }

    #[test]
    fn a_range_is_only_of_the_version_that_the_client_has() {
        let allows = |value: &str| allows_range(&headers(&[(header::IF_RANGE, value)]), &file());
        assert!(allows_range(&HeaderMap::new(), &file()));
        assert!(allows("\"tag\"") && allows(THEN));
        for other in [
            "\"other\"",
            "W/\"tag\"",
            "tag",
            "",
            "*",
            BEFORE,
            AFTER,
            "\"tag\", \"x\"",
        ] {
            assert!(!allows(other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn nothing_in_a_header_panics(value in "[ -~\t]{0,40}") {
            for name in [header::IF_MATCH, header::IF_NONE_MATCH, header::IF_RANGE, header::IF_MODIFIED_SINCE] {
                let headers = headers(&[(name, &value)]);
                check(&headers, &file());
                allows_range(&headers, &file());
            }
        }

        #[test]
        fn a_tag_is_found_among_others(before in "[!#-~]{0,9}", after in "[!#-~]{0,9}") {
            let list = format!("\"{before}\", W/\"{after}\",\"tag\", \"{after}\"");
            prop_assert_eq!(verdict(&[(header::IF_NONE_MATCH, &list)]), Verdict::NotModified);
        }
    }
}
