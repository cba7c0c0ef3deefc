//! What every engine must do with missing symbols.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use super::minute;
use crate::db::Database;
use crate::db::missing::{
    MissingCount, MissingFilter, MissingOrder, MissingRecord, MissingSymbol, PageRequest,
};

pub(super) async fn check_all(database: &dyn Database) {
    a_new_symbol_makes_a_row(database).await;
    repeats_are_added_to_the_row(database).await;
    symbols_that_differ_in_any_part_are_rows_apart(database).await;
    an_empty_code_id_is_none(database).await;
    a_thousand_symbols_are_one_batch(database).await;
    concurrent_batches_lose_no_count(database).await;
    pages_are_ordered(database).await;
    pages_are_cut_by_offset_and_limit(database).await;
    texts_match_anywhere_and_literally(database).await;
    times_bound_a_page(database).await;
    all_rows_are_read_some_at_a_time(database).await;
    old_rows_expire(database).await;
}

const BY_COUNT: PageRequest = PageRequest {
    order: MissingOrder::Count,
    descending: false,
    offset: 0,
    limit: 10_000,
};

fn symbol(debug_file: &str) -> MissingSymbol {
    MissingSymbol {
        debug_file: debug_file.to_owned(),
        debug_id: "44E4EC8C2F41492B9369D6B9A059577C2".to_owned(),
        file_name: "xul.sym".to_owned(),
        code_file: None,
        code_id: None,
    }
}

fn asked(symbol: MissingSymbol, count: u64, minutes: i64) -> MissingCount {
    MissingCount {
        symbol,
        count,
        last_asked: minute(minutes),
    }
}

async fn empty(database: &dyn Database) {
    database.expire_missing(minute(1_000_000)).await.unwrap();
    assert_eq!(all(database).await, []);
}

async fn all(database: &dyn Database) -> Vec<MissingRecord> {
    database
        .missing_since(minute(-1_000_000), 0, 10_000)
        .await
        .unwrap()
}

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

async fn a_new_symbol_makes_a_row(database: &dyn Database) {
    empty(database).await;
    database.add_missing(&[]).await.unwrap();
    assert_eq!(all(database).await, []);

    let symbol = MissingSymbol {
        code_file: Some("汉 ' \".dll".to_owned()),
        code_id: Some("5DD8A8B1A4E000".to_owned()),
        ..symbol("汉.pdb")
    };
    let batch = [asked(symbol.clone(), u64::from(u32::MAX) * 8, 3)];
    database.add_missing(&batch).await.unwrap();
    let rows = all(database).await;
    let expected = MissingRecord {
        id: rows[0].id,
        symbol,
        count: u64::from(u32::MAX) * 8,
        created_at: minute(3),
        modified_at: minute(3),
    };
    assert_eq!(rows, [expected]);
}

async fn repeats_are_added_to_the_row(database: &dyn Database) {
    empty(database).await;
    for (count, minutes) in [(2, 5), (40, 9), (100, 7)] {
        let batch = [asked(symbol("a.pdb"), count, minutes)];
        database.add_missing(&batch).await.unwrap();
    }
    let rows = all(database).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].count, 142);
    assert_eq!(rows[0].created_at, minute(5));
    assert_eq!(
        rows[0].modified_at,
        minute(9),
        "a late batch does not turn the time back"
    );
}

async fn symbols_that_differ_in_any_part_are_rows_apart(database: &dyn Database) {
    empty(database).await;
    let plain = symbol("a.pdb");
    let mut debug_id = plain.clone();
    debug_id.debug_id = "AB".to_owned();
    let mut file_name = plain.clone();
    file_name.file_name = "xul.pd_".to_owned();
    let mut code_file = plain.clone();
    code_file.code_file = Some("a.dll".to_owned());
    let mut code_id = plain.clone();
    code_id.code_id = Some("a.dll".to_owned());
    let symbols = [
        plain,
        symbol("A.pdb"),
        debug_id,
        file_name,
        code_file,
        code_id,
    ];

    for _ in 0..2 {
        let batch: Vec<MissingCount> = symbols
            .iter()
            .cloned()
            .zip(1..)
            .map(|(symbol, count)| asked(symbol, count, 0))
            .collect();
        database.add_missing(&batch).await.unwrap();
    }
    let counts: BTreeMap<MissingSymbol, u64> = all(database)
        .await
        .into_iter()
        .map(|record| (record.symbol, record.count))
        .collect();
    let expected: BTreeMap<MissingSymbol, u64> =
        symbols.into_iter().zip([2, 4, 6, 8, 10, 12]).collect();
    assert_eq!(counts, expected);
}

async fn an_empty_code_id_is_none(database: &dyn Database) {
    empty(database).await;
    let none = symbol("a.pdb");
    let empty_texts = MissingSymbol {
        code_file: Some(String::new()),
        code_id: Some(String::new()),
        ..none.clone()
    };
    for symbol in [empty_texts, none.clone()] {
        database.add_missing(&[asked(symbol, 1, 0)]).await.unwrap();
    }
    let rows = all(database).await;
    assert_eq!(rows.len(), 1);
    assert_eq!((&rows[0].symbol, rows[0].count), (&none, 2));
}

async fn a_thousand_symbols_are_one_batch(database: &dyn Database) {
    empty(database).await;
    let batch: Vec<MissingCount> = (0..1_000)
        .map(|number| asked(symbol(&format!("{number}.pdb")), number + 1, 0))
        .collect();
    database.add_missing(&batch).await.unwrap();
    database.add_missing(&batch[500..]).await.unwrap();
    let page = database
        .missing_page(&MissingFilter::default(), BY_COUNT)
        .await
        .unwrap();
    let sum: u64 = page.records.iter().map(|record| record.count).sum();
    assert_eq!((page.total, sum), (1_000, 500_500 + 375_250));
}

async fn concurrent_batches_lose_no_count(database: &dyn Database) {
    empty(database).await;
    let batches = (0..16).map(|turn| async move {
        let mut batch: Vec<MissingCount> = (0..20)
            .map(|number| asked(symbol(&format!("{number}.pdb")), 3, turn))
            .collect();
        // Two that lock the same rows in opposite order must not end each other.
        if turn % 2 == 1 {
            batch.reverse();
        }
        database.add_missing(&batch).await
    });
    for added in join_all(batches).await {
        added.unwrap();
    }
    let rows = all(database).await;
    assert_eq!(rows.len(), 20);
    for row in rows {
        assert_eq!((row.count, row.modified_at), (48, minute(15)));
    }
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
            database.add_missing(&[batch]).await.unwrap();
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
        database.add_missing(&batch).await.unwrap();
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
        database.add_missing(&batch).await.unwrap();
    }
    for (from, before, expected) in [
        (Some(2), None, vec!["b", "c"]),
        (None, Some(2), vec!["a"]),
        (Some(1), Some(3), vec!["a", "b"]),
        (Some(2), Some(2), vec![]),
    ] {
        let filter = MissingFilter {
            modified_from: from.map(minute),
            modified_before: before.map(minute),
            ..MissingFilter::default()
        };
        assert_eq!(debug_files(database, &filter, BY_COUNT).await, expected);
    }
}

async fn all_rows_are_read_some_at_a_time(database: &dyn Database) {
    empty(database).await;
    let batch: Vec<MissingCount> = (0..50)
        .map(|number| asked(symbol(&format!("{number}.pdb")), 1, (number * 7) % 10))
        .collect();
    database.add_missing(&batch).await.unwrap();

    let mut read: Vec<MissingRecord> = Vec::new();
    loop {
        let after = read.last().map_or(0, |record| record.id);
        let rows = database.missing_since(minute(5), after, 4).await.unwrap();
        assert!(rows.len() <= 4);
        if rows.is_empty() {
            break;
        }
        read.extend(rows);
    }
    assert_eq!(read.len(), 25);
    assert!(read.is_sorted_by(|one, next| one.id < next.id));
    assert!(read.iter().all(|record| record.modified_at >= minute(5)));
}

async fn old_rows_expire(database: &dyn Database) {
    empty(database).await;
    for (name, minutes) in [("old", 1), ("on the boundary", 2), ("young", 3)] {
        let batch = [asked(symbol(name), 1, minutes)];
        database.add_missing(&batch).await.unwrap();
    }
    assert_eq!(database.expire_missing(minute(2)).await.unwrap(), 1);
    assert_eq!(database.expire_missing(minute(2)).await.unwrap(), 0);
    let left = debug_files(database, &MissingFilter::default(), BY_COUNT).await;
    assert_eq!(left, ["on the boundary", "young"]);
}
