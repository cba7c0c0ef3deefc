//! What every engine must do with missing symbols.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use super::minute;
use crate::db::missing::{
    BatchId, MissingCount, MissingDemand, MissingPlace, MissingRecord, MissingSymbol,
};
use crate::db::{Database, DbError};

pub(super) async fn check_all(database: &dyn Database) {
    a_new_symbol_makes_a_row(database).await;
    repeats_are_added_to_the_row(database).await;
    symbols_that_differ_in_any_part_are_rows_apart(database).await;
    an_empty_code_id_is_none(database).await;
    spellings_of_a_windows_module_are_one_row(database).await;
    a_thousand_symbols_are_one_batch(database).await;
    concurrent_batches_lose_no_count(database).await;
    a_batch_that_is_sent_again_counts_once(database).await;
    the_batches_of_a_writer_count_in_order(database).await;
    a_batch_that_fails_counts_when_it_is_sent_again(database).await;
    names_may_be_as_long_as_the_grammar_allows(database).await;
    all_rows_are_read_some_at_a_time(database).await;
    old_rows_expire(database).await;
    rows_are_read_by_age_and_removed(database).await;
}

pub(super) fn symbol(debug_file: &str) -> MissingSymbol {
    MissingSymbol {
        debug_file: debug_file.to_owned(),
        debug_id: "44E4EC8C2F41492B9369D6B9A059577C2".to_owned(),
        file_name: "xul.sym".to_owned(),
        code_file: None,
        code_id: None,
    }
}

pub(super) fn asked(symbol: MissingSymbol, count: u64, minutes: i64) -> MissingCount {
    MissingCount {
        symbol,
        count,
        last_asked: minute(minutes),
    }
}

/// Adds a batch of a writer that adds no other.
pub(super) async fn add(database: &dyn Database, counts: &[MissingCount]) -> Result<(), DbError> {
    database.add_missing(first_batch(), counts).await
}

/// The first batch of another writer with every call.
fn first_batch() -> BatchId {
    let mut writer = [0; 16];
    getrandom::fill(&mut writer).unwrap();
    BatchId { writer, number: 1 }
}

pub(super) async fn empty(database: &dyn Database) {
    database.expire_missing(minute(1_000_000)).await.unwrap();
    assert_eq!(all(database).await, []);
}

async fn all(database: &dyn Database) -> Vec<MissingRecord> {
    database
        .missing_since(minute(-1_000_000), 0, 10_000)
        .await
        .unwrap()
}

async fn a_new_symbol_makes_a_row(database: &dyn Database) {
    empty(database).await;
    add(database, &[]).await.unwrap();
    assert_eq!(all(database).await, []);

    let symbol = MissingSymbol {
        code_file: Some("汉 ' \".dll".to_owned()),
        code_id: Some("5DD8A8B1A4E000".to_owned()),
        ..symbol("汉.pdb")
    };
    let batch = [asked(symbol.clone(), u64::from(u32::MAX) * 8, 3)];
    add(database, &batch).await.unwrap();
    let rows = all(database).await;
    let expected = MissingRecord {
        id: rows[0].id,
        symbol,
        count: u64::from(u32::MAX) * 8,
        created_at: minute(3),
        modified_at: minute(3),
        resolved_at: None,
    };
    assert_eq!(rows, [expected]);
}

async fn repeats_are_added_to_the_row(database: &dyn Database) {
    empty(database).await;
    for (count, minutes) in [(2, 5), (40, 9), (100, 7)] {
        let batch = [asked(symbol("a.pdb"), count, minutes)];
        add(database, &batch).await.unwrap();
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
        symbol("b.pdb"),
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
        add(database, &batch).await.unwrap();
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

async fn spellings_of_a_windows_module_are_one_row(database: &dyn Database) {
    empty(database).await;
    let spelled = |debug_file: &str, code_file: &str, code_id: &str| MissingSymbol {
        code_file: Some(code_file.to_owned()),
        code_id: Some(code_id.to_owned()),
        ..symbol(debug_file)
    };
    let first = spelled("Mill.pdb", "MILL.EXE", "5e9a1234F000");
    for symbol in [
        &first,
        &spelled("MILL.PDB", "mill.exe", "5E9A1234F000"),
        &spelled("mill.pdb", "Mill.exe", "5e9a1234f000"),
    ] {
        add(database, &[asked(symbol.clone(), 2, 3)]).await.unwrap();
    }
    let rows = all(database).await;
    let rows: Vec<_> = rows.iter().map(|row| (&row.symbol, row.count)).collect();
    assert_eq!(rows, [(&first, 6)], "it keeps its first spelling");
    for name in ["libMill.so", "LIBMILL.SO"] {
        add(database, &[asked(symbol(name), 1, 3)]).await.unwrap();
    }
    assert_eq!(all(database).await.len(), 3, "other names have letter case");
    empty(database).await;
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
        add(database, &[asked(symbol, 1, 0)]).await.unwrap();
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
    add(database, &batch).await.unwrap();
    add(database, &batch[500..]).await.unwrap();
    let rows = all(database).await;
    let sum: u64 = rows.iter().map(|row| row.count).sum();
    assert_eq!((rows.len(), sum), (1_000, 500_500 + 375_250));
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
        add(database, &batch).await
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

async fn a_batch_that_is_sent_again_counts_once(database: &dyn Database) {
    empty(database).await;
    let id = first_batch();
    let batch = [asked(symbol("a.pdb"), 3, 0), asked(symbol("b.pdb"), 4, 0)];
    database.add_missing(id, &batch).await.unwrap();
    let again = (0..8).map(|_| database.add_missing(id, &batch));
    for added in join_all(again).await {
        added.unwrap();
    }
    let mut counts: Vec<u64> = all(database).await.iter().map(|row| row.count).collect();
    counts.sort_unstable();
    assert_eq!(counts, [3, 4]);
}

async fn the_batches_of_a_writer_count_in_order(database: &dyn Database) {
    empty(database).await;
    let (one, other) = (first_batch(), first_batch());
    for (id, number, count) in [
        (one, 1, 1),
        (one, 2, 10),
        (other, 2, 100),
        (one, 1, 1_000),
        (one, u32::MAX, 10_000),
        (other, 3, 100_000),
    ] {
        let batch = [asked(symbol("a.pdb"), count, 0)];
        let id = BatchId { number, ..id };
        database.add_missing(id, &batch).await.unwrap();
    }
    assert_eq!(all(database).await[0].count, 110_111);
}

async fn a_batch_that_fails_counts_when_it_is_sent_again(database: &dyn Database) {
    empty(database).await;
    let id = first_batch();
    let too_many = [
        asked(symbol("a.pdb"), 1, 0),
        asked(symbol("b.pdb"), u64::MAX, 0),
    ];
    let refused = database.add_missing(id, &too_many).await;
    assert!(matches!(refused, Err(DbError::Conflict(_))), "{refused:?}");
    assert_eq!(all(database).await, []);
    database.add_missing(id, &too_many[..1]).await.unwrap();
    assert_eq!(all(database).await[0].count, 1);
}

async fn names_may_be_as_long_as_the_grammar_allows(database: &dyn Database) {
    empty(database).await;
    // A cookie is no letter that any collation or index could shorten.
    let long = |last: &str| format!("{}{last}", "🍪".repeat(149));
    let symbols = ["a", "b"].map(|last| MissingSymbol {
        debug_file: long("x"),
        debug_id: long("x"),
        file_name: long("x"),
        code_file: Some(long("x")),
        code_id: Some(long(last)),
    });
    let batch = symbols.clone().map(|symbol| asked(symbol, 1, 0));
    add(database, &batch).await.unwrap();
    add(database, &batch).await.unwrap();
    let read = all(database).await.into_iter();
    let counts: BTreeMap<MissingSymbol, u64> = read.map(|row| (row.symbol, row.count)).collect();
    assert_eq!(counts, symbols.map(|symbol| (symbol, 2)).into());
}

async fn all_rows_are_read_some_at_a_time(database: &dyn Database) {
    empty(database).await;
    let batch: Vec<MissingCount> = (0..50)
        .map(|number| asked(symbol(&format!("{number}.pdb")), 1, (number * 7) % 10))
        .collect();
    add(database, &batch).await.unwrap();

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
        add(database, &batch).await.unwrap();
    }
    assert_eq!(database.expire_missing(minute(2)).await.unwrap(), 1);
    assert_eq!(database.expire_missing(minute(2)).await.unwrap(), 0);
    let left = all(database).await.into_iter();
    let left: Vec<String> = left.map(|row| row.symbol.debug_file).collect();
    assert_eq!(left, ["on the boundary", "young"]);
}

async fn rows_are_read_by_age_and_removed(database: &dyn Database) {
    empty(database).await;
    assert_eq!(database.missing_total().await.unwrap(), 0);
    for (name, minutes) in [("c", 3), ("a", 1), ("b", 2), ("d", 3), ("a", 2)] {
        add(database, &[asked(symbol(name), 1, minutes)])
            .await
            .unwrap();
    }
    assert_eq!(database.missing_total().await.unwrap(), 4);

    let mut read = Vec::new();
    let mut place = MissingPlace::START;
    loop {
        let rows = database.missing_by_age(place, 3).await.unwrap();
        let Some(last) = rows.last() else { break };
        place = last.place();
        read.extend(rows);
    }
    assert!(read.is_sorted_by_key(MissingDemand::place));
    let ages: Vec<_> = read
        .iter()
        .map(|row| (row.count, row.created_at, row.modified_at))
        .collect();
    let expected = [(2, 1, 2), (1, 2, 2), (1, 3, 3), (1, 3, 3)]
        .map(|(count, first, last)| (count, minute(first), minute(last)));
    // The row of "a" is older than that of "b", and was last asked for at the same time.
    assert_eq!(ages, expected);

    add(database, &[asked(symbol("b"), 1, 2)]).await.unwrap();
    assert_eq!(database.remove_missing(&[]).await.unwrap(), 0);
    assert_eq!(database.remove_missing(&read[..3]).await.unwrap(), 2);
    let left = all(database).await.into_iter();
    let mut left: Vec<String> = left.map(|row| row.symbol.debug_file).collect();
    left.sort();
    assert_eq!(left, ["b", "d"], "one was asked for since it was read");
    assert_eq!(database.remove_missing(&read).await.unwrap(), 1);
}
