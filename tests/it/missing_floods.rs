//! Names that clients invent, which fill the table of missing symbols up to its bound and no further.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use symbold::clock::ManualClock;
use time::macros::datetime;

use crate::support::{App, ID, eventually};

const MAX_ROWS: usize = 20;

fn path(name: &str) -> String {
    format!("/{name}.so/{ID}/{name}.so.sym")
}

async fn ask(app: &App, names: &[String]) {
    let paths: Vec<String> = names.iter().map(|name| path(name)).collect();
    join_all(paths.iter().map(|path| app.get(path))).await;
    app.missing().await;
}

/// The debug files in the table that begin so, with their counts.
fn rows<'rows>(records: &'rows [Value], name: &str) -> Vec<(&'rows str, u64)> {
    let rows = records.iter().map(|row| {
        let (name, count) = (row["symbol"].as_str(), row["count"].as_u64());
        (name.unwrap(), count.unwrap())
    });
    let mut rows: Vec<_> = rows.filter(|(row, _)| row.starts_with(name)).collect();
    rows.sort_unstable();
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn invented_names_are_bounded_and_push_out_nothing_that_is_missed() {
    let clock = Arc::new(ManualClock::at(datetime!(2026-03-04 22:00 UTC)));
    let change = |config: &mut symbold::config::Config| config.missing.max_rows = MAX_ROWS as u64;
    let app = App::with_clock_and(Arc::clone(&clock), change).await;
    let names = |name: &str, count: usize| -> Vec<String> {
        (0..count)
            .map(|number| format!("{name}{number:03}"))
            .collect()
    };
    let (missed, repeated) = (names("missed", 5), names("repeated", 2));
    ask(&app, &missed).await;
    clock.advance(Duration::from_hours(24));
    ask(&app, &missed).await;
    for _ in 0..3 {
        ask(&app, &repeated).await;
    }
    for wave in ["flood-a", "flood-b", "flood-c"] {
        clock.advance(Duration::from_mins(1));
        ask(&app, &names(wave, 60)).await;
    }
    let trimmed = async |standing: &str| {
        let name = format!("symbold_missing_trimmed_total{{standing=\"{standing}\"}}");
        app.metric(&name).await
    };
    eventually("the bound holds", async || {
        trimmed("once").await == 180 + 7 - MAX_ROWS as u64
    })
    .await;
    assert_eq!(
        (trimmed("repeated").await, trimmed("lasting").await),
        (0, 0)
    );

    let records = app.missing().await;
    assert_eq!(records.len(), MAX_ROWS);
    let expected = |names: &[String], count: u64| -> Vec<(String, u64)> {
        let names = names.iter();
        names.map(|name| (format!("{name}.so"), count)).collect()
    };
    let found = |name: &str| -> Vec<(String, u64)> {
        let rows = rows(&records, name).into_iter();
        rows.map(|(name, count)| (name.to_owned(), count)).collect()
    };
    assert_eq!(found("missed"), expected(&missed, 2));
    assert_eq!(found("repeated"), expected(&repeated, 3));
    assert_eq!(
        found("flood-c").len(),
        MAX_ROWS - 7,
        "the oldest went first"
    );
}
