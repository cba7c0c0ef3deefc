//! Servers whose object store goes away while they run.

use std::time::Duration;

use reqwest::StatusCode;
use symbold::storage::{Access, RequestConfig, S3Config, StorageKind};
use tokio::time::Instant;

use crate::support::gate::{Gate, Way};
use crate::support::object_store;
use crate::support::{App, ID, Zip, eventually, random_bytes, sym};

const KEY: &str = "a.pdb/44E4EC8C2F41492B9369D6B9A059577C2/a.sym";

/// No answer may take longer while the store is away.
const BOUND: Duration = Duration::from_mins(1);

/// A server whose way to its bucket the test holds, if a store runs.
async fn behind_a_gate(access: Access) -> Option<(App, Gate)> {
    #[expect(clippy::disallowed_methods, reason = "the tests' own setting")]
    let Ok(endpoint) = std::env::var("TEST_S3_ENDPOINT") else {
        let left_out =
            "left out: servers that lose S3 (TEST_S3_ENDPOINT is not set; make test runs it)";
        drop(std::io::Write::write_all(
            &mut std::io::stderr(),
            format!("{left_out}\n").as_bytes(),
        ));
        return None;
    };
    let mut random = [0; 8];
    getrandom::fill(&mut random).unwrap();
    let bucket = format!("faults-{}", hex::encode(random));
    object_store::client(&endpoint)
        .await
        .create_bucket()
        .bucket(&bucket)
        .send()
        .await
        .unwrap();
    let gate = Gate::to(endpoint.trim_start_matches("http://").to_owned()).await;
    let app = App::with(|config| {
        config.storage.kind = StorageKind::S3(S3Config {
            access,
            endpoint: format!("http://{}", gate.address),
            bucket,
            requests: RequestConfig {
                lookup_attempt: Duration::from_millis(1500),
                lookup: Duration::from_secs(4),
                put: Duration::from_secs(10),
                stall: Duration::from_secs(3),
                ..RequestConfig::default()
            },
            ..S3Config::default()
        });
    })
    .await;
    Some((app, gate))
}

fn archive(functions: u32) -> Zip {
    Zip::new().file(KEY, sym("a.pdb", ID, functions))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_is_503_never_absence_and_comes_back_by_itself() {
    let Some((app, gate)) = behind_a_gate(Access::Redirect).await else {
        return;
    };
    assert_eq!(app.upload(archive(10)).await.status, StatusCode::CREATED);
    let redirected = async || app.get_gzipped(&format!("/{KEY}")).await.status();
    assert_eq!(redirected().await, StatusCode::FOUND);
    let ways = [Way::Cut, Way::Silent, Way::Halved, Way::Garbage];
    for way in ways {
        gate.set(way);
        let other = format!("/{way:?}.pdb/{ID}/other.sym");
        let start = Instant::now();
        assert_eq!(
            redirected().await,
            StatusCode::FOUND,
            "what is remembered goes on"
        );
        let response = app.get(&other).await;
        assert_eq!(
            response.status(),
            StatusCode::SERVICE_UNAVAILABLE,
            "{way:?}"
        );
        assert!(response.headers().contains_key("retry-after"));
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(
            app.head(&other).await.status(),
            StatusCode::SERVICE_UNAVAILABLE
        );
        assert!(
            start.elapsed() < BOUND,
            "{way:?} took {:?}",
            start.elapsed()
        );
        let answer = app.upload(archive(20)).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::SERVICE_UNAVAILABLE, "storage_unavailable")
        );
        assert!(answer.retry_after.is_some());
        assert_eq!(
            app.status("/a.pdb/AB/file.ptr").await,
            StatusCode::NOT_FOUND,
            "what needs no store goes on"
        );
        gate.set(Way::Open);
        eventually("the failure is not remembered", async || {
            app.status(&other).await == StatusCode::NOT_FOUND
        })
        .await;
        app.get(&format!("{other}?_refresh")).await;
    }
    let repeat = app.upload(archive(20)).await.status;
    assert_eq!(repeat, StatusCode::CREATED, "the repeat converges");
    let counted = app.missing().await;
    assert!(
        counted.len() == ways.len() && counted.iter().all(|row| row["count"] == 2),
        "only answers of 404 were counted: {counted:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_store_is_slow_and_nothing_fails() {
    let Some((app, gate)) = behind_a_gate(Access::Proxy).await else {
        return;
    };
    gate.set(Way::Slow);
    assert_eq!(app.upload(archive(10)).await.status, StatusCode::CREATED);
    assert_eq!(app.fetch(KEY).await, sym("a.pdb", ID, 10));
}

/// More bytes than the kernel buffers of an answer that the client does not read.
const LARGE: usize = 32 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_goes_away_in_the_middle_of_a_body_breaks_the_connection() {
    let Some((app, gate)) = behind_a_gate(Access::Proxy).await else {
        return;
    };
    let cab = KEY.replace(".sym", ".pd_");
    let zip = Zip::new().stored(&cab, random_bytes(LARGE, 9));
    assert_eq!(app.upload(zip).await.status, StatusCode::CREATED);
    for way in [Way::Cut, Way::Silent] {
        for range in ["bytes=0-", "lines=passed-over"] {
            let request = app.request(reqwest::Method::GET, &format!("/{cab}"));
            let mut answer = request.header("range", range).send().await.unwrap();
            assert!(answer.status().is_success());
            let mut received = answer.chunk().await.unwrap().unwrap().len();
            gate.set(way);
            let end = loop {
                match answer.chunk().await {
                    Ok(Some(piece)) => received += piece.len(),
                    end => break end,
                }
            };
            assert!(end.is_err() && received < LARGE, "{way:?}, {range}");
            gate.set(Way::Open);
        }
    }
}
