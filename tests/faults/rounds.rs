//! Rounds of uploads that a crash ends, and what is there afterwards.

use std::time::Duration;

use crate::ledger::Ledger;
use crate::support::{Running, Site, random_bytes};
use crate::{how_many, tell};

/// A way for servers to end in the middle of uploads.
pub(crate) struct Crash<'what> {
    /// Its name in the line of figures, in the plural.
    pub(crate) name: &'static str,
    /// The setting, for the same line.
    pub(crate) what: &'what str,
    /// The longest time from the first acknowledgement until it happens.
    pub(crate) longest: Duration,
}

/// Uploads to a server until `crash` ends it, again and again, and checks after each round that what was acknowledged
/// is there and whole.
pub(crate) async fn nothing_acknowledged_is_lost(
    site: Site,
    Crash {
        name,
        what,
        longest,
    }: Crash<'_>,
    crash: impl Fn(Running),
) {
    let rounds = how_many("FAULTS_ROUNDS", 2);
    drop(site.serve());
    let ledger = Ledger::new(site.token());
    for round in 0..rounds {
        let before = ledger.len();
        let server = site.serve();
        let number = random_bytes(1, round * 7919 + 1)[0];
        ledger
            .upload_for(&server.url, longest * u32::from(number) / 255)
            .await;
        crash(server);
        let server = site.serve();
        ledger.check_since(&server.url, before).await;
    }
    let server = site.serve();
    ledger.check_since(&server.url, 0).await;
    let (code, found, said) = site.run(&["verify", "--rate", "100 GiB"]);
    assert_eq!(code, Some(0), "{found}{said}");
    drop(server);
    tell(&format!(
        "{what}: {rounds} {name}, {} files acknowledged, {} times one was read and was whole",
        ledger.len(),
        ledger.checked()
    ));
}
