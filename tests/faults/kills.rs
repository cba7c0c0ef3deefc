//! Servers that are killed while they store uploads.

use std::time::Duration;

use crate::rounds::{Crash, nothing_acknowledged_is_lost};
use crate::support::Site;

async fn kills_lose_nothing(site: Site, what: &str) {
    let crash = Crash {
        name: "kills",
        what,
        longest: Duration::from_millis(600),
    };
    nothing_acknowledged_is_lost(site, crash, |server| server.signal("KILL")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_has_what_it_acknowledged() {
    kills_lose_nothing(Site::embedded(), "kill -9, disk and SQLite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_killed_has_what_it_acknowledged() {
    if let Some(site) = Site::on_services("killing a node").await {
        kills_lose_nothing(site, "kill -9, S3 and PostgreSQL").await;
    }
}
