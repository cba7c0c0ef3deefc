//! Why a symbol is missing.

use reqwest::StatusCode;
use serde_json::{Value, json};
use symbold::auth::Permission;

use crate::support::backends::are_services;
use crate::support::{App, ID, Zip, sym};

const CODE_ID: &str = "5E9A1234F000";

async fn with_xul() -> App {
    let app = App::start().await;
    let archive = Zip::new().file(&format!("xul.pdb/{ID}/xul.sym"), sym("xul.pdb", ID, 1));
    assert_eq!(app.upload(archive).await.status, StatusCode::CREATED);
    app
}

async fn explain(app: &App, path: &str) -> Value {
    let response = app.get(&format!("/api/explain{path}")).await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    assert_eq!(response.headers()["cache-control"], "no-store");
    response.json().await.unwrap()
}

/// One member of each of the lookups.
fn each<'a>(explanation: &'a Value, list: &str, member: &str) -> Vec<&'a Value> {
    let list = explanation[list].as_array().unwrap();
    list.iter().map(|item| &item[member]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_symbol_is_explained_without_being_counted_or_remembered() {
    let app = with_xul().await;
    let other_id = "0123456789ABCDEF0123456789ABCDEF12";
    let path = format!("/xul.pdb/{other_id}/xul.sym");
    let calls = app.storage_calls("head").await;
    for _ in 0..2 {
        let explanation = explain(&app, &path).await;
        assert_eq!(explanation["verdict"], "missing");
        assert_eq!(
            each(&explanation, "lookups", "answer"),
            ["absent", "absent"]
        );
        assert_eq!(
            each(&explanation, "lookups", "from"),
            ["asked now", "asked now"]
        );
        let decimal = "xul.pdb/0123456789ABCDEF0123456789ABCDEFC/xul.sym";
        let asked = format!("xul.pdb/{other_id}/xul.sym");
        assert_eq!(
            each(&explanation, "lookups", "name"),
            [&json!(asked), &json!(decimal)]
        );
        let path = format!("v1/{asked}");
        assert_eq!(each(&explanation, "lookups", "path")[0], path.as_str());
        assert_eq!(
            explanation["missing"],
            json!({"count": 0, "last_asked": null})
        );
        assert_eq!(each(&explanation, "ids", "debug_id"), [ID]);
    }
    assert_eq!(
        app.storage_calls("head").await,
        calls + 4,
        "nothing is remembered"
    );
    assert_eq!(app.missing().await, Vec::<Value>::new());

    assert_eq!(app.status(&path).await, StatusCode::NOT_FOUND);
    assert_eq!(app.missing().await.len(), 1);
    let calls = app.storage_calls("head").await;
    let explanation = explain(&app, &path).await;
    assert_eq!(explanation["missing"]["count"], 1);
    if !are_services() {
        assert_eq!(each(&explanation, "lookups", "from"), ["memory", "memory"]);
        assert!(
            each(&explanation, "lookups", "age_seconds")[0]
                .as_f64()
                .unwrap()
                < 20.0
        );
        assert_eq!(app.storage_calls("head").await, calls);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_or_never_can_be_is_explained() {
    let app = with_xul().await;
    for (path, verdict) in [
        (format!("/xul.pdb/{ID}/xul.sym"), "held"),
        (format!("/xul.pdb/{ID}/file.ptr"), "ignored"),
        (format!("/xul.pdb/{ID}/xul.pdb"), "ignored"),
        (format!("/xul%3C.pdb/{ID}/xul.sym"), "illegal"),
        (format!("/xul.dll/{CODE_ID}/xul.sym"), "renamed"),
        (format!("/gone.dll/{CODE_ID}/gone.sym"), "missing"),
    ] {
        let explanation = explain(&app, &path).await;
        assert_eq!(explanation["verdict"], verdict, "{explanation}");
        // Other spellings of a code file are looked for only if the exact one is not known.
        let asked = match (path.contains(CODE_ID), verdict) {
            (false, _) => 0,
            (true, "renamed") => 1,
            (true, _) => 2,
        };
        let modules = explanation["modules"].as_array().unwrap();
        assert_eq!(modules.len(), asked, "{path}");
    }
    let renamed = explain(&app, &format!("/xul.dll/{CODE_ID}/xul.sym")).await;
    assert_eq!(renamed["modules"][0]["found"]["debug_id"], ID);
    for path in ["/api/explain", "/api/explain/", "/api/explain/a/x/c"] {
        assert_eq!(app.status(path).await, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn try_symbols_are_told_to_those_who_ask_for_them() {
    let app = App::start().await;
    let token = app.token("try@example.com", &[Permission::UploadTrySymbols], 1);
    let archive = Zip::new().file(&format!("xul.pdb/{ID}/xul.sym"), sym("xul.pdb", ID, 1));
    let answer = app.upload_as(&token.await, archive).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let path = format!("/xul.pdb/{ID}/xul.sym");
    let explanation = explain(&app, &path).await;
    assert_eq!(explanation["verdict"], "missing");
    assert_eq!(explanation["ids"], json!([]));
    assert_eq!(each(&explanation, "lookups", "symbols"), ["regular"]);
    for path in [format!("/try{path}"), format!("{path}?try")] {
        let explanation = explain(&app, &path).await;
        assert_eq!(explanation["verdict"], "held");
        assert_eq!(each(&explanation, "lookups", "symbols"), ["regular", "try"]);
        assert_eq!(each(&explanation, "ids", "symbols"), ["try"]);
    }
}
