//! The query of the list of missing symbols, in Tecken's grammar.

use std::collections::BTreeMap;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, Duration, OffsetDateTime, PrimitiveDateTime, Time};

use crate::clock::SharedClock;
use crate::db::missing::{Bounds, MissingFilter, MissingOrder, PageRequest};
use crate::http::error::ApiError;

/// The last page that can be requested.
const LAST_PAGE: u64 = 100_000;

/// The longest text searched for, in bytes.
const LONGEST_TEXT: usize = 200;

/// The requested page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct Listing {
    /// The column that orders the rows.
    pub(in crate::http) order: MissingOrder,
    /// Whether the largest value comes first.
    pub(in crate::http) descending: bool,
    /// The page's number, from 1.
    pub(in crate::http) page: u64,
}

impl Listing {
    /// The page for the database, where a page has `batch` rows.
    pub(in crate::http) fn request(self, batch: u32) -> PageRequest {
        PageRequest {
            order: self.order,
            descending: self.descending,
            offset: (self.page - 1) * u64::from(batch),
            limit: batch,
        }
    }
}

/// The requested rows, and the page of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) struct MissingQuery {
    /// Which rows.
    pub(in crate::http) filter: MissingFilter,
    /// Which page.
    pub(in crate::http) listing: Listing,
}

impl FromRequest for MissingQuery {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let clock = request
            .app_data::<Data<SharedClock>>()
            .expect("the clock is registered where the routes are");
        ready(read(request.query_string(), clock.now()).map_err(ApiError::bad_fields))
    }
}

/// The problems of each field.
type Problems = BTreeMap<&'static str, Vec<String>>;

fn read(query: &str, now: OffsetDateTime) -> Result<MissingQuery, Problems> {
    let mut filter = MissingFilter::default();
    let mut listing = Listing {
        order: MissingOrder::ModifiedAt,
        descending: true,
        page: 1,
    };
    let mut is_reversed = None;
    let mut is_sorted = false;
    let mut problems = Problems::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let value = value.trim();
        let result =
            match name.as_ref() {
                "symbol" => text(value)
                    .map(|text| filter.debug_file = text)
                    .map_err(|problem| ("symbol", problem)),
                "debugid" => text(value)
                    .map(|text| filter.debug_id = text)
                    .map_err(|problem| ("debugid", problem)),
                "filename" => text(value)
                    .map(|text| filter.file_name = text)
                    .map_err(|problem| ("filename", problem)),
                "modified_at" => dates(value, now, &mut filter.modified)
                    .map_err(|problem| ("modified_at", problem)),
                "created_at" => dates(value, now, &mut filter.created)
                    .map_err(|problem| ("created_at", problem)),
                "count" => counts(value, &mut filter.count).map_err(|problem| ("count", problem)),
                "resolved" if !value.is_empty() => truth(value)
                    .map(|is_resolved| filter.is_resolved = Some(is_resolved))
                    .map_err(|problem| ("resolved", problem)),
                "page" => page(value)
                    .map(|page| listing.page = page)
                    .map_err(|problem| ("page", problem)),
                "sort" if !value.is_empty() => {
                    is_sorted = true;
                    order(value)
                        .map(|order| listing.order = order)
                        .map_err(|problem| ("sort", problem))
                }
                "reverse" => {
                    is_reversed = Some(value == "true");
                    Ok(())
                }
                _ => Ok(()),
            };
        if let Err((field, problem)) = result {
            problems.entry(field).or_default().push(problem);
        }
    }
    listing.descending = is_reversed.unwrap_or(!is_sorted);
    if problems.is_empty() {
        Ok(MissingQuery { filter, listing })
    } else {
        Err(problems)
    }
}

fn text(value: &str) -> Result<Option<String>, String> {
    if value.len() > LONGEST_TEXT || value.contains('\0') {
        return Err(format!("Must have at most {LONGEST_TEXT} bytes and no NUL"));
    }
    Ok((!value.is_empty()).then(|| value.to_owned()))
}

fn page(value: &str) -> Result<u64, String> {
    let number: i64 = value
        .parse()
        .map_err(|_| format!("Not a number '{value}'"))?;
    match u64::try_from(number).unwrap_or(1).max(1) {
        page if page > LAST_PAGE => {
            Err(format!("The last page is {LAST_PAGE}; narrow the filters"))
        }
        page => Ok(page),
    }
}

fn order(value: &str) -> Result<MissingOrder, String> {
    match value {
        "modified_at" => Ok(MissingOrder::ModifiedAt),
        "created_at" => Ok(MissingOrder::CreatedAt),
        "count" => Ok(MissingOrder::Count),
        _ => Err(format!("Invalid sort '{value}'")),
    }
}

fn truth(value: &str) -> Result<bool, String> {
    value
        .parse()
        .map_err(|_| format!("Must be true or false, not '{value}'"))
}

/// Reads `>=2026-01-01,<2026-02-01`. A plain day means the whole of it.
fn dates(
    value: &str,
    now: OffsetDateTime,
    bounds: &mut Bounds<OffsetDateTime>,
) -> Result<(), String> {
    narrow(value, bounds, |text| {
        let (start, length) = moment(text, now)?;
        Some((start, start + length))
    })
    .map_err(|term| format!("Unable to parse '{term}'"))
}

/// Reads `>=10,<100`.
fn counts(value: &str, bounds: &mut Bounds<u64>) -> Result<(), String> {
    narrow(value, bounds, |text| {
        // The column is a signed integer, and the number after this one has to fit too.
        let number = text
            .parse::<u64>()
            .ok()
            .filter(|number| *number < i64::MAX as u64)?;
        Some((number, number + 1))
    })
    .map_err(|term| format!("'{term}' is not a number"))
}

/// Narrows the bounds by comparisons that must all hold. `value` returns where a value begins and where the next one
/// does.
///
/// # Errors
/// The term that cannot be read.
fn narrow<T: Ord + Copy>(
    terms: &str,
    bounds: &mut Bounds<T>,
    value: impl Fn(&str) -> Option<(T, T)>,
) -> Result<(), String> {
    for term in terms
        .split(',')
        .map(str::trim)
        .filter(|term| !term.is_empty())
    {
        let operator = [">=", "<=", ">", "<", "="]
            .into_iter()
            .find(|operator| term.starts_with(operator));
        let text = term.trim_start_matches(['<', '>', '=']).trim();
        let (start, end) = value(text).ok_or(term)?;
        let (from, before) = match operator {
            Some(">=") => (Some(start), None),
            Some(">") => (Some(end), None),
            Some("<") => (None, Some(start)),
            Some("<=") => (None, Some(end)),
            _ => (Some(start), Some(end)),
        };
        bounds.from = bounds.from.max(from);
        bounds.before = match (bounds.before, before) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    Ok(())
}

/// A day, or a second of it: when it begins and how long it lasts.
fn moment(text: &str, now: OffsetDateTime) -> Option<(OffsetDateTime, Duration)> {
    let today = now.replace_time(Time::MIDNIGHT);
    match text {
        "today" => return Some((today, Duration::DAY)),
        "yesterday" => return Some((today - Duration::DAY, Duration::DAY)),
        _ => {}
    }
    if let Ok(day) = Date::parse(text, format_description!("[year]-[month]-[day]")) {
        return Some((day.midnight().assume_utc(), Duration::DAY));
    }
    if let Ok(second) = OffsetDateTime::parse(text, &Rfc3339) {
        return Some((second.replace_nanosecond(0).ok()?, Duration::SECOND));
    }
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    let second = PrimitiveDateTime::parse(&text.replace(' ', "T"), format).ok()?;
    Some((second.assume_utc(), Duration::SECOND))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-03-04 05:06:07 UTC);

    #[test]
    fn defaults_and_orders() {
        let listing = |query: &str| read(query, NOW).unwrap().listing;
        let newest = Listing {
            order: MissingOrder::ModifiedAt,
            descending: true,
            page: 1,
        };
        assert_eq!(listing(""), newest);
        assert_eq!(listing("page=-3&x=1"), newest);
        assert_eq!(
            listing("sort=count"),
            Listing {
                order: MissingOrder::Count,
                descending: false,
                page: 1
            }
        );
        assert_eq!(
            listing("sort=created_at&reverse=true&page=2"),
            Listing {
                order: MissingOrder::CreatedAt,
                descending: true,
                page: 2
            }
        );
    }

    #[test]
    fn every_problem_is_told() {
        let problems = read("page=x&sort=drop&modified_at=soon&symbol=%00", NOW).unwrap_err();
        assert_eq!(problems["page"], ["Not a number 'x'"]);
        assert_eq!(problems["sort"], ["Invalid sort 'drop'"]);
        assert_eq!(problems["modified_at"], ["Unable to parse 'soon'"]);
        assert_eq!(problems["symbol"].len(), 1);
        assert!(read("page=1000000000", NOW).is_err());
    }

    #[test]
    fn dates_narrow_each_other() {
        let filter = |query: &str| read(query, NOW).unwrap().filter;
        let of = |filter: MissingFilter| (filter.modified.from, filter.modified.before);
        let today = (
            Some(datetime!(2026-03-04 0:00 UTC)),
            Some(datetime!(2026-03-05 0:00 UTC)),
        );
        assert_eq!(of(filter("modified_at=today")), today);
        assert_eq!(of(filter("modified_at=2026-03-04")), today);
        assert_eq!(
            of(filter("modified_at=%3E2026-03-03,%3C=2026-03-04")),
            today
        );
        assert_eq!(
            of(filter(
                "modified_at=%3E=2026-03-01T00:00:00Z,%3E=2026-03-04%2000:00:00"
            )),
            (today.0, None)
        );
        assert_eq!(filter("created_at=today").created.from, today.0);
    }

    #[test]
    fn counts_narrow_each_other() {
        let bounds = |query: &str| {
            let count = read(query, NOW).unwrap().filter.count;
            (count.from, count.before)
        };
        assert_eq!(bounds("count=7"), (Some(7), Some(8)));
        assert_eq!(bounds("count=%3E%202,%3C=9,%3E=5"), (Some(5), Some(10)));
        assert_eq!(bounds("count="), (None, None));
        for query in ["count=x", "count=-1", "count=9223372036854775807"] {
            let problems = read(query, NOW).unwrap_err();
            assert!(problems["count"][0].ends_with("is not a number"), "{query}");
        }
    }

    #[test]
    fn resolved_is_true_or_false() {
        let is_resolved = |query: &str| read(query, NOW).map(|query| query.filter.is_resolved);
        assert_eq!(is_resolved("resolved=true"), Ok(Some(true)));
        assert_eq!(is_resolved("resolved=false"), Ok(Some(false)));
        assert_eq!(is_resolved("resolved="), Ok(None));
        assert!(is_resolved("resolved=perhaps").is_err());
    }
}
