//! Uploads: what is stored, what is recorded, what is refused.

use reqwest::multipart::{Form, Part};
use reqwest::{Method, StatusCode};
use serde_json::json;
use symbold::auth::Permission;

use crate::support::backends::are_services;
use crate::support::{Answer, App, ID, Zip, random_bytes, sym};

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

/// A good archive of two symbol files.
fn good_archive() -> Vec<u8> {
    let first = sym("good.pdb", ID, 50);
    let second = sym("b.pdb", ID, 50);
    Zip::new()
        .file(&key("good.pdb", "good.sym"), first)
        .file(&key("b.pdb", "b.sym"), second)
        .bytes()
}

/// Files that are refused, the answer's code, and what its sentence must contain.
fn broken_archives() -> Vec<(Vec<u8>, &'static str, &'static str)> {
    let not_a_zip = "File is not a zip file";
    let whole = good_archive();
    let mut wrong_crc = Zip::new()
        .stored(&key("good.pdb", "good.sym"), "MODULE a")
        .bytes();
    let data = wrong_crc
        .windows(8)
        .position(|window| window == b"MODULE a")
        .unwrap();
    wrong_crc[data] = b'm';
    vec![
        (b"just some text".to_vec(), "not_a_zip", not_a_zip),
        (Vec::new(), "not_a_zip", not_a_zip),
        (whole[..whole.len() - 30].to_vec(), "not_a_zip", not_a_zip),
        (wrong_crc, "crc_mismatch", "good.sym"),
        (
            [b"#!/bin/sh\n", whole.as_slice()].concat(),
            "directory_position",
            "central directory",
        ),
        (
            [whole.as_slice(), b"x"].concat(),
            "trailing_data",
            "1 more bytes",
        ),
    ]
}

/// Names that no member may have beside a good one, and the answer's code.
const BAD_NAMES: [(&[&str], &str); 5] = [
    (&["foo.pdb/foo.sym"], "unrecognized_pattern"),
    (&["foo.pdb/XYZ/foo.sym"], "unrecognized_pattern"),
    (&["../AB12/foo.sym"], "bad_name"),
    (&["a<b/AB12/foo.sym"], "bad_name"),
    (
        &["a.pdb/ab12/a.sym", "a.pdb/AB12/a.sym"],
        "duplicate_member",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_archive_is_refused_with_a_reason_and_nothing_is_stored() {
    let app = App::start().await;
    let mut archives = broken_archives();
    for (names, code) in BAD_NAMES {
        let good = Zip::new().file(&key("good.pdb", "good.sym"), "x");
        let archive = names.iter().fold(good, |zip, name| zip.file(name, "x"));
        archives.push((archive.bytes(), code, names[names.len() - 1]));
    }
    for (archive, code, named) in archives {
        let answer = app.upload(archive).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::BAD_REQUEST, code),
            "{}",
            answer.error()
        );
        assert!(
            answer.error().contains(named),
            "{named}: {}",
            answer.error()
        );
    }
    assert_eq!(app.storage_calls("put").await, 0);
    assert_eq!(
        app.status(&format!("/{}", key("good.pdb", "good.sym")))
            .await,
        StatusCode::NOT_FOUND
    );
    let request = app
        .request(Method::GET, "/api/uploads/upload/1")
        .header("Auth-Token", &app.token);
    assert_eq!(
        request.send().await.unwrap().status(),
        StatusCode::NOT_FOUND,
        "nothing was recorded"
    );
    assert_eq!(
        app.upload(Zip::new().file(&key("a.pdb", "a.sym"), "x"))
            .await
            .status,
        StatusCode::CREATED
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_that_are_no_upload() {
    let app = App::start().await;
    let file = || Part::bytes(Zip::new().bytes()).file_name("x.zip");
    let many = (0..30).fold(Form::new(), |form, number| {
        form.text(format!("field{number}"), "x")
    });
    for (form, code, sentence) in [
        (
            Form::new().part("file", file()),
            "bad_extension",
            "Unrecognized archive file extension \"\"",
        ),
        (
            Form::new().part("symbols.rar", file()),
            "bad_extension",
            "extension \".rar\"",
        ),
        (
            Form::new().text("try", "1"),
            "no_file",
            "Must be multipart form data with at least one file",
        ),
        (
            Form::new().part("a.zip", file()).part("b.zip", file()),
            "second_file",
            "one archive per request",
        ),
        (
            Form::new().text("try", "x".repeat(9000)),
            "bad_form",
            "fields",
        ),
        (many, "bad_form", "fields"),
    ] {
        let answer = app.upload_form(&app.token, form).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::BAD_REQUEST, code),
            "{:?}",
            answer.json
        );
        assert!(answer.error().contains(sentence), "{}", answer.error());
    }
    let upper = app
        .upload_form(&app.token, Form::new().part("X.ZIP", file()))
        .await;
    assert_eq!(
        upper.status,
        StatusCode::CREATED,
        "an empty zip of any spelling is legal: {:?}",
        upper.json
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_form() {
    let app = App::start().await;
    for (content_type, body) in [
        ("multipart/form-data; boundary=x", "garbage"),
        ("text/plain", "x"),
        ("", ""),
    ] {
        let request = app
            .request(Method::POST, "/upload/")
            .header("Auth-Token", &app.token);
        let request = request.header("Content-Type", content_type).body(body);
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(
            answer.status,
            StatusCode::BAD_REQUEST,
            "{content_type}: {:?}",
            answer.json
        );
    }
    let answer = Answer::of(app.get("/upload/").await).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.error(), "Method Not Allowed (GET): /upload/");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_413_and_name_themselves() {
    let app = App::with(|config| {
        config.upload.size = bytesize::ByteSize::kib(64);
        config.upload.archive.entries = 3;
        config.upload.archive.member_size = bytesize::ByteSize::kib(100);
    })
    .await;
    let many = (0..4).fold(Zip::new(), |zip, number| {
        zip.file(&key("a", &number.to_string()), "x")
    });
    let deep = Zip::new().file(&key("a.pdb", "a.sym"), vec![b' '; 200_000]);
    for (archive, named) in [
        (many.bytes(), "3"),
        (deep.bytes(), "100.0 KiB"),
        (random_bytes(70_000, 3), "64.0 KiB"),
        (random_bytes(300_000, 3), "64.0 KiB"),
    ] {
        let answer = app.upload(archive).await;
        assert_eq!(
            answer.status,
            StatusCode::PAYLOAD_TOO_LARGE,
            "{:?}",
            answer.json
        );
        assert!(answer.error().contains(named), "{}", answer.error());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_upload_too_many_is_told_to_come_back() {
    let app = App::with(|config| config.upload.slots = 1).await;
    let mut first = crate::support::RawConnection::open(app.address).await;
    first
        .send(format!(
            "POST /upload/ HTTP/1.1\r\nHost: x\r\nAuth-Token: {}\r\nContent-Length: 1000\r\n\
             Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n",
            app.token
        ))
        .await;
    crate::support::eventually("the first upload has a slot", async || {
        app.metric("symbold_uploads_in_flight").await > 0
    })
    .await;
    let answer = app.upload(Zip::new()).await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::SERVICE_UNAVAILABLE, "busy")
    );
    assert!(answer.retry_after.unwrap().parse::<u8>().unwrap() > 0);
}
