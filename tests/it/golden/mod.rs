//! Exchanges with a real Tecken, replayed: the same requests get the same answers, except where docs/compatibility.md
//! names a difference.

mod compare;
mod exchange;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use symbold::auth::Permission;

use crate::support::backends::needs_embedded_storage;
use crate::support::remote::{Remote, empty, ok};
use crate::support::{App, RawConnection, Zip, sym};
use compare::{OTHER_BODY, OTHER_STATUS, compare, compare_stored};
use exchange::{Exchange, exchanges, folder};

const ID: &str = "44E4EC8C2F41492B9369D6B9A059577C2";

/// An answer of symbold.
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

async fn send(app: &App, exchange: &Exchange, tokens: &BTreeMap<&str, String>) -> Answer {
    let mut head = String::new();
    for line in &exchange.request_head {
        let (name, value) = line.split_once(": ").unwrap_or((line, ""));
        match name.to_ascii_lowercase().as_str() {
            "content-length" => {}
            "auth-token" => {
                let (token, label) = value.split_once('-').unwrap_or((value, ""));
                let ours = tokens.get(token).map_or(token, String::as_str);
                write!(head, "{name}: {ours}-{label}\r\n").unwrap();
            }
            _ => write!(head, "{line}\r\n").unwrap(),
        }
    }
    let length = exchange.request_body.len();
    let mut connection = RawConnection::open(app.address).await;
    connection
        .send(format!("{head}Content-Length: {length}\r\n\r\n"))
        .await;
    connection.send(&exchange.request_body).await;
    let answer = connection.read_to_close().await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    Answer {
        status: lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap(),
        headers: lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect(),
        body: body.to_owned(),
    }
}

/// The tokens of the recordings, and what stands for them here.
async fn tokens(app: &App) -> BTreeMap<&'static str, String> {
    let uploader = app
        .token("uploader@example.com", &[Permission::UploadSymbols], 1)
        .await;
    let try_only = app
        .token("uploader@example.com", &[Permission::UploadTrySymbols], 1)
        .await;
    let auditor = app
        .token("auditor@example.com", &[Permission::ViewAllUploads], 1)
        .await;
    let expired = app.expired_token("uploader@example.com").await;
    BTreeMap::from([
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa01", uploader),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa02", try_only),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa03", expired),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa04", auditor),
    ])
}

/// What had been stored before the recorded exchanges, by others that were not recorded.
async fn prepare(app: &App, tokens: &BTreeMap<&str, String>) {
    let happy = fs::read(folder().join("zips/happy.zip")).unwrap();
    let empty = fs::read(folder().join("zips/empty-member.zip")).unwrap();
    let regular = &tokens["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa01"];
    let short = "E7D6F1BBA7D6F1BB1";
    let others = Zip::new()
        .file(&format!("x.so/{short}/x.so.dbg.gz"), "x")
        .file(&format!("libstdc++.so.6/{short}/libstdc++.so.6.sym"), "x")
        .file(&format!("🍪.pdb/{short}/🍪.sym"), "x");
    for archive in [happy, empty, others.bytes()] {
        assert_eq!(app.upload_as(regular, archive).await.status, 201);
    }
    let by_url = by_code_id("byurl", "0123456789");
    assert_eq!(app.upload_as(regular, by_url).await.status, 201);
    let try_archive = by_code_id("tryonly", "ABCDEF12000");
    let try_token = &tokens["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa02"];
    assert_eq!(app.upload_as(try_token, try_archive).await.status, 201);
}

/// An archive with one module of a code id.
fn by_code_id(name: &str, code_id: &str) -> Zip {
    let text = String::from_utf8(sym(&format!("{name}.pdb"), ID, 1)).unwrap();
    let key = format!("{name}.pdb/{ID}/{name}.sym");
    Zip::new().file(&key, text.replace("5E9A1234F000", code_id))
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_requests_get_the_recorded_answers() {
    let app = App::start().await;
    let tokens = tokens(&app).await;
    prepare(&app, &tokens).await;
    let mut differences = Vec::new();
    for exchange in exchanges("", 60)
        .iter()
        .filter(|exchange| !exchange.is_by_url())
    {
        differences.extend(replay(&app, exchange, &tokens).await);
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Misses, and files that come and go behind the server's back, as recorded in 2023.
#[tokio::test(flavor = "multi_thread")]
async fn recorded_misses_get_the_recorded_answers() {
    if needs_embedded_storage("recorded_misses_get_the_recorded_answers") {
        return;
    }
    let (app, other) = (App::start().await, App::start().await);
    let key = "direct.pdb/11111111222222223333333344444444A/direct.sym";
    other.upload(Zip::new().file(key, "text")).await;
    let object = |app: &App| app.data_dir().join("objects/v1").join(key);
    for exchange in exchanges("missing-2023", 10) {
        match exchange.name.as_str() {
            "247-cache-refresh" => {
                fs::create_dir_all(object(&app).parent().unwrap()).unwrap();
                fs::copy(object(&other), object(&app)).unwrap();
            }
            "249-cache-stale-302" => fs::remove_file(object(&app)).unwrap(),
            _ => {}
        }
        let answer = send(&app, &exchange, &BTreeMap::new()).await;
        let name = &exchange.name;
        compare(&exchange, &answer).unwrap_or_else(|difference| panic!("{name}: {difference}"));
    }
    let counted = app.missing().await;
    let names: Vec<_> = counted
        .iter()
        .map(|row| row["symbol"].as_str().unwrap())
        .collect();
    assert!(
        !names.contains(&"headonly.pdb") && !names.contains(&"gone2.pdb"),
        "{names:?}"
    );
    assert!(
        names.contains(&"gonetry.pdb") && names.contains(&"gone4.pdb"),
        "{names:?}"
    );
}

/// What Tecken answers without its bucket.
#[tokio::test(flavor = "multi_thread")]
async fn recorded_requests_to_a_storage_that_has_gone() {
    if needs_embedded_storage("recorded_requests_to_a_storage_that_has_gone") {
        return;
    }
    let app = App::start().await;
    let objects = app.data_dir().join("objects");
    fs::rename(&objects, objects.with_extension("elsewhere")).unwrap();
    for exchange in exchanges("storage-gone", 2) {
        let answer = send(&app, &exchange, &BTreeMap::new()).await;
        let name = &exchange.name;
        compare(&exchange, &answer).unwrap_or_else(|difference| panic!("{name}: {difference}"));
    }
    assert!(
        app.missing().await.is_empty(),
        "nothing is known to be missing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_uploads_by_address_get_the_recorded_answers() {
    let archive = Zip::new()
        .file(
            &format!("byurl.pdb/{ID}/byurl.sym"),
            sym("byurl.pdb", ID, 1),
        )
        .bytes();
    let bad_hex = fs::read(folder().join("zips/bad-hex.zip")).unwrap();
    let without_length = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), archive.clone()].concat();
    let remote = Remote::start(vec![
        ("/byurl.zip", ok(&archive)),
        (
            "/redir-off/byurl.zip",
            empty(
                "302 Found",
                "Location: http://127.0.0.1:28444/byurl.zip\r\n",
            ),
        ),
        ("/s502.zip", empty("502 Bad Gateway", "")),
        ("/s429.zip", empty("429 Too Many Requests", "")),
        ("/nolen.zip", without_length),
        ("/bad-hex.zip", ok(&bad_hex)),
    ])
    .await;
    // The other server of the recordings speaks TLS, ours does not: what is said of plain http is asked of a server
    // that takes none.
    let app = app_that_fetches(true).await;
    let strict = app_that_fetches(false).await;
    let (app_tokens, strict_tokens) = (tokens(&app).await, tokens(&strict).await);
    let uploaded = app
        .upload_as(
            &app_tokens["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa01"],
            archive.clone(),
        )
        .await;
    assert_eq!(uploaded.status, 201);
    let mut differences = Vec::new();
    let mut replayed = 0;
    for mut exchange in exchanges("", 60) {
        if !exchange.is_by_url() {
            continue;
        }
        replayed += 1;
        let (app, tokens) = match exchange.name.as_str() {
            "093-url-insecure" => (&strict, &strict_tokens),
            _ => (&app, &app_tokens),
        };
        let address = format!("http://localhost:{}", remote.address.port());
        exchange.replace("https://localhost:28443", &address);
        exchange.replace("https://localhost:28449", "http://localhost:1");
        exchange.replace("\"size\": 421", &format!("\"size\": {}", archive.len()));
        differences.extend(replay(app, &exchange, tokens).await);
    }
    assert_eq!(replayed, 14);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

async fn app_that_fetches(allow_http: bool) -> App {
    App::with(|config| {
        config.upload.by_url.domains = vec!["localhost".to_owned()];
        config.upload.by_url.allow_http = allow_http;
        config.upload.by_url.allow_private = true;
    })
    .await
}

/// Sends a recorded request, and says what differs in the answer or in what was stored.
async fn replay(app: &App, exchange: &Exchange, tokens: &BTreeMap<&str, String>) -> Option<String> {
    let answer = send(app, exchange, tokens).await;
    let compared = match compare(exchange, &answer) {
        Ok(()) => compare_stored(app, exchange).await,
        difference => difference,
    };
    let difference = compared.err()?;
    Some(format!("{}: {difference}", exchange.name))
}

#[test]
fn every_difference_is_documented() {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/compatibility.md"))
            .unwrap();
    for (case, _) in OTHER_STATUS {
        assert!(
            text.contains(case),
            "docs/compatibility.md does not name {case}"
        );
    }
    for case in OTHER_BODY {
        assert!(
            text.contains(case),
            "docs/compatibility.md does not name {case}"
        );
    }
}
