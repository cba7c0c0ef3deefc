//! Exchanges with a real Tecken, replayed: the same requests get the same answers, except where docs/compatibility.md
//! names a difference.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use symbold::auth::Permission;

use crate::support::backends::needs_embedded_storage;
use crate::support::remote::{Remote, empty, ok};
use crate::support::{App, RawConnection, Zip, bytes_of, sym};

const ID: &str = "44E4EC8C2F41492B9369D6B9A059577C2";

/// Cases whose status differs, with symbold's. Each has a row in docs/compatibility.md.
const OTHER_STATUS: &[(&str, u16)] = &[
    ("031-upload-bzip2", 400),
    ("035-upload-trailing-zip", 400),
    ("043-upload-encrypted", 400),
    ("057-upload-dotdot", 400),
    ("061-upload-longkey290", 400),
    ("067-upload-no-slash", 201),
    ("089-url-redirect-to-http", 400),
    ("103-url-502", 502),
    ("105-url-429", 502),
    ("107-url-refused", 502),
    ("109-url-no-length", 201),
    ("121-get-stored-lowercase-id", 200),
    ("187-codeid-lower", 302),
    ("203-get-wrong-token", 200),
    ("219-syminfo-lower", 200),
    ("225-nobucket-get", 503),
    ("229-s3down-head", 503),
    ("249-cache-stale-302", 404),
];

/// Cases whose body differs.
const OTHER_BODY: &[&str] = &[
    "013-upload-same-size-other-bytes",
    "079-auth-header-lower",
    "085-auth-info-no-permission",
    "159-long-id",
    "031-upload-bzip2",
    "035-upload-trailing-zip",
    "043-upload-encrypted",
    "053-upload-bad-char",
    "057-upload-dotdot",
    "061-upload-longkey290",
    "077-auth-no-permission",
    "111-url-wrong-ext",
];

/// One recorded exchange.
struct Exchange {
    name: String,
    /// The request line and the headers.
    request_head: Vec<String>,
    request_body: Vec<u8>,
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
    /// The objects that Tecken stored, as the recording lists them.
    stored: Vec<Value>,
}

impl Exchange {
    fn is_by_url(&self) -> bool {
        self.name[4..].starts_with("url-")
    }

    /// Puts our own address in the place of one of the recording.
    fn replace(&mut self, theirs: &str, ours: &str) {
        let body = String::from_utf8(self.request_body.clone()).unwrap();
        self.request_body = body.replace(theirs, ours).into_bytes();
        self.body = self.body.replace(theirs, ours);
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The exchanges of a folder below `tests/golden`, in the order in which they were recorded; there are at least so many.
fn exchanges(below: &str, at_least: usize) -> Vec<Exchange> {
    let mut paths: Vec<_> = fs::read_dir(folder().join(below))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    paths.sort();
    assert!(paths.len() >= at_least, "the recordings are there");
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Exchange {
    let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let (_, exchange) = text.split_once(">>> REQUEST\n").unwrap();
    let (request, response) = exchange.split_once("\n<<< RESPONSE\n").unwrap();
    let (response, effects) = response
        .split_once("\n=== EFFECTS")
        .unwrap_or((response, ""));
    let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
    let (status_line, rest) = response.split_once('\n').unwrap();
    let (headers, answer) = rest.split_once("\n\n").unwrap_or((rest, ""));
    Exchange {
        name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
        request_head: head.lines().map(str::to_owned).collect(),
        request_body: body_bytes(body.trim_end_matches('\n')),
        status: status_line.split(' ').nth(1).unwrap().parse().unwrap(),
        headers: headers
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect(),
        body: answer.trim().to_owned(),
        stored: effects
            .lines()
            .skip(1)
            .take_while(|line| line.starts_with('{'))
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    }
}

/// The body on the wire: lines end in CRLF, and a file stands where it is named.
fn body_bytes(text: &str) -> Vec<u8> {
    if !text.contains('\n') {
        return text.as_bytes().to_vec();
    }
    let mut bytes = Vec::new();
    for line in text.split('\n') {
        match line.strip_prefix("<<binary: ") {
            Some(rest) => {
                let file = rest.split(',').next().unwrap();
                bytes.extend(fs::read(folder().join(file)).unwrap());
            }
            None => bytes.extend_from_slice(line.as_bytes()),
        }
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

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

/// Every object that Tecken stored is there: at the same path but for the id's letter case, with the same metadata, and
/// with the same bytes once inflated.
async fn compare_stored(app: &App, exchange: &Exchange) -> Result<(), String> {
    if OTHER_STATUS.iter().any(|(case, _)| *case == exchange.name) {
        return Ok(());
    }
    for theirs in &exchange.stored {
        let path = with_upper_case_id(theirs["key"].as_str().unwrap());
        let Some(fetched) = app.storage.fetch(&path, None).await.unwrap() else {
            return Err(format!("{path} was not stored"));
        };
        let meta = fetched.info.meta.clone();
        let bytes = bytes_of(fetched).await;
        let mut plain = Vec::new();
        if meta.is_gzipped {
            GzDecoder::new(&*bytes).read_to_end(&mut plain).unwrap();
        } else {
            plain = bytes;
        }
        let ours = json!({
            "ContentEncoding": meta.is_gzipped.then_some("gzip"),
            "plain_sha256": hex::encode(Sha256::digest(&plain)),
        });
        compare_members(&["ContentEncoding", "plain_sha256"], theirs, &ours)?;
        let ours = json!({
            "original_size": meta.original_size.map(|size| size.to_string()),
            "original_md5_hash": meta.original_md5,
        });
        for name in ["original_size", "original_md5_hash"] {
            // Tecken keeps neither of files that it stores as they are, and no size of empty ones.
            if !theirs["Metadata"][name].is_null() {
                compare_members(&[name], &theirs["Metadata"], &ours)?;
            }
        }
    }
    Ok(())
}

fn compare_members(names: &[&str], theirs: &Value, ours: &Value) -> Result<(), String> {
    for name in names {
        if theirs[name] != ours[name] {
            return Err(format!(
                "{name} is {} instead of {}",
                ours[name], theirs[name]
            ));
        }
    }
    Ok(())
}

/// `<prefix>/<debug file>/<id>/<file>` with the id in upper case.
fn with_upper_case_id(path: &str) -> String {
    let mut parts: Vec<_> = path.split('/').map(str::to_owned).collect();
    let id = parts.len() - 2;
    parts[id] = parts[id].to_ascii_uppercase();
    parts.join("/")
}

fn compare(exchange: &Exchange, answer: &Answer) -> Result<(), String> {
    let name = exchange.name.as_str();
    let other = OTHER_STATUS.iter().find(|(case, _)| *case == name);
    let target = exchange.headers.get("location");
    let leads_to_bucket = target.is_some_and(|target| !target.starts_with('/'));
    // A disk's files are sent by the server itself, where Tecken redirects to its bucket.
    let recorded = if leads_to_bucket && exchange.status == 302 {
        200
    } else {
        exchange.status
    };
    let expected = other.map_or(recorded, |(_, status)| *status);
    if answer.status != expected {
        return Err(format!(
            "{} instead of {expected}: {}",
            answer.status, answer.body
        ));
    }
    for header in ["allow", "access-control-allow-origin", "location"] {
        let (theirs, ours) = (exchange.headers.get(header), answer.headers.get(header));
        let lacks = theirs
            .filter(|_| header != "location" || !leads_to_bucket)
            .is_some_and(|theirs| !ours.is_some_and(|ours| ours.starts_with(theirs.as_str())));
        if lacks && expected == exchange.status {
            return Err(format!("{header} is {ours:?} instead of {theirs:?}"));
        }
    }
    if OTHER_BODY.contains(&name) || expected != recorded || exchange.body.is_empty() {
        return Ok(());
    }
    match serde_json::from_str::<Value>(&exchange.body) {
        Ok(theirs) => compare_json(
            &theirs,
            &serde_json::from_str(&answer.body).unwrap_or_default(),
        ),
        Err(_) if answer.headers.contains_key("etag") => Ok(()),
        Err(_) if answer.body == exchange.body || answer.body.is_empty() => Ok(()),
        Err(_) => Err(format!("{:?} instead of {:?}", answer.body, exchange.body)),
    }
}

/// Every member that Tecken has is there, with the same value unless it changes from run to run.
fn compare_json(theirs: &Value, ours: &Value) -> Result<(), String> {
    const VOLATILE: [&str; 5] = [
        "id",
        "created_at",
        "completed_at",
        "bucket",
        "token_expires_at",
    ];
    let Value::Object(members) = theirs else {
        let same = sorted(theirs) == sorted(ours);
        return if same {
            Ok(())
        } else {
            Err(format!("{ours} instead of {theirs}"))
        };
    };
    for (name, value) in members {
        let Some(our_value) = ours.get(name) else {
            return Err(format!("lacks {name}"));
        };
        if VOLATILE.contains(&name.as_str()) {
            if our_value.is_null() != value.is_null() {
                return Err(format!("{name} is {our_value}"));
            }
        } else {
            compare_json(value, our_value).map_err(|difference| format!("{name}: {difference}"))?;
        }
    }
    Ok(())
}

fn sorted(value: &Value) -> Value {
    let Value::Array(items) = value else {
        return value.clone();
    };
    let mut items = items.clone();
    items.sort_by_key(ToString::to_string);
    Value::Array(items)
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
