//! What every engine must do with missing symbols whose files arrive.

use time::{Duration, OffsetDateTime};

use super::files::{file, store};
use super::missing::{add, asked, empty, symbol};
use super::{key, minute};
use crate::db::Database;
use crate::db::missing::{ARRIVAL_NEWS, MissingCount, MissingFilter, MissingOrder, PageRequest};
use crate::db::uploads::FileRecord;
use symbols::Store::{Regular, Try};

pub(super) async fn check_all(database: &dyn Database) {
    a_symbol_is_resolved_when_its_file_arrives(database).await;
    only_regular_uploads_of_the_very_file_resolve(database).await;
    another_spelling_of_a_windows_file_resolves(database).await;
    a_symbol_that_is_asked_for_later_is_missing_again(database).await;
    an_answer_that_came_before_the_news_changes_nothing(database).await;
    rows_are_chosen_by_whether_they_are_resolved(database).await;
}

/// Uploads of these tests end at this time.
fn arrival() -> OffsetDateTime {
    minute(2)
}

/// The file that [`symbol`] asks for.
fn file_of(name: &str) -> FileRecord {
    let wanted = symbol(&format!("{name}.pdb"));
    FileRecord {
        key: key(&format!(
            "{}/{}/{}",
            wanted.debug_file, wanted.debug_id, wanted.file_name
        )),
        ..file(name, &wanted.debug_id)
    }
}

fn asked_at(name: &str, last_asked: OffsetDateTime) -> MissingCount {
    MissingCount {
        last_asked,
        ..asked(symbol(&format!("{name}.pdb")), 1, 0)
    }
}

/// When each row was resolved, by both ways to read rows, which agree.
async fn resolved(database: &dyn Database) -> Vec<Option<OffsetDateTime>> {
    let rows = database
        .missing_since(minute(-1_000_000), 0, 10_000)
        .await
        .unwrap();
    assert_eq!(
        page(database, None).await,
        rows.iter()
            .map(|row| row.symbol.debug_file.clone())
            .collect::<Vec<_>>()
    );
    rows.into_iter().map(|row| row.resolved_at).collect()
}

/// Debug files of the rows that are resolved, or are not, or of all.
async fn page(database: &dyn Database, is_resolved: Option<bool>) -> Vec<String> {
    let filter = MissingFilter {
        is_resolved,
        ..MissingFilter::default()
    };
    let request = PageRequest {
        order: MissingOrder::CreatedAt,
        descending: false,
        offset: 0,
        limit: 100,
    };
    let page = database.missing_page(&filter, request).await.unwrap();
    assert_eq!(page.total, page.records.len() as u64);
    page.records
        .into_iter()
        .map(|row| row.symbol.debug_file)
        .collect()
}

async fn a_symbol_is_resolved_when_its_file_arrives(database: &dyn Database) {
    empty(database).await;
    add(database, &[asked_at("arriving", minute(0))])
        .await
        .unwrap();
    assert_eq!(resolved(database).await, [None]);
    store(database, Regular, vec![file_of("arriving")]).await;
    assert_eq!(resolved(database).await, [Some(arrival())]);

    // The counts of a moment may be written after an upload that ended in it.
    add(database, &[asked_at("arriving", minute(1))])
        .await
        .unwrap();
    assert_eq!(resolved(database).await, [Some(arrival())]);
}

async fn only_regular_uploads_of_the_very_file_resolve(database: &dyn Database) {
    empty(database).await;
    add(database, &[asked_at("other", minute(0))])
        .await
        .unwrap();
    store(database, Try, vec![file_of("other")]).await;
    let mut other_file = file_of("other");
    other_file.key = key(&other_file.key.to_string().replace(".sym", ".pd_"));
    store(database, Regular, vec![other_file]).await;
    assert_eq!(resolved(database).await, [None]);
}

async fn another_spelling_of_a_windows_file_resolves(database: &dyn Database) {
    empty(database).await;
    // One after the other: the rows of one batch have no order among themselves.
    for name in ["LOUD.PDB", "LOUD.SO"] {
        let asked = asked(symbol(name), 1, 0);
        add(database, &[asked]).await.unwrap();
    }
    assert_eq!(resolved(database).await, [None, None]);
    let of_linux = FileRecord {
        key: key(&file_of("loud").key.to_string().replace(".pdb", ".so")),
        ..file_of("loud")
    };
    store(database, Regular, vec![file_of("loud"), of_linux]).await;
    assert_eq!(resolved(database).await, [Some(arrival()), None]);
}

async fn a_symbol_that_is_asked_for_later_is_missing_again(database: &dyn Database) {
    empty(database).await;
    store(database, Regular, vec![file_of("again")]).await;
    add(database, &[asked_at("again", minute(3))])
        .await
        .unwrap();
    assert_eq!(resolved(database).await, [None]);
}

async fn an_answer_that_came_before_the_news_changes_nothing(database: &dyn Database) {
    empty(database).await;
    store(database, Regular, vec![file_of("news")]).await;
    add(database, &[asked_at("news", arrival() + ARRIVAL_NEWS)])
        .await
        .unwrap();
    assert_eq!(resolved(database).await, [Some(arrival())]);
    let later = arrival() + ARRIVAL_NEWS + Duration::MICROSECOND;
    add(database, &[asked_at("news", later)]).await.unwrap();
    assert_eq!(resolved(database).await, [None]);
}

async fn rows_are_chosen_by_whether_they_are_resolved(database: &dyn Database) {
    empty(database).await;
    add(
        database,
        &[asked_at("here", minute(0)), asked_at("still", minute(1))],
    )
    .await
    .unwrap();
    store(database, Regular, vec![file_of("here")]).await;
    assert_eq!(page(database, Some(true)).await, ["here.pdb"]);
    assert_eq!(page(database, Some(false)).await, ["still.pdb"]);
    assert_eq!(page(database, None).await, ["here.pdb", "still.pdb"]);
}
