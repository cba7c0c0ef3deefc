//! Downloads by those who mean harm, or who simply stop reading; and files that break while they are sent.

use std::fs;
use std::time::Duration;

use reqwest::StatusCode;

use crate::support::backends::needs_embedded_storage;
use crate::support::{App, ID, RawConnection, Zip, eventually, random_bytes};

const KEY: &str = "a.pdb/44E4EC8C2F41492B9369D6B9A059577C2/a.pd_";

/// More bytes than the kernel buffers of an answer that the client does not read.
const LARGE: usize = 32 << 20;

async fn with_large_file(app: App) -> App {
    let zip = Zip::new().stored(KEY, random_bytes(LARGE, 5));
    assert_eq!(app.upload(zip).await.status, StatusCode::CREATED);
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_mean_harm_are_refused_without_a_lookup() {
    let app = App::start().await;
    let long = "a".repeat(60_000);
    let too_long = "a".repeat(200_000);
    for path in [
        // Header injection and NUL.
        format!("/x%0d%0aSet-Cookie:%20a/{ID}/x.sym"),
        format!("/x.pdb/{ID}/x%0D%0AX: y.sym"),
        format!("/x%00.pdb/{ID}/x.sym"),
        // Ways out of the directory, decoded once, twice, overlong, in other notations.
        format!("/../{ID}/x.sym"),
        format!("/..%2f..%2fetc/{ID}/passwd.sym"),
        format!("/%2e%2e/{ID}/x.sym"),
        format!("/%2fetc/{ID}/passwd.sym"),
        format!("/%252e%252e%252f/{ID}/x.sym"),
        format!("/%c0%ae%c0%ae/{ID}/x.sym"),
        format!("/%u002e%u002e/{ID}/x.sym"),
        format!("/..%5c..%5c/{ID}/x.sym"),
        format!("/x.pdb/{ID}/..%2fx.sym"),
        format!("/x.pdb/..%2f{ID}/x.sym"),
        // Other forms.
        format!("/x.pdb//{ID}/x.sym"),
        format!("/x.pdb/{ID}/x.sym/"),
        format!("/x.pdb/{ID};v=1/x.sym"),
        format!("/{long}/{ID}/x.sym"),
        format!("/x.pdb/{}/x.sym", "A".repeat(60_000)),
        format!("/{too_long}/{ID}/x.sym"),
        format!("/x.pdb{}", "/".repeat(60_000)),
    ] {
        let mut connection = RawConnection::open(app.address).await;
        connection
            .send(format!(
                "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            ))
            .await;
        let answer = connection.read_to_close().await;
        let (head, _) = answer.split_once("\r\n\r\n").unwrap();
        let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
        let shown: String = path.chars().take(60).collect();
        // A blank in a path ends it; the rest is not a version of HTTP.
        assert!([400, 404, 414, 431].contains(&status), "{shown}: {head}");
        let head = head.to_ascii_lowercase();
        assert!(
            !head.contains("\nset-cookie") && !head.contains("\nx:"),
            "{shown}"
        );
    }
    assert_eq!(app.storage_calls("head").await, 0);
    assert!(app.missing().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_part_of_the_question_changes_nothing() {
    let app = App::start().await;
    app.upload(Zip::new().stored(KEY, "text")).await;
    let plain = app.get(&format!("/{KEY}")).await.headers().clone();
    for (name, value) in [
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-For", "10.0.0.1"),
        ("X-Original-URL", "/metrics"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("Auth-Token", "wrong"),
        ("Accept", "text/html"),
        ("Cookie", "a=b"),
    ] {
        let request = app.request(reqwest::Method::GET, &format!("/{KEY}"));
        let answer = request.header(name, value).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{name}");
        for header in ["etag", "cache-control", "content-type", "content-length"] {
            assert_eq!(
                answer.headers()[header],
                plain[header],
                "{header} with {name}"
            );
        }
        assert!(!answer.headers().contains_key("location"));
        assert_eq!(answer.text().await.unwrap(), "text");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_planted_in_the_storage_shows_nothing() {
    if needs_embedded_storage("a_link_planted_in_the_storage_shows_nothing") {
        return;
    }
    let app = App::start().await;
    app.upload(Zip::new().stored(KEY, "text")).await;
    let objects = app.data_dir().join("objects/v1");
    let planted = KEY.replace("a.pd_", "b.pd_");
    for target in [objects.join(KEY), "/etc/passwd".into()] {
        drop(fs::remove_file(objects.join(&planted)));
        std::os::unix::fs::symlink(target, objects.join(&planted)).unwrap();
        let answer = app.get(&format!("/{planted}?_refresh")).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(!answer.text().await.unwrap().contains("root"));
    }
}

/// How many files of this process are open whose path ends so.
fn open_files(ending: &str) -> usize {
    let files = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let targets = files.filter_map(|file| fs::read_link(file.path()).ok());
    targets
        .filter(|target| target.to_string_lossy().ends_with(ending))
        .count()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_reading_frees_what_it_was_reading() {
    if needs_embedded_storage("a_client_that_stops_reading_frees_what_it_was_reading") {
        return;
    }
    let app = App::with(|config| config.server.write_idle = Duration::from_secs(1)).await;
    let app = with_large_file(app).await;
    let object = app.data_dir().join("objects/v1").join(KEY);
    let ending = object.to_string_lossy().into_owned();
    let mut connections = Vec::new();
    for range in ["", "Range: bytes=7-\r\n"] {
        let mut connection = RawConnection::open(app.address).await;
        connection
            .send(format!("GET /{KEY} HTTP/1.1\r\nHost: x\r\n{range}\r\n"))
            .await;
        connections.push(connection);
    }
    eventually("both are being sent", async || open_files(&ending) == 2).await;
    eventually("both are given up", async || open_files(&ending) == 0).await;
    drop(connections);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_sent_together_are_answered_whole_and_in_order() {
    let app = App::start().await;
    let (whole, small) = (random_bytes(3 << 20, 9), "b".repeat(300));
    let other = KEY.replace("a.pd_", "b.pd_");
    let zip = Zip::new()
        .stored(KEY, whole.clone())
        .stored(&other, small.clone());
    assert_eq!(app.upload(zip).await.status, StatusCode::CREATED);
    let mut connection = RawConnection::open(app.address).await;
    let get = |path: &str, more: &str| format!("GET /{path} HTTP/1.1\r\nHost: x\r\n{more}\r\n");
    let together = [
        get(KEY, ""),
        get(&other, ""),
        get(KEY, "Range: bytes=100000-2999999\r\n"),
        get("missing.pdb/AB/missing.sym", ""),
        get(KEY, "Range: bytes=3145000-\r\n"),
        get(KEY, ""),
    ];
    connection.send(together.concat()).await;
    for expected in [
        &whole[..],
        small.as_bytes(),
        &whole[100_000..3_000_000],
        b"Symbol Not Found",
        &whole[3_145_000..],
        &whole,
    ] {
        let head = connection.read_head().await;
        let body = connection.read_body(&head).await;
        assert!(body == expected, "{head}");
    }
}

/// Begins to read a large file, lets it break, and reads on.
async fn is_cut(app: &App, range: Option<&str>, break_it: impl FnOnce()) -> bool {
    let mut request = app.request(reqwest::Method::GET, &format!("/{KEY}"));
    if let Some(range) = range {
        request = request.header("range", range);
    }
    let mut answer = request.send().await.unwrap();
    assert!(answer.status().is_success());
    answer.chunk().await.unwrap().expect("it begins well");
    break_it();
    loop {
        match answer.chunk().await {
            Ok(Some(_)) => {}
            Ok(None) => return false,
            Err(_) => return true,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_breaks_while_it_is_sent_breaks_the_connection() {
    if needs_embedded_storage("a_file_that_breaks_while_it_is_sent_breaks_the_connection") {
        return;
    }
    let app = with_large_file(App::start().await).await;
    let object = app.data_dir().join("objects/v1").join(KEY);
    let whole = fs::read(&object).unwrap();
    assert!(!is_cut(&app, Some("bytes=5-"), || {}).await);
    for range in [None, Some("bytes=5-")] {
        let cut = is_cut(&app, range, || {
            let file = fs::File::options().write(true).open(&object).unwrap();
            file.set_len(1 << 20).unwrap();
        });
        assert!(cut.await, "{range:?}");
        fs::write(&object, &whole).unwrap();
    }
}
