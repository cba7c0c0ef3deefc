use std::future::pending;

use tempfile::TempDir;
use time::macros::datetime;

use super::*;
use crate::clock::ManualClock;
use crate::db::uploads::{NewUpload, Outcome, UploadRecords, UploadState};
use crate::db::{NodeRecords, SqliteDatabase};

const NOW: time::OffsetDateTime = datetime!(2026-11-23 10:00 UTC);

/// Processes that share a database.
struct Office {
    database: Arc<SqliteDatabase>,
    folder: TempDir,
}

/// One of them.
struct Process {
    in_flight: Arc<InFlight>,
    watch: AbandonedUploads,
}

impl Office {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = SqliteDatabase::open(&folder.path().join("records")).await;
        Self {
            database: Arc::new(database.unwrap()),
            folder,
        }
    }

    /// With a database that fails whatever is asked of it about processes.
    async fn broken() -> Self {
        let office = Self::open().await;
        let file = rusqlite::Connection::open(office.folder.path().join("records")).unwrap();
        file.execute_batch("DROP TABLE nodes").unwrap();
        office
    }

    /// Starts a process that knows that some others are dead.
    fn process(&self, name: &str, killed: &[&str]) -> Process {
        let in_flight = InFlight::new(name);
        let killed = killed.iter().map(|name| (*name).to_owned()).collect();
        let watch = AbandonedUploads::new(
            Arc::clone(&in_flight),
            killed,
            Duration::from_secs(30),
            Arc::<SqliteDatabase>::clone(&self.database),
            Arc::new(ManualClock::at(NOW)),
        );
        Process { in_flight, watch }
    }

    /// Records an upload in the hands of a process.
    async fn begin(&self, process: &Process) -> (i64, crate::upload::records::in_flight::Ticket) {
        let ticket = process.in_flight.take();
        let upload = NewUpload {
            user: "build@example.com".to_owned(),
            created_at: NOW,
            ..NewUpload::default()
        };
        let id = self
            .database
            .begin_upload(&upload, &ticket.hold(vec![]))
            .await;
        (id.unwrap(), ticket)
    }

    async fn state(&self, id: i64) -> UploadState {
        let upload = self.database.upload(id).await.unwrap();
        upload.unwrap().0.state
    }

    async fn is_pending(&self, id: i64) -> bool {
        self.state(id).await == UploadState::Pending
    }
}

fn failed(reason: &str) -> UploadState {
    UploadState::Failed(reason.to_owned())
}

#[tokio::test]
async fn a_process_that_falls_silent_is_ended_after_some_rounds() {
    let office = Office::open().await;
    let (mut one, mut other) = (office.process("one", &[]), office.process("other", &[]));
    let (id, _ticket) = office.begin(&other).await;
    other.watch.round().await.unwrap();
    for _ in 0..STILL_ROUNDS {
        one.watch.round().await.unwrap();
        assert!(office.is_pending(id).await);
    }
    one.watch.round().await.unwrap();
    assert_eq!(office.state(id).await, failed(SILENT));
    let outcome = Outcome::default();
    let completed = office.database.complete_upload(id, &outcome, NOW).await;
    assert!(matches!(completed, Err(DbError::Conflict(_))));
    other.watch.round().await.unwrap();
    let names = office.database.nodes().await.unwrap();
    assert_eq!(names.len(), 2, "it lives again: {names:?}");
}

#[tokio::test]
async fn processes_that_speak_leave_each_other_alone() {
    let office = Office::open().await;
    let (mut one, mut other) = (office.process("one", &[]), office.process("other", &[]));
    let (ids, _tickets): (Vec<_>, Vec<_>) = [office.begin(&one).await, office.begin(&other).await]
        .into_iter()
        .unzip();
    for _ in 0..3 {
        for _ in 0..STILL_ROUNDS {
            one.watch.round().await.unwrap();
        }
        other.watch.round().await.unwrap();
    }
    for id in ids {
        assert!(office.is_pending(id).await);
    }
}

#[tokio::test]
async fn a_process_that_is_known_to_be_dead_is_ended_at_once() {
    let office = Office::open().await;
    let mut dead = office.process("dead", &[]);
    let (id, _ticket) = office.begin(&dead).await;
    dead.watch.round().await.unwrap();
    let living = office.process("living", &[]);
    let (other, _other_ticket) = office.begin(&living).await;
    let mut next = office.process("next", &["dead"]);
    next.watch.round().await.unwrap();
    assert_eq!(office.state(id).await, failed(KILLED));
    assert!(office.is_pending(other).await, "it has not spoken yet");
}

#[tokio::test]
async fn an_outage_says_nothing_of_the_others() {
    let office = Office::open().await;
    let (mut one, mut other) = (office.process("one", &[]), office.process("other", &[]));
    let (id, _ticket) = office.begin(&other).await;
    other.watch.round().await.unwrap();
    for _ in 0..STILL_ROUNDS {
        one.watch.round().await.unwrap();
    }
    let broken = Office::broken().await;
    let sound = std::mem::replace(&mut one.watch.database, broken.database);
    one.watch.round().await.unwrap_err();
    one.watch.database = sound;
    for _ in 0..STILL_ROUNDS {
        one.watch.round().await.unwrap();
        assert!(office.is_pending(id).await);
    }
}

#[tokio::test]
async fn what_is_dropped_is_ended_at_once_and_what_is_held_stays() {
    let office = Office::open().await;
    let process = office.process("one", &[]);
    let (held, _ticket) = office.begin(&process).await;
    let (dropped, ticket) = office.begin(&process).await;
    let (settled, other_ticket) = office.begin(&process).await;
    drop(ticket);
    process.in_flight.dropped().await;
    process.watch.fail_dropped().await.unwrap();
    assert!(office.is_pending(held).await);
    assert_eq!(office.state(dropped).await, failed(DROPPED));
    assert_eq!(office.state(settled).await, UploadState::Pending);
    other_ticket.settle();
    tokio::select! {
        biased;
        () = process.in_flight.dropped() => panic!("a settled one wakes nobody"),
        () = tokio::task::yield_now() => {}
        () = pending() => {}
    }
}

#[tokio::test]
async fn a_process_that_stops_says_so() {
    let office = Office::open().await;
    let mut process = office.process("one", &[]);
    let (id, _ticket) = office.begin(&process).await;
    process.watch.round().await.unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    process.watch.run(stop).await;
    assert_eq!(office.state(id).await, failed(STOPPED));
    assert_eq!(office.database.nodes().await.unwrap(), []);
}
