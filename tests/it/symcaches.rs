//! Symcaches of uploaded symbols, before anybody asks.

use reqwest::StatusCode;
use serde_json::Value;

use crate::support::{App, ID, Zip, eventually, sym};

const CONVERTED: &str = "symbold_symcache_lookups_total{result=\"converted\"}";

async fn upload(app: &App, bytes: Vec<u8>) {
    let archive = Zip::new().file(&format!("a.pdb/{ID}/a.sym"), bytes);
    let answer = app.upload(archive).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
}

/// What the server tells of the symcache.
async fn symcache(app: &App) -> Value {
    let answer = app.get(&format!("/api/explain/a.pdb/{ID}/a.sym")).await;
    let explained: Value = answer.json().await.unwrap();
    explained["symbolication"].clone()
}

async fn is_in_state(app: &App, state: &str) {
    let what = format!("the symcache is {state}");
    eventually(&what, async || symcache(app).await["state"] == state).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_sym_file_is_converted_after_its_upload_and_other_nodes_see_it() {
    let app = App::start().await;
    assert_eq!(symcache(&app).await, Value::Null);
    upload(&app, sym("a.pdb", ID, 1000)).await;
    is_in_state(&app, "usable").await;
    assert_eq!(app.metric(CONVERTED).await, 1);
    let known = symcache(&app).await;
    assert_eq!(known["source"], format!("a.pdb/{ID}/a.sym"));
    assert_eq!(
        (&known["version"], &known["line"]),
        (&"1-9".into(), &Value::Null)
    );
    let path = known["symcache"].as_str().unwrap();
    let is_stored = async || app.storage.head(path).await.unwrap().is_some();
    eventually("the symcache is stored", is_stored).await;
    let other = app.beside(|_| {}).await;
    assert_eq!(symcache(&other).await["state"], "stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_sym_file_is_explained() {
    let app = App::start().await;
    let damaged = format!(
        "MODULE windows x86_64 {ID} a.pdb\nFUNC what\n{}",
        "\n".repeat(70_000)
    );
    upload(&app, damaged.into_bytes()).await;
    is_in_state(&app, "damaged").await;
    assert_eq!(symcache(&app).await["line"], 2);
    // A good one takes its place, and is never answered for by what was known of the bad one.
    upload(&app, sym("a.pdb", ID, 1000)).await;
    is_in_state(&app, "usable").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn small_files_wait_until_they_are_asked_for() {
    let app = App::start().await;
    upload(&app, sym("a.pdb", ID, 3)).await;
    assert_eq!(symcache(&app).await["state"], "not_made");
    let off = App::with(|config| config.symbolication.prebuild = false).await;
    upload(&off, sym("a.pdb", ID, 1000)).await;
    assert_eq!(symcache(&off).await["state"], "not_made");
    assert_eq!(off.metric("symbold_symcache_queue_length").await, 0);
}
