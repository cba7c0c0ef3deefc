//! What every engine must do with pages of missing symbols.

use super::minute;
use super::missing::{add, asked, empty, symbol};
use crate::db::Database;
use crate::db::missing::{Bounds, MissingFilter, MissingOrder, PageRequest};

pub(super) async fn check_all(database: &dyn Database) {
    pages_are_ordered(database).await;
    pages_are_cut_by_offset_and_limit(database).await;
    texts_match_anywhere_and_literally(database).await;
    times_bound_a_page(database).await;
    first_times_and_counts_bound_a_page(database).await;
}

const BY_COUNT: PageRequest = PageRequest {
    order: MissingOrder::Count,
    descending: false,
    offset: 0,
    limit: 10_000,
};

async fn debug_files(
    database: &dyn Database,
    filter: &MissingFilter,
    page: PageRequest,
) -> Vec<String> {
    let page = database.missing_page(filter, page).await.unwrap();
    page.records
        .into_iter()
        .map(|record| record.symbol.debug_file)
        .collect()
}

/// Three rows that every order puts in another sequence, and a fourth that ties with the first by any of them.
async fn fill_for_ordering(database: &dyn Database) {
    empty(database).await;
    for (name, count, first, last) in [
        ("a", 5, 1, 9),
        ("b", 9, 2, 3),
        ("c", 2, 3, 5),
        ("d", 5, 1, 9),
    ] {
        for batch in [
            asked(symbol(name), 1, first),
            asked(symbol(name), count - 1, last),
        ] {
            add(database, &[batch]).await.unwrap();
        }
    }
}

async fn pages_are_ordered(database: &dyn Database) {
    fill_for_ordering(database).await;
    for (order, ascending) in [
        (MissingOrder::ModifiedAt, ["b", "c", "a", "d"]),
        (MissingOrder::CreatedAt, ["a", "d", "b", "c"]),
        (MissingOrder::Count, ["c", "a", "d", "b"]),
    ] {
        let mut page = PageRequest { order, ..BY_COUNT };
        let names = debug_files(database, &MissingFilter::default(), page).await;
        assert_eq!(names, ascending, "{order:?}");

        page.descending = true;
        let mut names = debug_files(database, &MissingFilter::default(), page).await;
        names.reverse();
        assert_eq!(names, ascending, "{order:?}, descending");
    }
}

async fn pages_are_cut_by_offset_and_limit(database: &dyn Database) {
    fill_for_ordering(database).await;
    for (offset, limit, expected) in [
        (0, 2, vec!["c", "a"]),
        (1, 2, vec!["a", "d"]),
        (3, 2, vec!["b"]),
        (4, 2, vec![]),
        (0, 0, vec![]),
        (u64::MAX, u32::MAX, vec![]),
    ] {
        let request = PageRequest {
            offset,
            limit,
            ..BY_COUNT
        };
        let page = database
            .missing_page(&MissingFilter::default(), request)
            .await
            .unwrap();
        assert_eq!(page.total, 4, "the total is that of all pages");
        let names: Vec<&str> = page
            .records
            .iter()
            .map(|record| record.symbol.debug_file.as_str())
            .collect();
        assert_eq!(names, expected, "from {offset}, at most {limit}");
    }
}

async fn texts_match_anywhere_and_literally(database: &dyn Database) {
    empty(database).await;
    let names = [
        "100%_off",
        "1000 off",
        "it's \"x\\y\"",
        "Ärger.pdb",
        "XUL.pdb",
    ];
    for (name, count) in names.into_iter().zip(1..) {
        let batch = [asked(symbol(name), count, 0)];
        add(database, &batch).await.unwrap();
    }
    for (part, expected) in [
        ("", &names[..]),
        ("%", &names[..1]),
        ("_", &names[..1]),
        ("100", &names[..2]),
        ("OFF", &names[..2]),
        ("'", &names[2..3]),
        ("\"X\\Y\"", &names[2..3]),
        ("Ärg", &names[3..4]),
        ("ärg", &[]),
        ("xul.PDB", &names[4..]),
        ("'; DROP TABLE missing_symbols; --", &[]),
    ] {
        let filter = MissingFilter {
            debug_file: Some(part.to_owned()),
            ..MissingFilter::default()
        };
        let page = database.missing_page(&filter, BY_COUNT).await.unwrap();
        assert_eq!(page.total, expected.len() as u64, "{part}");
        assert_eq!(debug_files(database, &filter, BY_COUNT).await, expected);
    }
    for (debug_id, file_name, expected) in [
        (Some("9369d6b9"), None, 5),
        (Some("xul"), None, 0),
        (None, Some("L.s"), 5),
        (Some("44E4"), Some("dll"), 0),
    ] {
        let filter = MissingFilter {
            debug_id: debug_id.map(str::to_owned),
            file_name: file_name.map(str::to_owned),
            ..MissingFilter::default()
        };
        let page = database.missing_page(&filter, BY_COUNT).await.unwrap();
        assert_eq!(page.total, expected, "{filter:?}");
    }
}

async fn times_bound_a_page(database: &dyn Database) {
    empty(database).await;
    for (name, minutes) in [("a", 1), ("b", 2), ("c", 3)] {
        let batch = [asked(symbol(name), 1, minutes)];
        add(database, &batch).await.unwrap();
    }
    for (from, before, expected) in [
        (Some(2), None, vec!["b", "c"]),
        (None, Some(2), vec!["a"]),
        (Some(1), Some(3), vec!["a", "b"]),
        (Some(2), Some(2), vec![]),
    ] {
        let filter = MissingFilter {
            modified: Bounds {
                from: from.map(minute),
                before: before.map(minute),
            },
            ..MissingFilter::default()
        };
        assert_eq!(debug_files(database, &filter, BY_COUNT).await, expected);
    }
}

fn bounds<T>(from: Option<T>, before: Option<T>) -> Bounds<T> {
    Bounds { from, before }
}

async fn first_times_and_counts_bound_a_page(database: &dyn Database) {
    fill_for_ordering(database).await;
    for (created, count, expected) in [
        (
            bounds(Some(minute(2)), None),
            bounds(None, None),
            vec!["c", "b"],
        ),
        (
            bounds(None, Some(minute(2))),
            bounds(None, None),
            vec!["a", "d"],
        ),
        (
            bounds(None, None),
            bounds(Some(5), None),
            vec!["a", "d", "b"],
        ),
        (bounds(None, None), bounds(Some(5), Some(9)), vec!["a", "d"]),
        (
            bounds(Some(minute(2)), None),
            bounds(None, Some(5)),
            vec!["c"],
        ),
    ] {
        let filter = MissingFilter {
            created,
            count,
            ..MissingFilter::default()
        };
        assert_eq!(
            debug_files(database, &filter, BY_COUNT).await,
            expected,
            "{filter:?}"
        );
    }
}
