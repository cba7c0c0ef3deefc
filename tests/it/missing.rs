//! Missing symbols: what is counted, and how it is read back.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use symbold::clock::ManualClock;
use time::macros::datetime;

use crate::support::{App, ID, Zip, sym};

fn path(name: &str) -> String {
    format!("/{name}.pdb/{ID}/{name}.sym")
}

/// Counts by debug file.
fn counts(records: &[Value]) -> Vec<(String, u64)> {
    let mut counts: Vec<_> = records
        .iter()
        .map(|record| {
            (
                record["symbol"].as_str().unwrap().to_owned(),
                record["count"].as_u64().unwrap(),
            )
        })
        .collect();
    counts.sort();
    counts
}

async fn csv(app: &App, query: &str) -> Vec<String> {
    let text = app
        .get(&format!("/missingsymbols.csv{query}"))
        .await
        .text()
        .await
        .unwrap();
    assert!(text.ends_with("\r\n"));
    text.split_terminator("\r\n").map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_real_misses_of_get_are_counted() {
    let app = App::start().await;
    for _ in 0..3 {
        app.get(&path("gone")).await;
        app.get(&path("gone").replace(ID, &ID.to_lowercase())).await;
    }
    app.get(&format!("/try{}", path("gone"))).await;
    app.head(&path("gone")).await;
    app.get(&format!("/gone.pdb/{ID}/gone.exe")).await;
    app.get(&format!("/gone.pdb/{ID}/file.ptr")).await;
    app.get(&format!("/go%3Cne.pdb/{ID}/gone.sym")).await;
    app.get(&format!("/{0}.pdb/{ID}/{0}.sym", "x".repeat(151)))
        .await;
    assert_eq!(counts(&app.missing().await), [("gone.pdb".to_owned(), 7)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parts_of_one_download_are_one_want() {
    let app = App::start().await;
    app.head(&path("gone")).await;
    for range in [
        "bytes=0-134217727",
        "bytes=134217728-268435455",
        "bytes=268435456-",
        "bytes=-100",
    ] {
        let request = app.request(Method::GET, &path("gone"));
        let response = request.header("Range", range).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{range}");
    }
    assert_eq!(counts(&app.missing().await), [("gone.pdb".to_owned(), 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_client_says_of_the_module_makes_rows_of_their_own() {
    let app = App::start().await;
    for query in [
        "",
        "?code_file=",
        "?code_file=gone.dll",
        "?code_id=AB",
        "?code_file=gone.dll&code_id=AB",
        "?code_file=%F0%9F%8D%AA",
    ] {
        assert_eq!(
            app.status(&format!("{}{query}", path("gone"))).await,
            StatusCode::NOT_FOUND
        );
    }
    let mut rows: Vec<_> = app
        .missing()
        .await
        .iter()
        .map(|row| {
            (
                row["code_file"].clone(),
                row["code_id"].clone(),
                row["count"].clone(),
            )
        })
        .collect();
    rows.sort_by_key(|row| format!("{row:?}"));
    let mut expected = vec![
        (json!(null), json!(null), json!(2)),
        (json!("gone.dll"), json!(null), json!(1)),
        (json!(null), json!("AB"), json!(1)),
        (json!("gone.dll"), json!("AB"), json!(1)),
        (json!("🍪"), json!(null), json!(1)),
    ];
    expected.sort_by_key(|row| format!("{row:?}"));
    assert_eq!(rows, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn nul_is_refused_on_get_and_passed_over_on_head() {
    let app = App::start().await;
    for parameter in ["code_file", "code_id"] {
        let path = format!("{}?{parameter}=a%00b", path("gone"));
        let response = app.get(&path).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(
            response.text().await.unwrap(),
            format!("{parameter}: Null characters are not allowed.")
        );
        assert_eq!(app.head(&path).await.status(), StatusCode::NOT_FOUND);
    }
    assert!(app.missing().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_exact_under_concurrency_and_survive_a_restart() {
    let app = App::with(|config| config.missing.flush_every = Duration::from_hours(1)).await;
    let paths: Vec<_> = (0..400)
        .map(|number| path(&format!("gone{}", number % 4)))
        .collect();
    join_all(paths.iter().map(|path| app.get(path))).await;
    // Nothing is written within the hour, so all of it must be written while the server stops.
    let app = app.restart().await;
    let expected: Vec<_> = (0..4)
        .map(|number| (format!("gone{number}.pdb"), 100))
        .collect();
    assert_eq!(counts(&app.missing().await), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_symbols_beyond_the_bound_are_dropped_and_counted() {
    let app = App::with(|config| {
        config.missing.pending_limit = 2;
        config.missing.flush_every = Duration::from_hours(1);
    })
    .await;
    for name in ["a", "b", "c", "a"] {
        app.get(&path(name)).await;
    }
    assert_eq!(app.metric("symbold_missing_noted_total").await, 3);
    assert_eq!(app.metric("symbold_missing_dropped_total").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn repeats_count_once_per_window_where_that_is_wanted() {
    let app = App::with(|config| config.missing.repeat_window = Duration::from_hours(24)).await;
    for _ in 0..5 {
        app.get(&path("gone")).await;
        app.get(&format!("{}?code_id=AB", path("gone"))).await;
    }
    let records = app.missing().await;
    assert_eq!(
        counts(&records),
        [("gone.pdb".to_owned(), 1), ("gone.pdb".to_owned(), 1)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_csv_has_windows_symbols_of_the_period() {
    let clock = Arc::new(ManualClock::at(datetime!(2026-03-04 22:00 UTC)));
    let app = App::with_clock(Arc::clone(&clock)).await;
    app.get(&format!("{}?code_file=old.dll", path("old"))).await;
    app.missing().await;
    clock.advance(Duration::from_hours(3));
    app.get(&format!("{}?code_file=%3D1%2B1&code_id=%40x", path("new")))
        .await;
    app.missing().await;
    app.get(&format!("/libnew.so/{ID}/libnew.so.sym")).await;
    app.missing().await;
    let heading = "debug_file,debug_id,code_file,code_id".to_owned();
    let old = format!("old.pdb,{ID},old.dll,");
    let new = format!("new.pdb,{ID},'=1+1,'@x");
    assert_eq!(
        csv(&app, "").await,
        [heading.clone(), old.clone(), new.clone()]
    );
    assert_eq!(csv(&app, "?today").await, [heading.clone(), new.clone()]);
    assert_eq!(
        csv(&app, "?all").await,
        [
            heading.clone(),
            old.clone(),
            new.clone(),
            format!("libnew.so,{ID},,")
        ]
    );
    clock.advance(Duration::from_hours(48));
    assert_eq!(csv(&app, "").await.len(), 1);
    assert_eq!(csv(&app, "?days=7").await, [heading, old, new]);
    assert_eq!(
        app.status("/missingsymbols.csv?days=x").await,
        StatusCode::BAD_REQUEST
    );
    let response = app.get("/missingsymbols.csv").await;
    assert_eq!(
        response.headers()["content-type"],
        "text/csv; charset=utf-8"
    );
    let name = "attachment; filename=\"missing-symbols-2026-03-06.csv\"";
    assert_eq!(response.headers()["content-disposition"], name);
    let today = app.get("/missingsymbols.csv?today=1").await;
    assert!(
        today.headers()["content-disposition"]
            .to_str()
            .unwrap()
            .contains("2026-03-07")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_filtered_sorted_and_paged() {
    let app = App::start().await;
    for number in 0..105 {
        for _ in 0..=(number % 3) {
            app.get(&path(&format!("mod{number:03}"))).await;
        }
    }
    app.missing().await;
    let list = async |query: &str| {
        app.get(&format!("/missingsymbols/{query}"))
            .await
            .json::<Value>()
            .await
            .unwrap()
    };
    let first = list("").await;
    assert_eq!(
        first["order_by"],
        json!({"sort": "modified_at", "reverse": true})
    );
    assert_eq!(
        (&first["batch_size"], &first["page"], &first["total_count"]),
        (&json!(100), &json!(1), &json!(105))
    );
    assert_eq!(first["records"].as_array().unwrap().len(), 100);
    assert_eq!(
        list("?page=2").await["records"].as_array().unwrap().len(),
        5
    );
    let filtered = list("?symbol=MOD00&filename=.sym&debugid=44e4&sort=count&reverse=true").await;
    assert_eq!(filtered["total_count"], 10);
    assert_eq!(filtered["records"][0]["count"], 3);
    assert_eq!(list("?symbol=%25").await["total_count"], 0);
    assert_eq!(list("?modified_at=today").await["total_count"], 105);
    assert_eq!(list("?modified_at=%3Ctoday").await["total_count"], 0);
    let record = first["records"][0].as_object().unwrap();
    let fields = [
        "id",
        "symbol",
        "debugid",
        "filename",
        "code_file",
        "code_id",
        "count",
        "modified_at",
        "created_at",
        "resolved_at",
    ];
    assert!(fields.iter().all(|field| record.contains_key(*field)) && record.len() == fields.len());
    let response = app.get("/missingsymbols/?page=x&sort=drop").await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let json: Value = response.json().await.unwrap();
    assert_eq!(
        json["errors"],
        json!({"page": ["Not a number 'x'"], "sort": ["Invalid sort 'drop'"]})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_closed_by_the_upload_of_its_file() {
    let app = App::start().await;
    for name in ["here", "still"] {
        app.get(&path(name)).await;
    }
    app.missing().await;
    let archive = Zip::new().file(&path("here")[1..], sym("here.pdb", ID, 1));
    let uploaded = app.upload(archive.bytes()).await;
    let completed_at = &uploaded.json["upload"]["completed_at"];
    let list = async |query: &str| {
        let response = app.get(&format!("/missingsymbols/{query}")).await;
        response.json::<Value>().await.unwrap()["records"].clone()
    };
    let here = list("?resolved=true").await;
    assert_eq!(here[0]["symbol"], "here.pdb");
    assert_eq!(&here[0]["resolved_at"], completed_at);
    let still = list("?resolved=false").await;
    assert_eq!(
        counts(still.as_array().unwrap()),
        [("still.pdb".to_owned(), 1)]
    );
    assert_eq!(still[0]["resolved_at"], Value::Null);
    assert_eq!(list("").await.as_array().unwrap().len(), 2);
    assert_eq!(csv(&app, "").await[1..], [format!("still.pdb,{ID},,")]);
    assert_eq!(csv(&app, "?all").await[1..], [format!("still.pdb,{ID},,")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_csv_has_one_line_for_the_files_of_one_module() {
    let app = App::start().await;
    for name in ["libgrain.so.sym", "libgrain.so.dbg.gz", "libgrain.so.ex_"] {
        app.get(&format!("/libgrain.so/{ID}/{name}")).await;
    }
    app.get(&format!("/libgrain.so/{ID}/libgrain.so.sym?code_id=AB"))
        .await;
    assert_eq!(app.missing().await.len(), 4);
    let mut lines = csv(&app, "?all").await.split_off(1);
    lines.sort();
    let expected = ["", "AB"].map(|code_id| format!("libgrain.so,{ID},,{code_id}"));
    assert_eq!(lines, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_summary_counts_what_was_asked_for_lately() {
    let clock = Arc::new(ManualClock::at(datetime!(2026-03-04 22:00 UTC)));
    let app = App::with_clock(Arc::clone(&clock)).await;
    for (name, days) in [("a", 7), ("b", 3), ("c", 0)] {
        for number in 0..11 {
            app.get(&path(&format!("{name}{number}"))).await;
        }
        app.get(&path(&format!("{name}0"))).await;
        app.missing().await;
        clock.advance(Duration::from_hours(24 * days));
    }
    let summary = async |query: &str| {
        let response = app.get(&format!("/api/downloads/missing/{query}")).await;
        assert_eq!(response.status(), StatusCode::OK, "{query}");
        response.json::<Value>().await.unwrap()
    };
    let all = summary("").await;
    assert_eq!(all["batch_size"], 20);
    assert_eq!(all["total"], 33);
    assert_eq!(
        all["order_by"],
        json!({"sort": "modified_at", "reverse": true})
    );
    assert_eq!(
        all["aggregates"]["missing"],
        json!({"total": 33, "last_1_days": 11, "last_5_days": 22, "last_10_days": 33, "last_30_days": 33})
    );
    assert_eq!(all["missing"].as_array().unwrap().len(), 20);
    assert_eq!(
        summary("?page=2").await["missing"]
            .as_array()
            .unwrap()
            .len(),
        13
    );
    let twice = summary("?count=%3E1&symbol=a").await;
    assert_eq!(
        counts(twice["missing"].as_array().unwrap()),
        [("a0.pdb".to_owned(), 2)]
    );
    assert_eq!(twice["aggregates"]["missing"]["last_5_days"], 0);
    assert_eq!(summary("?created_at=yesterday").await["total"], 0);
    assert_eq!(
        app.status("/api/downloads/missing/?count=many").await,
        StatusCode::BAD_REQUEST
    );
}
