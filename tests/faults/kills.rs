//! Servers that are killed while they store uploads.

use std::time::Duration;

use crate::ledger::Ledger;
use crate::support::{Site, random_bytes};
use crate::{how_many, tell};

/// The longest time from the first acknowledgement until a server is killed, in milliseconds.
const LONGEST: u64 = 600;

async fn nothing_acknowledged_is_lost(site: Site, what: &str) {
    let rounds = how_many("FAULTS_ROUNDS", 2);
    drop(site.serve());
    let ledger = Ledger::new(site.token());
    for round in 0..rounds {
        let before = ledger.len();
        let server = site.serve();
        let number = u64::from(random_bytes(1, round * 7919 + 1)[0]);
        let time = Duration::from_millis(number * LONGEST / 255);
        ledger.upload_for(&server.url, time).await;
        server.signal("KILL");
        drop(server);
        let server = site.serve();
        ledger.check_since(&server.url, before).await;
    }
    let server = site.serve();
    ledger.check_since(&server.url, 0).await;
    let (code, found, said) = site.run(&["verify", "--rate", "100 GiB"]);
    assert_eq!(code, Some(0), "{found}{said}");
    tell(&format!(
        "{what}: {rounds} kills, {} files acknowledged, {} times one was read and was whole",
        ledger.len(),
        ledger.checked()
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_has_what_it_acknowledged() {
    nothing_acknowledged_is_lost(Site::embedded(), "kill -9, disk and SQLite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_killed_has_what_it_acknowledged() {
    if let Some(site) = Site::on_services("killing a node").await {
        nothing_acknowledged_is_lost(site, "kill -9, S3 and PostgreSQL").await;
    }
}
