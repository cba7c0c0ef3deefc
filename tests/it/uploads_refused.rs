//! Uploads that are refused for what they are: the archive, the form, the sizes. Nothing of them is stored.

use reqwest::multipart::{Form, Part};
use reqwest::{Method, StatusCode};

use crate::support::{Answer, App, ID, Zip, random_bytes, sym};

/// The file of a key of the module `name`.
fn key(name: &str, file: &str) -> String {
    format!("{name}/{ID}/{file}")
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
    let unnamed = || Part::bytes(Zip::new().bytes()).file_name("cranes");
    let many = (0..30).fold(Form::new(), |form, number| {
        form.text(format!("field{number}"), "x")
    });
    for (form, code, sentence) in [
        (
            Form::new().part("file", unnamed()),
            "bad_extension",
            "Unrecognized archive file extension \"\". The archive's name must end in .zip",
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
            "8 KiB and no file",
        ),
        (many, "bad_form", "more than 20 fields"),
        (
            Form::new()
                .part("a.zip", file())
                .text("url", "https://x/a.zip"),
            "file_and_url",
            "both a file and a url",
        ),
        (
            Form::new().text("url", "http://localhost/a.zip"),
            "url_disabled",
            "fetches no archives by url",
        ),
        (
            Form::new()
                .text("try", "1")
                .part("a.zip", file())
                .text("try", ""),
            "contradiction",
            "field try twice",
        ),
    ] {
        assert_refused(&app, form, code, sentence).await;
    }
}

/// Sends a form, which has to be refused with this code, and a sentence that contains this text.
async fn assert_refused(app: &App, form: Form, code: &str, sentence: &str) {
    let answer = app.upload_form(&app.token, form).await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::BAD_REQUEST, code),
        "{:?}",
        answer.json
    );
    assert!(answer.error().contains(sentence), "{}", answer.error());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_zip_of_any_spelling_and_a_value_that_is_repeated_are_fine() {
    let app = App::start().await;
    let file = Part::bytes(Zip::new().bytes()).file_name("x.zip");
    let upper = Form::new()
        .part("X.ZIP", file)
        .text("try", "")
        .text("try", "");
    let upper = app.upload_form(&app.token, upper).await;
    assert_eq!(upper.status, StatusCode::CREATED, "{:?}", upper.json);
}

/// A page sends every input for a file that was left empty as a file without a name and without bytes.
#[tokio::test(flavor = "multi_thread")]
async fn an_input_that_was_left_empty_is_no_file() {
    let app = App::start().await;
    let empty = || Part::bytes(Vec::new()).file_name("");
    let good = || Part::bytes(Zip::new().file(&key("elm.pdb", "elm.sym"), "x").bytes());
    for form in [
        Form::new()
            .part("logo", empty())
            .part("elm.zip", good().file_name("elm.zip")),
        Form::new()
            .part("elm.zip", good().file_name("elm.zip"))
            .part("b.zip", empty())
            .part("c.zip", empty()),
        // A file with bytes is a file, whatever its name.
        Form::new().part("elm.zip", good().file_name("")),
        // The name that `curl -F file=@elm.zip` gives.
        Form::new().part("file", good().file_name("elm.zip")),
    ] {
        let answer = app.upload_form(&app.token, form).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.json);
        assert_eq!(answer.json["upload"]["filename"], "elm.zip");
    }
    let nothing = Form::new().part("a.zip", empty());
    let answer = app.upload_form(&app.token, nothing).await;
    assert_eq!(answer.code(), "no_file", "{:?}", answer.json);
    let empty_archive = Form::new().part("a.zip", Part::bytes(Vec::new()).file_name("a.zip"));
    let answer = app.upload_form(&app.token, empty_archive).await;
    assert_eq!(answer.code(), "not_a_zip", "{:?}", answer.json);
    let two = Form::new()
        .part("a.zip", good().file_name("a.zip"))
        .part("b.zip", good().file_name(""));
    let answer = app.upload_form(&app.token, two).await;
    assert_eq!(answer.code(), "second_file", "{:?}", answer.json);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_form() {
    let app = App::start().await;
    let archive = random_bytes(20_000, 5);
    let (garbage, form) = (&b"garbage"[..], "application/x-www-form-urlencoded");
    for (content_type, body, code) in [
        ("multipart/form-data; boundary=x", garbage, "no_file"),
        ("multipart/form-data", garbage, "not_a_form"),
        ("text/plain", garbage, "not_a_form"),
        ("application/zip", &archive, "not_a_form"),
        // As of `curl --data-binary @symbols.zip`.
        (form, &archive, "not_a_form"),
        (form, garbage, "no_file"),
        ("", b"", "not_a_form"),
    ] {
        let request = app
            .request(Method::POST, "/upload/")
            .header("Auth-Token", &app.token);
        let request = request.header("Content-Type", content_type);
        let request = request.body(body.to_vec());
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::BAD_REQUEST, code),
            "{content_type}: {:?}",
            answer.json
        );
        assert!(
            answer.error().contains("multipart form"),
            "{}",
            answer.error()
        );
    }
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
