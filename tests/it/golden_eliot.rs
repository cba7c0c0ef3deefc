//! Exchanges with a real Eliot, Mozilla's symbolication service, replayed. `symbold` in a recording says what is
//! answered instead where Eliot is at fault, or where the answer does not matter.

use std::fs;
use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::App;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden-eliot")
}

/// The recordings, in their order.
fn cases() -> Vec<Value> {
    let paths = fs::read_dir(folder()).unwrap();
    let mut paths: Vec<_> = paths.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    paths.sort();
    assert!(paths.len() >= 90, "the recordings are there");
    let cases = paths.iter().map(|path| fs::read(path).unwrap());
    cases
        .map(|text| serde_json::from_slice(&text).unwrap())
        .collect()
}

/// The body on the wire. The characters of `$raw` stand for bytes.
fn body_of(case: &Value) -> Vec<u8> {
    match (&case["request_body"], &case["request_body"]["$raw"]) {
        (Value::Null, _) => Vec::new(),
        (_, Value::String(raw)) => raw
            .chars()
            .map(|byte| u8::try_from(byte).unwrap())
            .collect(),
        (body, _) => body.to_string().into_bytes(),
    }
}

/// Sends a recorded request, and says what differs in the answer.
async fn replay(app: &App, case: &Value) -> Result<(), String> {
    let method = Method::from_bytes(case["method"].as_str().unwrap().as_bytes()).unwrap();
    let mut request = app.request(method, case["path"].as_str().unwrap());
    for (name, value) in case["request_headers"].as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    let answer = request.body(body_of(case)).send().await.unwrap();
    let status = answer.status().as_u16();
    let headers = answer.headers().clone();
    let text = answer.text().await.unwrap();
    let ours = &case["symbold"];
    let expected = match (&ours["any"], &ours["status"]) {
        (Value::Array(any), _) => any.clone(),
        (_, Value::Null) => vec![case["status"].clone()],
        (_, status) => vec![status.clone()],
    };
    if !expected.contains(&json!(status)) {
        return Err(format!("{status} instead of {expected:?}: {text}"));
    }
    for name in ["content-type", "allow"].into_iter().chain(CORS) {
        let our_header = headers.get(name).map(|value| value.to_str().unwrap());
        let their_header = case["response_headers"][name].as_str();
        if our_header != their_header {
            return Err(format!(
                "{name} is {our_header:?} instead of {their_header:?}"
            ));
        }
    }
    let theirs = match (&ours["response_body"], &case["response_body"]) {
        (Value::Null, recorded) => recorded,
        (body, _) => body,
    };
    let is_other = case["status"] != json!(status) || ours["free_title"] == json!(true);
    if let Some(recorded) = theirs["$text"].as_str() {
        return same(&json!(recorded), &json!(text));
    }
    if is_other && status != 200 {
        return Ok(());
    }
    let answer: Value = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
    if theirs["title"].is_null() {
        return same(&without_times(theirs), &without_times(&answer));
    }
    if is_other {
        return Ok(());
    }
    same(&theirs["title"], &answer["title"])
}

const CORS: [&str; 6] = [
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-allow-credentials",
    "access-control-expose-headers",
    "access-control-max-age",
];

fn same(theirs: &Value, ours: &Value) -> Result<(), String> {
    if theirs == ours {
        return Ok(());
    }
    Err(format!("{ours} instead of {theirs}"))
}

/// What of `debug` does not change from run to run, and the rest of the answer.
fn without_times(answer: &Value) -> Value {
    let mut answer = answer.clone();
    let debug = answer["debug"].clone();
    if debug.is_null() {
        return answer;
    }
    answer["debug"] = json!({
        "members": debug.as_object().unwrap().keys().collect::<Vec<_>>(),
        "lookups": debug["cache_lookups"]["count"],
        "modules": debug["modules"]["count"],
        "stacks": debug["modules"]["stacks_per_module"],
    });
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_to_eliot_get_its_answers() {
    let app = App::start().await;
    for archive in ["symbols.zip", "firefox.zip"] {
        let archive = fs::read(folder().join(archive)).unwrap();
        assert_eq!(app.upload(archive).await.status, 201);
    }
    let mut differences = Vec::new();
    for case in cases() {
        if let Err(difference) = replay(&app, &case).await {
            differences.push(format!("{}: {difference}", case["case"]));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
