//! Symbolication over the wire, beyond what Eliot's recordings have.

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::support::backends::needs_embedded_storage;
use crate::support::{Answer, App, Zip};

const ID: &str = "44E4EC8C2F41492B9369D6B9A059577C2";

const SYM: &str = "MODULE windows x86_64 44E4EC8C2F41492B9369D6B9A059577C2 app.pdb\n\
    INFO CODE_ID 5E9A1234F000 app.exe\n\
    FILE 0 app.c\n\
    FUNC 1000 100000 0 main\n\
    1000 100000 7 0\n";

async fn app() -> App {
    let app = App::start().await;
    let archive = Zip::new().file(&format!("app.pdb/{ID}/app.sym"), SYM);
    assert_eq!(app.upload(archive).await.status, 201);
    app
}

fn job(module: &str, offsets: &[u64]) -> Value {
    let frames: Vec<_> = offsets.iter().map(|offset| json!([0, offset])).collect();
    json!({"memoryMap": [[module, ID]], "stacks": [frames]})
}

fn v5(app: &App) -> RequestBuilder {
    app.request(Method::POST, "/symbolicate/v5")
}

async fn post(app: &App, body: &Value) -> Answer {
    let request = v5(app).body(body.to_string());
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn many_frames_keep_their_order() {
    let app = app().await;
    let offsets: Vec<u64> = (0..5000)
        .map(|number| 0x1000 + number * 7919 % 5003)
        .collect();
    let answer = post(&app, &job("app.pdb", &offsets)).await;
    assert_eq!(answer.status, StatusCode::OK);
    let frames = answer.json["results"][0]["stacks"][0].as_array().unwrap();
    assert_eq!(frames.len(), offsets.len());
    for (index, (frame, offset)) in frames.iter().zip(&offsets).enumerate() {
        let expected = json!({
            "frame": index,
            "module": "app.exe",
            "module_offset": format!("{offset:#x}"),
            "function": "main",
            "function_offset": format!("{:#x}", offset - 0x1000),
            "file": "app.c",
            "line": 7,
        });
        assert_eq!(frame, &expected);
    }
    let named = app.metric("symbold_frames_total{result=\"named\"}").await;
    assert_eq!(named, 5000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_without_symbols_is_a_missing_symbol() {
    let app = app().await;
    let body = json!({"jobs": [job("nosuch.pdb", &[1, 2]), job("nosuch.pdb", &[])]});
    let answer = post(&app, &body).await;
    let found = json!({format!("nosuch.pdb/{ID}"): false});
    assert_eq!(answer.json["results"][0]["found_modules"], found);
    let missing = app.missing().await;
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert_eq!(missing[0]["filename"], "nosuch.sym");
    assert_eq!(missing[0]["count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_that_has_gone_is_not_a_module_without_symbols() {
    if needs_embedded_storage("a_storage_that_has_gone_is_not_a_module_without_symbols") {
        return;
    }
    let app = App::start().await;
    let objects = app.data_dir().join("objects");
    fs::rename(&objects, objects.with_extension("elsewhere")).unwrap();
    let answer = post(&app, &job("app.pdb", &[1])).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.code(), "symbols_unavailable");
    assert_eq!(answer.json["title"], answer.json["error"]);
    assert!(answer.retry_after.is_some());
    assert!(app.missing().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_may_be_gzipped_and_has_a_limit_either_way() {
    let app = app().await;
    let gzip = |text: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let send = async |encoding: &str, body: Vec<u8>| {
        let request = v5(&app).header("Content-Encoding", encoding).body(body);
        Answer::of(request.send().await.unwrap()).await
    };
    let text = job("app.pdb", &[0x1000]).to_string().into_bytes();
    let answer = send("gzip", gzip(&text)).await;
    assert_eq!(
        answer.json["results"][0]["stacks"][0][0]["function"],
        "main"
    );
    let large = vec![b' '; (16 << 20) + 1];
    assert_eq!(send("gzip", gzip(&large)).await.status, 413);
    assert_eq!(send("br", text.clone()).await.status, 415);
    assert_eq!(send("gzip", text).await.status, 400);
    let reason = "symbold_symbolicate_errors_total{reason=\"too_large\"}";
    assert_eq!(app.metric(reason).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_beside_the_versions() {
    let app = app().await;
    let body = job("app.pdb", &[0x1000]).to_string();
    for (method, path, status) in [
        (Method::POST, "//symbolicate/v5", 200),
        (Method::POST, "/symbolicate/v5/", 404),
        (Method::POST, "/symbolicate/v6", 404),
        (Method::GET, "/symbolicate/v6", 404),
        (Method::GET, "/symbolicate/v5", 405),
        (Method::DELETE, "/symbolicate/v4", 405),
    ] {
        let request = app
            .request(method, path)
            .header("Origin", "https://a.example");
        let answer = request.body(body.clone()).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.headers()["access-control-allow-origin"], "*");
        assert_eq!(answer.headers()["content-type"], "application/json");
        let json: Value = answer.json().await.unwrap();
        assert_eq!(json["title"].is_string(), status != 200, "{json}");
    }
    let head = app.head("/symbolicate/v5").await;
    assert_eq!(head.status(), 405);
    assert_eq!(head.headers()["allow"], "POST, OPTIONS");
}

#[tokio::test(flavor = "multi_thread")]
async fn symbols_that_the_storage_damaged_are_used_once_they_are_uploaded_again() {
    if needs_embedded_storage(
        "symbols_that_the_storage_damaged_are_used_once_they_are_uploaded_again",
    ) {
        return;
    }
    let app = app().await;
    let file = app
        .data_dir()
        .join(format!("objects/v1/app.pdb/{ID}/app.sym"));
    let mut bytes = fs::read(&file).unwrap();
    bytes[20] ^= 0x10;
    fs::write(&file, bytes).unwrap();
    let found = async || {
        let request = v5(&app).header("Debug", "1");
        let request = request.body(job("app.pdb", &[0x1000]).to_string());
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.json);
        let module = format!("app.pdb/{ID}");
        let state = answer.json["debug"]["modules"]["state"][&module].clone();
        (
            answer.json["results"][0]["found_modules"][&module].clone(),
            state,
        )
    };
    assert_eq!(found().await, (json!(false), json!("damaged")));
    let archive = Zip::new().file(&format!("app.pdb/{ID}/app.sym"), SYM);
    assert_eq!(app.upload(archive).await.status, 201);
    assert_eq!(found().await.0, json!(true));
}
