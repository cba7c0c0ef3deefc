//! Servers that share a PostgreSQL database, and servers whose database goes away.

mod workers;

use std::collections::BTreeMap;
use std::io::Write;
use std::pin::pin;
use std::process::Command;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::Value;
use symbold::auth::Permission;
use symbold::config::Config;
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

use crate::support::{App, ID, OwnPostgres, Running, Zip, eventually, sym, symbold};

const KEY: &str = "a.pdb/44E4EC8C2F41492B9369D6B9A059577C2/a.sym";

/// The address of a new database on the server that all tests share.
async fn database() -> Option<String> {
    let Some(url) = std::env::var_os("TEST_POSTGRES_URL") else {
        // Not `eprintln`, whose text the test harness keeps to itself when a test passes.
        let left_out =
            "left out: servers on PostgreSQL (TEST_POSTGRES_URL is not set; make test runs it)";
        let _ = writeln!(std::io::stderr(), "{left_out}");
        return None;
    };
    let url = url.into_string().unwrap();
    let mut random = [0; 8];
    getrandom::fill(&mut random).unwrap();
    let name = format!("symbold_{}", hex::encode(random));
    let create = format!("CREATE DATABASE {name}");
    connect(&url).await.batch_execute(&create).await.unwrap();
    let (place, parameters) = url.split_once('?').unwrap_or((&url, ""));
    let (server, _) = place.rsplit_once('/').unwrap();
    Some(format!("{server}/{name}?{parameters}"))
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn on(url: &str) -> impl FnOnce(&mut Config) {
    |config| config.database.url = url.into()
}

fn path(name: &str) -> String {
    format!("/{name}.pdb/{ID}/{name}.sym")
}

fn archive() -> Zip {
    Zip::new().file(KEY, sym("a.pdb", ID, 2000))
}

/// Asks for symbols that are not there, each of ten `times`, all at once.
async fn miss(app: &App, times: usize) {
    let paths: Vec<String> = (0..times * 10)
        .map(|number| path(&format!("gone{}", number % 10)))
        .collect();
    for status in join_all(paths.iter().map(|path| app.status(path))).await {
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
}

/// Counts by debug file.
fn counts(records: &[Value]) -> BTreeMap<String, u64> {
    let read = |record: &Value| {
        let symbol = record["symbol"].as_str().unwrap().to_owned();
        (symbol, record["count"].as_u64().unwrap())
    };
    records.iter().map(read).collect()
}

fn ten_of(count: u64) -> BTreeMap<String, u64> {
    (0..10)
        .map(|number| (format!("gone{number}.pdb"), count))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_share_uploads_and_tokens() {
    let Some(url) = database().await else { return };
    let one = App::with(on(&url)).await;
    let other = App::with(on(&url)).await;
    let token = one
        .token("ci@example.com", &[Permission::UploadSymbols], 1)
        .await;
    let answer = one.upload_as(&token, archive()).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let id = &answer.json["upload"]["id"];
    assert_eq!(one.record(id).await, other.record(id).await);
    assert_eq!(other.record(id).await["user"]["email"], "ci@example.com");

    assert_eq!(
        other.upload_as(&token, archive()).await.status,
        StatusCode::CREATED
    );
    let newest = one.auth().list().await.unwrap()[0].id;
    assert!(one.auth().revoke(newest).await.unwrap());
    let refused = other.upload_as(&token, archive()).await;
    assert!(refused.error().contains("revoked"), "{}", refused.error());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_misses_of_two_servers_add_up() {
    let Some(url) = database().await else { return };
    let one = App::with(on(&url)).await;
    let other = App::with(on(&url)).await;
    for _ in 0..5 {
        tokio::join!(miss(&one, 10), miss(&other, 20));
    }
    one.missing().await;
    let records = other.missing().await;
    assert_eq!(counts(&records), ten_of(5 * 30));
    assert_eq!(one.missing().await, records);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_miss_is_lost_or_doubled_while_connections_break() {
    let Some(url) = database().await else { return };
    let app = App::with(on(&url)).await;
    let administrator = connect(&url).await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let breaking = async {
        for _ in 0..200 {
            administrator.query(end, &[]).await.unwrap();
        }
    };
    let missing = async {
        for _ in 0..40 {
            miss(&app, 3).await;
        }
    };
    tokio::join!(breaking, missing);
    assert_eq!(counts(&app.missing().await), ten_of(120));
}

#[tokio::test(flavor = "multi_thread")]
async fn downloads_go_on_without_the_database_and_misses_are_counted_later() {
    let Some(mut postgres) = OwnPostgres::launch() else {
        return;
    };
    let app = App::with(on(&postgres.url())).await;
    assert_eq!(app.upload(archive()).await.status, StatusCode::CREATED);
    miss(&app, 1).await;
    app.missing().await;

    postgres.stop();
    assert_eq!(app.fetch(KEY).await, sym("a.pdb", ID, 2000));
    miss(&app, 2).await;
    let refused = app.upload(archive()).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.code(), "database_unavailable");
    assert!(refused.retry_after.is_some());
    assert_eq!(
        app.status("/missingsymbols/").await,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(app.status("/__lbheartbeat__").await, StatusCode::OK);
    let health = app.get("/__heartbeat__").await;
    assert_eq!(health.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(health.text().await.unwrap().contains("database"));

    postgres.start();
    assert_eq!(counts(&app.missing().await), ten_of(3));
    assert_eq!(app.upload(archive()).await.status, StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_miss_is_lost_or_doubled_while_the_database_crashes() {
    let Some(mut postgres) = OwnPostgres::launch() else {
        return;
    };
    let app = App::with(on(&postgres.url())).await;
    for _ in 0..5 {
        tokio::join!(miss(&app, 20), async { postgres.stop() });
        miss(&app, 20).await;
        tokio::join!(miss(&app, 20), async { postgres.start() });
    }
    assert_eq!(counts(&app.missing().await), ten_of(5 * 60));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_stands_still_holds_no_download_up() {
    let Some(postgres) = OwnPostgres::launch() else {
        return;
    };
    let app = App::with(on(&postgres.url())).await;
    let impatient = app
        .beside(|config| {
            on(&postgres.url())(config);
            config.database.timeout = Duration::from_secs(1);
        })
        .await;
    assert_eq!(app.upload(archive()).await.status, StatusCode::CREATED);
    postgres.freeze();
    let mut uploading = pin!(app.upload(archive()));
    let downloads = async {
        for _ in 0..20 {
            app.fetch(KEY).await;
            miss(&app, 1).await;
        }
    };
    tokio::select! {
        answer = &mut uploading => panic!("an upload waits for the database: {answer:?}"),
        () = downloads => {}
    }
    let refused = impatient.upload(archive()).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    postgres.thaw();
    assert_eq!(uploading.await.status, StatusCode::CREATED);
    assert_eq!(counts(&app.missing().await), ten_of(20));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_on_one_database_and_one_directory() {
    let Some(url) = database().await else { return };
    let folder = TempDir::new().unwrap();
    let objects = folder.path().join("objects");
    let command = |name: &str| {
        let own = folder.path().join(name);
        std::fs::create_dir(&own).unwrap();
        let mut command = symbold(&own);
        command
            .env("SYMBOLD_DATABASE__URL", &url)
            .env("SYMBOLD_STORAGE__DIRECTORY", &objects);
        command
    };
    let mut commands = [command("one"), command("other")];
    let (first, second) = commands.split_at_mut(1);
    // Both find an empty database.
    let (one, other) = std::thread::scope(|scope| {
        let one = scope.spawn(|| Running::start(&mut first[0]));
        let other = scope.spawn(|| Running::start(&mut second[0]));
        (one.join().unwrap(), other.join().unwrap())
    });
    let client = reqwest::Client::builder()
        .tls_certs_only([])
        .no_proxy()
        .build()
        .unwrap();
    let urls: Vec<String> = (0..400)
        .map(|number| {
            let server = if number % 2 == 0 { &one } else { &other };
            format!(
                "{}{}",
                server.url,
                path(&format!("gone{}", (number / 2) % 10))
            )
        })
        .collect();
    for response in join_all(urls.iter().map(|url| client.get(url).send())).await {
        assert_eq!(response.unwrap().status(), StatusCode::NOT_FOUND);
    }
    let read = async || -> BTreeMap<String, u64> {
        let list = client
            .get(format!("{}/missingsymbols/", one.url))
            .send()
            .await
            .unwrap();
        let list: Value = list.json().await.unwrap();
        counts(list["records"].as_array().unwrap())
    };
    eventually("every miss of both is counted", async || {
        read().await == ten_of(40)
    })
    .await;
    for path in ["/missingsymbols.csv?today", "/missingsymbols/"] {
        let text = async |server: &Running| {
            let response = client.get(format!("{}{path}", server.url)).send().await;
            response.unwrap().text().await.unwrap()
        };
        assert_eq!(text(&one).await, text(&other).await);
    }
    assert_eq!((one.stop().0, other.stop().0), (Some(0), Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_may_not_migrate_says_what_to_run() {
    let Some(url) = database().await else { return };
    let folder = TempDir::new().unwrap();
    let run = |arguments: &[&str]| {
        let mut command: Command = symbold(folder.path());
        command
            .env("SYMBOLD_DATABASE__URL", &url)
            .env("SYMBOLD_DATABASE__MIGRATE", "false");
        let output = command.args(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.success(), said)
    };
    let (started, said) = run(&["serve"]);
    assert!(
        !started && said.contains("Run `symbold migrate` first"),
        "{said}"
    );
    for _ in 0..2 {
        let (migrated, said) = run(&["migrate"]);
        assert!(migrated && said.contains("up to date"), "{said}");
    }
    let (listed, said) = run(&["token", "list"]);
    assert!(listed, "{said}");
}

#[test]
fn no_command_shows_the_password() {
    let folder = TempDir::new().unwrap();
    for arguments in [
        &["check-config"][..],
        &["migrate"],
        &["serve"],
        &["token", "list"],
    ] {
        let output = symbold(folder.path())
            .env(
                "SYMBOLD_DATABASE__URL",
                "postgres://node:hidden@127.0.0.1:1/symbold",
            )
            .env("SYMBOLD_LOG__LEVEL", "trace")
            .args(arguments)
            .output()
            .unwrap();
        let said = format!("{output:?}");
        assert!(said.contains("postgres://node:"), "{said}");
        assert!(!said.contains("hidden"), "{said}");
    }
}
