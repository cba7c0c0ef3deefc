//! Uploads that are fine, with members that clients cannot use: the answer and the record say so.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{App, ID, Zip, sym};

fn key(file: &str) -> String {
    format!("poplar.pdb/{ID}/{file}")
}

/// The code, the count and the keys of each warning.
fn short(warnings: &Value) -> Vec<Value> {
    let warnings = warnings.as_array().unwrap();
    let short = warnings.iter().map(|warning| {
        assert!(warning["message"].as_str().unwrap().len() > 40, "{warning}");
        json!([warning["code"], warning["count"], warning["keys"]])
    });
    short.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_clients_cannot_use_are_named() {
    let app = App::start().await;
    let text = String::from_utf8(sym("poplar.pdb", ID, 2)).unwrap();
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let archive = Zip::new()
        .file(&key("poplar.sym"), &text)
        .file(&key("poplar.pdb"), "MZ")
        .file(&key("poplar.dll"), "MZ")
        .file(&key("wide.sym"), [b"\xff\xfe", &utf16[..]].concat())
        .file(&key("marked.sym"), format!("\u{feff}{text}"))
        .file(&key("headless.sym"), "FILE 0 a.c\n")
        .file(&key("padded.sym"), text.replacen(' ', " \t ", 4))
        .file("poplar-symbols.txt", "ignored");
    let answer = app.upload(archive).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.json);
    let expected = [
        json!(["not_served", 2, [key("poplar.pdb"), key("poplar.dll")]]),
        json!(["head_utf16", 1, [key("wide.sym")]]),
        json!(["head_byte_order_mark", 1, [key("marked.sym")]]),
        json!(["head_no_module", 1, [key("headless.sym")]]),
    ];
    let upload = &answer.json["upload"];
    assert_eq!(short(&upload["warnings"]), expected);
    let record = app.record(&upload["id"]).await;
    assert_eq!(record["warnings"], upload["warnings"], "{record}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_warnings_is_teckens() {
    let app = App::with(|config| {
        config.download.serve = symbols::SuffixList::new(&[".sym", ".pdb"]);
    })
    .await;
    let archive = Zip::new()
        .file(&key("poplar.sym"), sym("poplar.pdb", ID, 2))
        .file(&key("poplar.pdb"), "MZ")
        .file(&key("poplar.pd_"), "MSCF");
    let answer = app.upload(archive).await;
    let upload = answer.json["upload"].as_object().unwrap();
    assert!(!upload.contains_key("warnings"), "{upload:?}");
    let record = app.record(&upload["id"]).await;
    assert_eq!(record["warnings"], json!([]), "{record}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_the_directory_dot_is_stored_under_the_plain_keys() {
    let app = App::start().await;
    let name = key("poplar.sym");
    let archive = Zip::new()
        .directory("./")
        .file(&format!("./{name}"), sym("poplar.pdb", ID, 2));
    let answer = app.upload(archive).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.json);
    assert_eq!(app.status(&format!("/{name}")).await, StatusCode::OK);
}
