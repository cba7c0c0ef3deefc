//! What every engine must do with nodes and their pending uploads.

use super::uploads::{bare_upload, hold};
use super::{key, minute};
use crate::db::Database;
use crate::db::nodes::NodeBeat;
use crate::db::uploads::{Hold, Outcome, UploadState};

pub(super) async fn check_all(database: &dyn Database) {
    beats_are_counted(database).await;
    a_node_that_has_uploads_and_never_spoke_is_seen(database).await;
    a_node_is_ended_with_its_pending_uploads(database).await;
    a_node_whose_beat_has_moved_is_left_alone(database).await;
    a_node_gives_up_what_it_has_dropped(database).await;
}

async fn beat_of(database: &dyn Database, node: &str) -> Option<i64> {
    let nodes = database.nodes().await.unwrap();
    let found = nodes.into_iter().find(|other| other.node == node);
    found.map(|node| node.beat)
}

fn seen(node: &str, beat: i64) -> NodeBeat {
    NodeBeat {
        node: node.to_owned(),
        beat,
    }
}

async fn begin(database: &dyn Database, node: &str, ticket: i64) -> i64 {
    let hold = Hold {
        node: node.to_owned(),
        ticket,
        claims: vec![key(&format!("{node}/AB/{ticket}"))],
    };
    database.begin_upload(&bare_upload(), &hold).await.unwrap()
}

async fn state(database: &dyn Database, id: i64) -> UploadState {
    database.upload(id).await.unwrap().unwrap().0.state
}

fn failed(reason: &str) -> UploadState {
    UploadState::Failed(reason.to_owned())
}

async fn beats_are_counted(database: &dyn Database) {
    for beat in 1..=3 {
        database.beat("counted", minute(beat)).await.unwrap();
        assert_eq!(beat_of(database, "counted").await, Some(beat));
    }
    database.beat("another", minute(9)).await.unwrap();
    assert_eq!(beat_of(database, "counted").await, Some(3));
    let nodes = database.nodes().await.unwrap();
    let names: Vec<String> = nodes.into_iter().map(|node| node.node).collect();
    let mut ordered = names.clone();
    ordered.sort();
    assert_eq!(names, ordered);
}

async fn a_node_that_has_uploads_and_never_spoke_is_seen(database: &dyn Database) {
    let id = begin(database, "silent", 1).await;
    assert_eq!(beat_of(database, "silent").await, Some(0));
    let ended = database.end_node(&seen("silent", 0), "gone").await;
    assert_eq!(ended.unwrap(), 1);
    assert_eq!(state(database, id).await, failed("gone"));
    assert_eq!(beat_of(database, "silent").await, None);
}

async fn a_node_is_ended_with_its_pending_uploads(database: &dyn Database) {
    database.beat("dying", minute(0)).await.unwrap();
    let completed = begin(database, "dying", 1).await;
    let outcome = Outcome::default();
    let done = database
        .complete_upload(completed, &outcome, minute(1))
        .await;
    done.unwrap();
    let (one, two) = (
        begin(database, "dying", 2).await,
        begin(database, "dying", 3).await,
    );
    let others = begin(database, "other", 2).await;

    let ended = database.end_node(&seen("dying", 1), "gone").await;
    assert_eq!(ended.unwrap(), 2);
    for id in [one, two] {
        assert_eq!(state(database, id).await, failed("gone"));
        let late = database.complete_upload(id, &outcome, minute(2)).await;
        assert!(late.is_err(), "it was given up");
    }
    assert_eq!(
        state(database, completed).await,
        UploadState::Completed(minute(1))
    );
    assert_eq!(state(database, others).await, UploadState::Pending);
    assert_eq!(beat_of(database, "dying").await, None);
    begin(database, "dying", 2).await;
    let again = database.end_node(&seen("nobody", 4), "gone").await;
    assert_eq!(again.unwrap(), 0);
}

async fn a_node_whose_beat_has_moved_is_left_alone(database: &dyn Database) {
    let id = begin(database, "living", 1).await;
    database.beat("living", minute(0)).await.unwrap();
    database.beat("living", minute(1)).await.unwrap();
    for beat in [0, 1, 3] {
        let ended = database.end_node(&seen("living", beat), "gone").await;
        assert_eq!(ended.unwrap(), 0);
    }
    assert_eq!(state(database, id).await, UploadState::Pending);
    assert_eq!(beat_of(database, "living").await, Some(2));
}

async fn a_node_gives_up_what_it_has_dropped(database: &dyn Database) {
    let mut ids = Vec::new();
    for ticket in 1..=5 {
        ids.push(begin(database, "forgetful", ticket).await);
    }
    let other = database
        .begin_upload(&bare_upload(), &hold())
        .await
        .unwrap();
    let given_up = database
        .fail_dropped("forgetful", 5, &[2, 4], "dropped")
        .await;
    assert_eq!(given_up.unwrap(), 2);
    for (id, is_dropped) in ids.iter().zip([true, false, true, false, false]) {
        let expected = if is_dropped {
            failed("dropped")
        } else {
            UploadState::Pending
        };
        assert_eq!(state(database, *id).await, expected);
    }
    assert_eq!(state(database, other).await, UploadState::Pending);
    begin(database, "forgetful", 1).await;
    let given_up = database.fail_dropped("forgetful", 6, &[], "dropped").await;
    assert_eq!(given_up.unwrap(), 4);
}
