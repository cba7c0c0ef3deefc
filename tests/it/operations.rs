//! What operators see: health, version, metrics, and a documentation that keeps up with them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::backends::{are_services, needs_embedded_storage};
use crate::support::{App, Zip};

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_and_version() {
    let app = App::start().await;
    let alive = app.get("/__lbheartbeat__").await;
    assert_eq!(alive.status(), StatusCode::OK);
    assert!(alive.text().await.unwrap().is_empty());
    let heartbeat: Value = app.get("/__heartbeat__").await.json().await.unwrap();
    let mut checks = json!({"storage": "ok", "database": "ok", "objects": "ok"});
    if are_services() {
        checks["cache"] = "ok".into();
    }
    assert_eq!(
        heartbeat,
        json!({"status": "ok", "checks": checks, "details": {}})
    );
    let version: Value = app.get("/__version__").await.json().await.unwrap();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    let front = app.get("/").await.text().await.unwrap();
    assert!(front.contains("/missingsymbols.csv"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_heartbeat_names_a_dependency_that_is_down() {
    if needs_embedded_storage("the_heartbeat_names_a_dependency_that_is_down") {
        return;
    }
    let app = App::start().await;
    fs::remove_dir_all(app.data_dir().join("objects")).unwrap();
    let response = app.get("/__heartbeat__").await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let json: Value = response.json().await.unwrap();
    assert_eq!(
        (&json["status"], &json["checks"]),
        (
            &json!("error"),
            &json!({"storage": "error", "database": "ok", "objects": "ok"})
        )
    );
    assert_eq!(
        app.status("/__lbheartbeat__").await,
        StatusCode::OK,
        "the process itself is alive"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_an_id_of_its_own() {
    let app = App::start().await;
    let mut ids = BTreeSet::new();
    for path in [
        "/__lbheartbeat__",
        "/a.pdb/AB/a.sym",
        "/nowhere",
        "/upload/",
    ] {
        let response = app.get(path).await;
        assert!(
            ids.insert(
                response.headers()["x-request-id"]
                    .to_str()
                    .unwrap()
                    .to_owned()
            ),
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_counted_by_route_not_by_path() {
    let app = App::start().await;
    for number in 0..5 {
        app.get(&format!("/a{number}.pdb/AB/a.sym")).await;
    }
    let route = "{route=\"/{debug_file}/{id}/{file}\",method=\"GET\",status=\"404\"}";
    assert_eq!(
        app.metric(&format!("symbold_http_requests_total{route}"))
            .await,
        5
    );
    assert_eq!(
        app.metric("symbold_downloads_total{result=\"missing\"}")
            .await,
        5
    );
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_is_documented_and_every_documented_metric_exists() {
    let app = App::start().await;
    // A family of metrics shows itself once one of its members has moved.
    app.upload(Zip::new().file("a.pdb/AB/a.sym", "x")).await;
    app.get("/none.pdb/AB/none.sym").await;
    app.get("/buildid/abcd/debuginfo").await;
    for body in [
        r#"{"memoryMap": [["a.pdb", "AB"]], "stacks": [[[0, 1]]]}"#,
        "no JSON",
    ] {
        let request = app.request(Method::POST, "/symbolicate/v5").body(body);
        request.send().await.unwrap();
    }
    let text = app.get("/metrics").await.text().await.unwrap();
    let exposed: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .map(str::to_owned)
        .collect();
    let documentation = read("docs/operations.md");
    let documented: BTreeSet<_> = documentation
        .lines()
        .filter_map(|line| line.strip_prefix("| `symbold_")?.split('`').next())
        .map(|name| format!("symbold_{}", name.trim_end_matches("_total")))
        .collect();
    assert_eq!(exposed, documented);
}

/// Names of the log events in all source files.
fn logged_events(folder: &Path, events: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            logged_events(&path, events);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let named = text
            .split("event = \"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        events.extend(named.map(str::to_owned));
    }
}

#[test]
fn every_log_event_is_documented_and_every_documented_event_exists() {
    let mut logged = BTreeSet::new();
    logged_events(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut logged,
    );
    let documentation = read("docs/operations.md");
    let (_, events) = documentation
        .split_once("## Log events")
        .expect("the chapter exists");
    let documented: BTreeSet<_> = events
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .map(str::to_owned)
        .collect();
    assert_eq!(logged, documented);
}
