//! Uploads: what is stored and what is recorded.

use reqwest::StatusCode;
use reqwest::multipart::{Form, Part};
use serde_json::json;
use symbold::auth::Permission;

use crate::support::backends::are_services;
use crate::support::{App, ID, Zip, random_bytes, sym};

/// The file of a key of the module `name`.
fn key(name: &str, file: &str) -> String {
    format!("{name}/{ID}/{file}")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_comes_back_byte_for_byte() {
    let app = App::start().await;
    let files = [
        (key("xul.pdb", "xul.sym"), sym("xul.pdb", ID, 3000)),
        (key("xul.pdb", "xul.pd_"), random_bytes(300_000, 1)),
        (key("c++filt", "c++filt.dbg.gz"), random_bytes(10, 2)),
        (key("汉.pdb", "a b~?&=.sym"), sym("汉.pdb", ID, 2)),
        (key("empty.pdb", "empty.sym"), Vec::new()),
    ];
    let mut zip = Zip::new()
        .directory("xul.pdb/")
        .file("build-symbols.txt", "list")
        .file(".DS_Store", "");
    for (index, (key, bytes)) in files.iter().enumerate() {
        zip = if index % 2 == 0 {
            zip.file(key, bytes)
        } else {
            zip.stored(key, bytes)
        };
    }
    let archive = zip.bytes();
    let size = archive.len();
    let answer = app.upload(archive).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.json);
    let upload = &answer.json["upload"];
    let expected = json!({
        "id": upload["id"], "size": size, "filename": "symbols.zip", "bucket": upload["bucket"], "download_url": null,
        "try_symbols": false, "redirect_urls": [], "completed_at": upload["completed_at"],
        "created_at": upload["created_at"], "user": "admin@localhost", "skipped_keys": [],
        "warnings": upload["warnings"],
    });
    assert_eq!(*upload, expected);
    assert!(are_services() || upload["bucket"] == "disk");
    for (key, bytes) in &files {
        assert_eq!(app.fetch(&key.replace('?', "%3F")).await, *bytes, "{key}");
    }
    let record = app.record(&upload["id"]).await;
    assert_eq!(
        record["ignored_keys"],
        json!(["build-symbols.txt", ".DS_Store"])
    );
    assert_eq!(
        record["file_uploads"].as_array().unwrap().len(),
        files.len()
    );
    assert!(record["completed_at"].is_string() && record["failure"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_names_the_module_as_its_sym_header_does() {
    let app = App::start().await;
    let answer = app
        .upload(Zip::new().file(
            &key("xul.pdb", "xul.sym"),
            sym("xul.pdb", &ID.to_lowercase(), 5),
        ))
        .await;
    let record = app.record(&answer.json["upload"]["id"]).await;
    let file = &record["file_uploads"][0];
    for (field, value) in [
        ("key", format!("xul.pdb/{ID}/xul.sym")),
        ("debug_filename", "xul.pdb".to_owned()),
        ("debug_id", ID.to_owned()),
        ("code_file", "xul.dll".to_owned()),
        ("code_id", "5E9A1234F000".to_owned()),
        ("generator", "mozilla/dump_syms 2.3.4".to_owned()),
    ] {
        assert_eq!(file[field], value.as_str(), "{field}");
    }
    assert_eq!(
        (&file["update"], &file["compressed"]),
        (&json!(false), &json!(true))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_upload_again_skips_every_file() {
    let app = App::start().await;
    let archive = || {
        let text = sym("a.pdb", ID, 9);
        Zip::new()
            .file(&key("a.pdb", "a.sym"), &text)
            .stored(&key("a.pdb", "a.dl_"), b"MSCF")
            .bytes()
    };
    app.upload(archive()).await;
    let puts = app.storage_calls("put").await;
    let answer = app.upload(archive()).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(
        answer.json["upload"]["skipped_keys"],
        json!([key("a.pdb", "a.sym"), key("a.pdb", "a.dl_")])
    );
    assert_eq!(
        app.storage_calls("put").await,
        puts,
        "nothing was stored again"
    );
    assert_eq!(
        app.metric("symbold_upload_files_total{result=\"skipped\"}")
            .await,
        2
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_of_the_same_size_is_stored_again() {
    let app = App::start().await;
    for (name, one, other) in [("a.dl_", "MSCF1", "MSCF2"), ("a.sym", "MODULE", "MODULF")] {
        let name = key("a.pdb", name);
        app.upload(Zip::new().stored(&name, one)).await;
        let answer = app.upload(Zip::new().stored(&name, other)).await;
        assert_eq!(answer.json["upload"]["skipped_keys"], json!([]));
        assert_eq!(app.fetch(&name).await, other.as_bytes());
        let record = app.record(&answer.json["upload"]["id"]).await;
        assert_eq!(record["file_uploads"][0]["update"], json!(true));
        assert_eq!(
            record["file_uploads"][0]["replaced_sha256"]
                .as_str()
                .unwrap()
                .len(),
            64
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_upper_cased_and_skipped_keys_are_the_members_own_names() {
    let app = App::start().await;
    let name = format!("a.pdb/{}/a.sym", ID.to_lowercase());
    app.upload(Zip::new().file(&name, sym("a.pdb", ID, 1)))
        .await;
    assert_eq!(app.fetch(&key("a.pdb", "a.sym")).await, sym("a.pdb", ID, 1));
    let answer = app
        .upload(Zip::new().file(&name, sym("a.pdb", ID, 1)))
        .await;
    assert_eq!(answer.json["upload"]["skipped_keys"], json!([name]));
}

#[tokio::test(flavor = "multi_thread")]
async fn try_symbols_are_seen_only_by_those_who_ask() {
    let app = App::start().await;
    let name = key("try.pdb", "try.sym");
    let archive = Zip::new().file(&name, sym("try.pdb", ID, 1)).bytes();
    let part = Part::bytes(archive).file_name("x.zip");
    let answer = app
        .upload_form(&app.token, Form::new().part("x.zip", part).text("try", "1"))
        .await;
    assert_eq!(answer.json["upload"]["try_symbols"], json!(true));
    assert_eq!(app.status(&format!("/{name}")).await, StatusCode::NOT_FOUND);
    for path in [
        format!("/try/{name}"),
        format!("/{name}?try"),
        format!("/{name}?try=0"),
    ] {
        assert_eq!(app.status(&path).await, StatusCode::OK, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_try_only_token_never_writes_regular_symbols() {
    let app = App::start().await;
    let token = app
        .token("try@example.com", &[Permission::UploadTrySymbols], 1)
        .await;
    let name = key("a.pdb", "a.sym");
    app.upload(Zip::new().file(&name, sym("a.pdb", ID, 1)))
        .await;
    for value in [None, Some(""), Some("0"), Some("false"), Some("1")] {
        let archive = Zip::new().file(&name, sym("a.pdb", ID, 77)).bytes();
        let mut form = Form::new().part("x.zip", Part::bytes(archive).file_name("x.zip"));
        if let Some(value) = value {
            form = form.text("try", value);
        }
        let answer = app.upload_form(&token, form).await;
        assert_eq!(
            answer.json["upload"]["try_symbols"],
            json!(true),
            "{value:?}"
        );
        assert_eq!(app.fetch(&name).await, sym("a.pdb", ID, 1));
        assert_eq!(
            app.fetch(&format!("try/{name}")).await,
            sym("a.pdb", ID, 1),
            "regular symbols win"
        );
    }
}
