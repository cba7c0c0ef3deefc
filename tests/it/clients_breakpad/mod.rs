//! Breakpad's `symupload` of Linux, macOS and Windows, byte for byte, in both of its protocols; and how each of them
//! reads the answers: with regular expressions, and with 200 as the only success.

mod system;

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use symbold::auth::Permission;
use symbold::clock::{Clock, ManualClock, SystemClock};
use symbols::SuffixList;

use crate::support::{App, ID, Program, Zip, eventually, sym};
use system::{SYSTEMS, System, matched, send, text};

async fn waiting(app: &App, upload_key: &str) -> bool {
    let path = format!(".waiting/{}", hex::encode(Sha256::digest(upload_key)));
    app.storage.head(&path).await.unwrap().is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_protocol_stores_what_each_system_sends() {
    for system in SYSTEMS {
        let app = App::start().await;
        let file = text(system, "my app.pdb");
        for result in ["OK", "DUPLICATE_DATA"] {
            let answer = system
                .upload_v1(&app, &app.token, "my app.pdb", &file)
                .await;
            assert_eq!(answer.status, 200, "{system:?} {answer:?}");
            assert_eq!(matched(&answer, "result"), result);
        }
        let stored = app.fetch(&format!("my app.pdb/{ID}/my app.sym")).await;
        // The last line end of Windows is also the beginning of the form's next boundary.
        let expected = match system {
            System::Windows => &file[..file.len() - 2],
            _ => &file[..],
        };
        assert_eq!(stored, expected, "{system:?}");
        let record = app.record(&1.into()).await;
        assert_eq!(record["filename"], "my app.sym");
        assert_eq!(record["file_uploads"][0]["debug_id"], ID);
        assert_eq!(record["file_uploads"][0]["compressed"], true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_protocol_stores_what_each_system_sends_whichever_nodes_it_meets() {
    for system in SYSTEMS {
        let app = App::start().await;
        let nodes = [app.beside(|_| {}).await, app.beside(|_| {}).await];
        let (name, path) = match system {
            // It percent-escapes the name, the others cannot send one with a space.
            System::MacOs => ("my app.pdb", "my%20app.pdb"),
            _ => ("libapp++.so", "libapp++.so"),
        };
        let file = text(system, name);
        let status = system.check_status(&app, &app.token, path).await;
        assert_eq!(
            (status.status, matched(&status, "status").as_str()),
            (200, "MISSING")
        );
        for result in ["OK", "DUPLICATE_DATA"] {
            let through = [&app, &nodes[0], &nodes[1]];
            let answer = system
                .upload_v2(through, &app.token, name, "BREAKPAD", &file)
                .await;
            assert_eq!(answer.status, 200, "{system:?} {answer:?}");
            assert_eq!(matched(&answer, "result"), result);
        }
        let status = system.check_status(&app, &app.token, path).await;
        assert_eq!(matched(&status, "status"), "FOUND");
        let sym_name = format!("{}.sym", name.trim_end_matches(".pdb"));
        assert_eq!(app.fetch(&format!("{name}/{ID}/{sym_name}")).await, file);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_waits_once_an_upload_has_ended_well_or_badly() {
    let app = App::start().await;
    let file = text(System::Linux, "app");
    for (debug_file, status, code) in [("app", 200, None), ("other", 400, Some("other_module"))] {
        let created = System::Linux.create(&app, &app.token).await;
        let (url, key) = (
            matched(&created, "uploadUrl"),
            matched(&created, "uploadKey"),
        );
        assert_eq!(System::Linux.put(&app, &url, &file).await.status, 200);
        assert!(waiting(&app, &key).await);
        let answer = System::Linux
            .complete(&app, &app.token, &key, debug_file, "BREAKPAD")
            .await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.json()["code"].as_str(), code);
        assert!(!waiting(&app, &key).await);
        let again = System::Linux
            .complete(&app, &app.token, &key, debug_file, "BREAKPAD")
            .await;
        assert_eq!(
            (again.status, again.json()["code"].as_str()),
            (404, Some("upload_key_unknown"))
        );
        let put = System::Linux.put(&app, &url, &file).await;
        assert_eq!(put.status, 404, "a key can be used no more");
    }
    assert_eq!(app.status(&format!("/other/{ID}/other.sym")).await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_owner_completes_and_only_what_was_put() {
    let app = App::start().await;
    let other = app
        .token("other@example.com", &[Permission::UploadSymbols], 1)
        .await;
    let created = System::Linux.create(&app, &app.token).await;
    let (url, key) = (
        matched(&created, "uploadUrl"),
        matched(&created, "uploadKey"),
    );
    let file = text(System::Linux, "app");
    assert_eq!(System::Linux.put(&app, &url, &file).await.status, 200);
    let answer = System::Linux
        .complete(&app, &other, &key, "app", "BREAKPAD")
        .await;
    assert_eq!(answer.status, 404);
    assert!(waiting(&app, &key).await, "others' attempts change nothing");
    let created = System::Linux.create(&app, &app.token).await;
    let empty = matched(&created, "uploadKey");
    let answer = System::Linux
        .complete(&app, &app.token, &empty, "app", "BREAKPAD")
        .await;
    assert_eq!(
        (answer.status, answer.json()["code"].as_str()),
        (400, Some("nothing_put"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn other_types_are_stored_where_they_are_served() {
    let app = App::start().await;
    let nodes = [&app, &app, &app];
    let pdb = b"Microsoft C/C++ MSF 7.00\r\n\x1aDS\0\0\0".to_vec();
    let answer = System::Windows
        .upload_v2(nodes, &app.token, "app.pdb", "PDB", &pdb)
        .await;
    assert_eq!(
        (answer.status, answer.json()["code"].as_str()),
        (400, Some("not_served"))
    );
    assert!(answer.body.contains("download.serve"), "{answer:?}");
    let app = App::with(|config| {
        config.download.serve = SuffixList::new(&[".sym", ".pdb", ".debug"]);
    })
    .await;
    let nodes = [&app, &app, &app];
    for (name, kind, stored) in [
        ("app.pdb", "PDB", "app.pdb"),
        ("app.so", "DEBUG_ONLY", "app.so.debug"),
    ] {
        let answer = System::Windows
            .upload_v2(nodes, &app.token, name, kind, &pdb)
            .await;
        assert_eq!(matched(&answer, "result"), "OK");
        assert_eq!(app.fetch(&format!("{name}/{ID}/{stored}")).await, pdb);
    }
    let answer = System::Linux
        .upload_v2(nodes, &app.token, "app", "ZIP", &pdb)
        .await;
    assert_eq!(answer.json()["code"], "bad_symbol_type");
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_are_taken_since_they_are_found_by_build_id() {
    let (app, program) = (App::start().await, Program::build());
    let nodes = [&app, &app, &app];
    for (kind, file, wanted) in [
        ("ELF", "stripped", "executable"),
        ("DEBUG_ONLY", "split", "debuginfo"),
    ] {
        let bytes = program.bytes(file);
        let answer = System::Linux
            .upload_v2(nodes, &app.token, "mill", kind, &bytes)
            .await;
        assert_eq!(matched(&answer, "result"), "OK");
        let response = app.get(&program.url(wanted)).await;
        assert_eq!(response.status(), 200, "{kind}");
        assert_eq!(response.bytes().await.unwrap(), bytes, "{kind}");
    }
    let module = format!("GET /v1/symbols/mill/{ID}:checkStatus?key={}", app.token);
    let create = format!(
        "POST /v1/uploads:create?key={}&debug_file=a.so&debug_id={ID}",
        app.token
    );
    for (request, kind, status, told) in [
        (&module, "elf", 200, "FOUND"),
        (&module, "BREAKPAD", 200, "MISSING"),
        (&module, "PE", 400, "not_served"),
        (&module, "ZIP", 400, "bad_symbol_type"),
        (&create, "ELF", 200, "uploadKey"),
        (&create, "DWP", 400, "not_served"),
        (&create, "ZIP", 400, "bad_symbol_type"),
    ] {
        let request = format!("{request}&symbol_upload_type={kind}");
        let head = System::Linux.head(&app, &request, "", Some(0));
        let answer = send(&app, &head, b"").await;
        assert_eq!(answer.status, status, "{request} {answer:?}");
        assert!(answer.body.contains(told), "{request} {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_try_token_uploads_to_try_and_asks_there() {
    let app = App::start().await;
    let try_only = app
        .token("try@example.com", &[Permission::UploadTrySymbols], 1)
        .await;
    let file = text(System::Linux, "app");
    let answer = System::Linux.upload_v1(&app, &try_only, "app", &file).await;
    assert_eq!(matched(&answer, "result"), "OK");
    assert_eq!(app.status(&format!("/app/{ID}/app.sym")).await, 404);
    assert_eq!(app.fetch(&format!("try/app/{ID}/app.sym")).await, file);
    for (token, status) in [(&try_only, "FOUND"), (&app.token, "MISSING")] {
        let answer = System::Linux.check_status(&app, token, "app").await;
        assert_eq!(matched(&answer, "status"), status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_json_and_no_key_opens_other_routes() {
    let app = App::with(|config| config.upload.size = bytesize::ByteSize::kib(8)).await;
    let viewer = app
        .token("viewer@example.com", &[Permission::ViewAllUploads], 1)
        .await;
    let file = text(System::Linux, "app");
    for (key, name, file, status, code) in [
        ("nonsense", "app", &file[..], 403, "token_unknown"),
        (&viewer, "app", &file[..], 403, "not_permitted"),
        (&app.token, "other", &file[..], 400, "other_module"),
        (&app.token, "a/b", &file[..], 400, "bad_name"),
        (&app.token, "app", &b"no symbols"[..], 400, "other_module"),
        (
            &app.token,
            "app",
            &[b'x'; 9000][..],
            413,
            "upload_too_large",
        ),
    ] {
        let answer = System::Linux.upload_v1(&app, key, name, file).await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (status, Some(code)),
            "{answer:?}"
        );
    }
    let form = "--b\r\nContent-Disposition: form-data; name=\"debug_file\"\r\n\r\napp\r\n--b--\r\n";
    let request = format!("POST /symupload?key={}", app.token);
    let head = System::Linux.head(
        &app,
        &request,
        "multipart/form-data; boundary=b",
        Some(form.len()),
    );
    assert_eq!(
        send(&app, &head, form.as_bytes()).await.json()["code"],
        "bad_form"
    );
    let request = format!("POST /upload/auth_info/?key={}", app.token);
    let head = System::Linux.head(&app, &request, "", Some(0));
    assert_eq!(send(&app, &head, b"").await.json()["code"], "token_missing");
    let head = System::Linux.head(&app, "GET /v1/uploads:create", "", Some(0));
    let answer = send(&app, &head, b"").await;
    assert_eq!(
        (answer.status, answer.headers["allow"].as_str()),
        (405, "POST")
    );
    let headed = app.request(reqwest::Method::POST, "/v1/uploads:create");
    let headed = headed
        .header("Auth-Token", &app.token)
        .send()
        .await
        .unwrap();
    assert_eq!(headed.status(), 200, "the header will do as well");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_to_put_to_is_the_configured_one() {
    let app = App::with(|config| {
        "https://symbols.example.com/base/".clone_into(&mut config.server.public_url);
    })
    .await;
    let created = System::MacOs.create(&app, &app.token).await;
    let (url, key) = (
        matched(&created, "uploadUrl"),
        matched(&created, "uploadKey"),
    );
    assert_eq!(
        url,
        format!("https://symbols.example.com/base/v1/uploads/{key}")
    );
    let app = App::start().await;
    for (host, status) in [
        ("symbols.example.com:8000", 200),
        ("a\"b", 400),
        ("a/b", 400),
        ("", 400),
    ] {
        let head = format!(
            "POST /v1/uploads:create?key={} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Host: evil.example\r\n\
             Content-Length: 0\r\n\r\n",
            app.token
        );
        let answer = send(&app, &head, b"").await;
        assert_eq!(answer.status, status, "{host} {answer:?}");
        if status == 200 {
            assert!(
                matched(&answer, "uploadUrl").starts_with("http://symbols.example.com:8000/v1/")
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_never_completed_is_bounded_and_swept_up() {
    let start = SystemClock::new().now() - Duration::from_hours(25);
    let clock = Arc::new(ManualClock::at(start));
    let app = App::with_clock(Arc::clone(&clock)).await;
    let mut keys = Vec::new();
    for _ in 0..100 {
        let created = System::Linux.create(&app, &app.token).await;
        keys.push((
            matched(&created, "uploadUrl"),
            matched(&created, "uploadKey"),
        ));
    }
    let refused = System::Linux.create(&app, &app.token).await;
    assert_eq!(
        (refused.status, refused.json()["code"].as_str()),
        (429, Some("too_many_waiting"))
    );
    assert!(refused.headers.contains_key("retry-after"));
    let (url, key) = &keys[0];
    assert_eq!(
        System::Linux
            .put(&app, url, &text(System::Linux, "app"))
            .await
            .status,
        200
    );
    assert!(waiting(&app, key).await);
    clock.advance(Duration::from_hours(3));
    let late = System::Linux
        .complete(&app, &app.token, key, "app", "BREAKPAD")
        .await;
    assert_eq!(late.status, 404);
    // Another node, which starts a day later, sweeps when it starts.
    let node = app.beside(|_| {}).await;
    eventually("the file is gone", async || !waiting(&node, key).await).await;
    eventually("new uploads may begin", async || {
        System::Linux.create(&node, &node.token).await.status == 200
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_symbol_may_be_called_like_a_route() {
    let app = App::start().await;
    let name = format!("v1/{ID}/v1.sym");
    assert_eq!(
        app.upload(Zip::new().file(&name, sym("v1", ID, 1)))
            .await
            .status,
        201
    );
    assert_eq!(app.fetch(&name).await, sym("v1", ID, 1));
}
