//! Symbols that are asked for by code id, and questions about modules.

mod info;

use std::path::Path;
use std::time::Duration;

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use symbold::auth::Permission;
use symbold::clock::{Clock, SystemClock};
use symbold::config::Config;

use crate::support::backends::are_services;
use crate::support::faults::{Fault, Faults, wrap};
use crate::support::{App, ID, OwnRedis, Zip, eventually};
use info::info;

const CODE_ID: &str = "5E9A1234F000";
const OTHER_ID: &str = "DDDDEC8C2F41492B9369D6B9A059577C2";

/// A `.sym` file of a Windows module whose code id is [`CODE_ID`], with the path that it is uploaded to.
fn module(name: &str, debug_id: &str) -> (String, String) {
    let key = format!("{name}.pdb/{debug_id}/{name}.sym");
    let text = format!(
        "MODULE windows x86_64 {debug_id} {name}.pdb\nINFO CODE_ID {CODE_ID} {name}.dll\n\
         INFO GENERATOR mozilla/dump_syms 2.3.4\nPUBLIC 10 0 main\n"
    );
    (key, text)
}

async fn upload(app: &App, token: &str, (key, text): (String, String)) {
    let answer = app.upload_as(token, Zip::new().file(&key, text)).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
}

async fn with_xul() -> App {
    let app = App::start().await;
    upload(&app, &app.token, module("xul", ID)).await;
    app
}

async fn try_token(app: &App) -> String {
    app.token("try@example.com", &[Permission::UploadTrySymbols], 1)
        .await
}

fn location(response: &Response) -> &str {
    assert_eq!(response.status(), StatusCode::FOUND);
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    response.headers()["location"].to_str().unwrap()
}

/// Where a request is sent to; `None` when the symbol is not there.
async fn target(app: &App, path: &str) -> Option<String> {
    let response = app.get(path).await;
    match response.status() {
        StatusCode::NOT_FOUND => {
            assert_eq!(response.text().await.unwrap(), "Symbol Not Found");
            None
        }
        _ => Some(location(&response).to_owned()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_id_leads_to_the_debug_id() {
    let app = with_xul().await;
    let by_debug_id = format!("/xul.pdb/{ID}/xul.sym");
    for method in [Method::GET, Method::HEAD] {
        let response = app
            .request(method, &format!("/xul.dll/{CODE_ID}/xul.sym"))
            .send()
            .await
            .unwrap();
        assert_eq!(location(&response), by_debug_id);
    }
    for (path, expected) in [
        ("/xul.dll/5e9a1234f000/xul.sym", by_debug_id.clone()),
        ("/xul.dll/5E9A1234F000/xul.dll.sym", by_debug_id.clone()),
        (
            "/try/xul.dll/5E9A1234F000/xul.sym",
            format!("/try{by_debug_id}"),
        ),
        (
            "/xul.dll/5E9A1234F000/xul.sym?_refresh&a=b%20c&try",
            format!("{by_debug_id}?_refresh=&a=b+c&try="),
        ),
        ("/XUL.DLL/5E9A1234F000/XUL.DLL.sym", by_debug_id.clone()),
    ] {
        assert_eq!(target(&app, path).await, Some(expected), "{path}");
    }
    assert_eq!(app.status(&by_debug_id).await, StatusCode::OK);
    assert_eq!(app.missing().await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_code_id_is_not_looked_up_as_one() {
    let app = with_xul().await;
    let long = "5E9A1234F000".repeat(3)[..33].to_owned();
    for path in [
        format!("/xul.dll/{CODE_ID}/xul.dl_"),
        format!("/xul.dll/{long}/xul.sym"),
        format!("/xul.pdb/{CODE_ID}/xul.sym"),
        "/xul.dll/5E9A1234F001/xul.sym".to_owned(),
    ] {
        assert_eq!(target(&app, &path).await, None, "{path}");
    }
    assert_eq!(app.missing().await.len(), 4);
    assert_eq!(
        app.status(&format!("/xul.dll/{CODE_ID}/xul.SYM")).await,
        StatusCode::NOT_FOUND
    );
    assert_eq!(app.missing().await.len(), 4, "it is ignored");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_reach_the_location_in_a_form_that_clients_read() {
    let app = App::start().await;
    for name in ["libstdc++~(a)", "汉 b?"] {
        upload(&app, &app.token, module(name, ID)).await;
    }
    let of = |path: &'static str| target(&app, path);
    assert_eq!(
        of("/libstdc++~(a).dll/5E9A1234F000/libstdc++~(a).sym").await,
        Some(format!("/libstdc++~(a).pdb/{ID}/libstdc++~(a).sym"))
    );
    assert_eq!(
        of("/%E6%B1%89%20b%3F.dll/5E9A1234F000/%E6%B1%89.sym").await,
        Some(format!("/%E6%B1%89%20b%3F.pdb/{ID}/%E6%B1%89%20b%3F.sym"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_leads_to_its_own_file_never_in_a_circle_or_away() {
    let app = App::start().await;
    let file = |debug_id: &str, debug_file: &str, code: &str| {
        format!("MODULE windows x86_64 {debug_id} {debug_file}\nINFO CODE_ID {code}\n")
    };
    let archive = Zip::new()
        .file(
            &format!("self/{ID}/self.sym"),
            file("AB12", "self", "AB12 self"),
        )
        .file("one/AB2/one.sym", file(ID, "two", "AB1 one"))
        .file("two/AB1/two.sym", file(OTHER_ID, "one", "AB2 two"))
        .file(
            &format!("away/{ID}/away.sym"),
            file(ID, "/evil.example.com", "AB3 away"),
        )
        .file(
            &format!("line/{ID}/line.sym"),
            file(ID, "a\rLocation: b", "AB4 line"),
        )
        .file(
            &format!("mis.pdb/{ID}/mis.sym"),
            file(OTHER_ID, "mis.pdb", "AB5 mis.dll"),
        )
        .file(
            &format!("named.pdb/{ID}/file.sym"),
            file(ID, "other.pdb", "AB6 named.dll"),
        );
    assert_eq!(app.upload(archive).await.status, StatusCode::CREATED);
    for (path, held) in [
        ("/self/AB12/self.sym", "self/ID/self.sym"),
        ("/away/AB3/away.sym", "away/ID/away.sym"),
        ("/mis.dll/AB5/mis.sym", "mis.pdb/ID/mis.sym"),
        ("/named.dll/AB6/named.dll.sym", "named.pdb/ID/file.sym"),
    ] {
        let held = format!("/{}", held.replace("ID", ID));
        let found = target(&app, path).await;
        assert!(found.is_none_or(|found| found == held), "{path}");
    }
    for path in ["mis.dll/AB5/mis.sym", "named.dll/AB6/named.dll.sym"] {
        let found = target(&app, &format!("/{path}")).await.unwrap();
        assert_eq!(app.status(&found).await, StatusCode::OK, "{path}");
    }
    for path in ["/one/AB1/x.sym", "/two/AB2/x.sym", "/line/AB4/x.sym"] {
        assert_eq!(target(&app, path).await, None, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_code_id_leads_to_a_file_that_is_gone() {
    if are_services() {
        return;
    }
    let app = with_xul().await;
    let folder = app.data_dir().join(format!("objects/v1/xul.pdb/{ID}"));
    std::fs::remove_dir_all(folder).unwrap();
    let path = format!("/xul.dll/{CODE_ID}/xul.sym");
    assert_eq!(target(&app, &path).await, None);
    let explained: Value = app
        .get(&format!("/api/explain{path}"))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(explained["verdict"], "missing");
    let missing = app.missing().await;
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0]["symbol"], "xul.dll", "as it was asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_try_upload_changes_what_others_are_answered() {
    let app = with_xul().await;
    let try_token = try_token(&app).await;
    upload(&app, &try_token, module("xul", OTHER_ID)).await;
    upload(&app, &try_token, module("new", ID)).await;

    let regular = Some(format!("/xul.pdb/{ID}/xul.sym"));
    assert_eq!(target(&app, "/xul.dll/5E9A1234F000/xul.sym").await, regular);
    assert_eq!(target(&app, "/new.dll/5E9A1234F000/new.sym").await, None);
    let info = info(&app, "/api/syminfo/xul.dll/5E9A1234F000")
        .await
        .unwrap();
    assert_eq!(info["debug_id"], ID);
    assert_eq!(
        info_status(&app, "/api/syminfo/new.dll/5E9A1234F000").await,
        404
    );
    let by_debug_id = format!("/api/syminfo/xul.pdb/{OTHER_ID}");
    assert_eq!(info_status(&app, &by_debug_id).await, 404);

    // Who asks for try symbols gets them after the regular ones.
    let found = target(&app, "/try/xul.dll/5E9A1234F000/xul.sym").await;
    assert_eq!(found, Some(format!("/try/xul.pdb/{ID}/xul.sym")));
    let found = target(&app, "/new.dll/5E9A1234F000/new.sym?try").await;
    assert_eq!(found, Some(format!("/new.pdb/{ID}/new.sym?try=")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_upload_answers_at_once() {
    let app = App::start().await;
    let path = "/xul.dll/5E9A1234F000/xul.sym";
    assert_eq!(target(&app, path).await, None);
    for id in [ID, OTHER_ID] {
        upload(&app, &app.token, module("xul", id)).await;
        let expected = Some(format!("/xul.pdb/{id}/xul.sym"));
        assert_eq!(target(&app, path).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_remembered_and_refreshed_on_demand() {
    // Two servers that share what is kept and tell each other nothing.
    let alone = |config: &mut Config| {
        config.cache.redis_url = "".into();
        config.cache.present_for = Duration::from_hours(1);
        config.cache.absent_for = Duration::from_hours(1);
    };
    let one = App::with(alone).await;
    let other = one.beside(alone).await;
    let path = "/xul.dll/5E9A1234F000/xul.sym";
    let refreshed = format!("{path}?_refresh");
    let mut remembered = None;
    for id in [ID, OTHER_ID] {
        assert_eq!(target(&one, path).await, remembered);
        upload(&other, &one.token, module("xul", id)).await;
        assert_eq!(target(&one, path).await, remembered, "it is remembered");
        remembered = Some(format!("/xul.pdb/{id}/xul.sym"));
        let now = target(&one, &refreshed).await;
        assert_eq!(
            now,
            remembered.as_ref().map(|path| format!("{path}?_refresh="))
        );
        assert_eq!(target(&one, path).await, remembered);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_nodes_answer_within_a_second_of_an_upload() {
    let Some(redis) = OwnRedis::launch() else {
        return;
    };
    let url = redis.url();
    let change = |config: &mut Config| config.cache.redis_url = url.as_str().into();
    let one = App::with(change).await;
    let other = one.beside(change).await;
    for app in [&one, &other] {
        eventually("the nodes hear each other", async || {
            app.metric("symbold_shared_cache_listening").await == 1
        })
        .await;
    }
    let path = "/xul.dll/5E9A1234F000/xul.sym";
    let clock = SystemClock::new();
    for id in [ID, OTHER_ID] {
        let before = target(&other, path).await;
        upload(&one, &one.token, module("xul", id)).await;
        let expected = Some(format!("/xul.pdb/{id}/xul.sym"));
        assert_eq!(target(&one, path).await, expected, "the node that took it");
        let deadline = clock.elapsed() + Duration::from_secs(1);
        loop {
            let is_in_time = clock.elapsed() < deadline;
            let found = target(&other, path).await;
            if found == expected {
                break;
            }
            assert_eq!(found, before);
            assert!(is_in_time, "still the same a second later");
        }
    }
}

/// Takes the table of files away from a server, and gives it back.
fn rename_files(database: &Path, from: &str, to: &str) {
    let connection = rusqlite::Connection::open(database).unwrap();
    let rename = format!("ALTER TABLE {from} RENAME TO {to}");
    connection.execute_batch(&rename).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_failure_is_503_and_neither_remembered_nor_counted() {
    let app = App::with(|config| config.database.url = "sqlite:own.sqlite".into()).await;
    upload(&app, &app.token, module("xul", ID)).await;
    let database = app.data_dir().join("own.sqlite");
    rename_files(&database, "upload_files", "away");

    let by_code_id = format!("/xul.dll/{CODE_ID}/xul.sym");
    let response = app.get(&by_code_id).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(
        response.headers()["content-type"],
        "text/plain; charset=utf-8"
    );
    assert_eq!(
        app.head(&by_code_id).await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    let info = format!("/api/syminfo/xul.dll/{CODE_ID}");
    assert_eq!(info_status(&app, &info).await, 503);
    // Requests by debug id need no database.
    assert_eq!(
        app.status(&format!("/xul.pdb/{ID}/xul.sym")).await,
        StatusCode::OK
    );
    assert_eq!(
        app.status(&format!("/gone.pdb/{ID}/gone.sym")).await,
        StatusCode::NOT_FOUND
    );

    rename_files(&database, "away", "upload_files");
    let expected = Some(format!("/xul.pdb/{ID}/xul.sym"));
    assert_eq!(target(&app, &by_code_id).await, expected);
    assert_eq!(info_status(&app, &info).await, 200);
    let missing = app.missing().await;
    let names: Vec<_> = missing.iter().map(|row| &row["symbol"]).collect();
    assert_eq!(names, [&json!("gone.pdb")]);
}

/// The status of what may be text.
async fn info_status(app: &App, path: &str) -> u16 {
    app.status(path).await.as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_whose_first_upload_failed_half_way_is_known_after_the_second() {
    let (storage_faults, database_faults) = (Faults::none(), Faults::none());
    let app = App::wrapped(
        |config| config.upload.stores = 1,
        |adaptors| wrap(adaptors, &storage_faults, &database_faults),
    )
    .await;
    let (key, text) = module("xul", ID);
    let archive = || {
        let zip = Zip::new().file(&key, &text);
        zip.file(&key.replace(".sym", ".pd_"), "a cabinet")
    };
    // Each file is looked for and then stored.
    storage_faults.fail(3..4, Fault::Refused);
    let failed = app.upload(archive()).await;
    assert_eq!(failed.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(storage_faults.heal(), 1);
    let path = format!("/xul.dll/{CODE_ID}/xul.sym");
    assert_eq!(target(&app, &path).await, None);

    let repeated = app.upload(archive()).await;
    assert_eq!(repeated.status, StatusCode::CREATED);
    let upload = &repeated.json["upload"];
    assert_eq!(upload["skipped_keys"], json!([key]));
    assert_eq!(target(&app, &path).await, Some(format!("/{key}")));
    let record = app.record(&upload["id"]).await;
    let files = record["file_uploads"].as_array().unwrap();
    assert_eq!(files.len(), 1, "only what this upload stored: {files:?}");
}
