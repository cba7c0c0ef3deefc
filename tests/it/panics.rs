//! Mistakes in the program itself, which cost one request and no more.

use reqwest::StatusCode;

use crate::support::faults::{Fault, Faults, wrap};
use crate::support::{App, ID, Zip, eventually, sym};

const KEY: &str = "a.pdb/44E4EC8C2F41492B9369D6B9A059577C2/a.sym";

fn archive() -> Vec<u8> {
    Zip::new().file(KEY, sym("a.pdb", ID, 100)).bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_costs_one_request_wherever_it_happens() {
    let (storage, database) = (Faults::none(), Faults::none());
    let app = App::wrapped(|_| {}, |adaptors| wrap(adaptors, &storage, &database)).await;
    let path = format!("/{KEY}");

    storage.fail(0..1, Fault::Panics);
    assert_eq!(app.status(&path).await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(app.status(&path).await, StatusCode::NOT_FOUND);

    storage.fail(0..1, Fault::Panics);
    let refused = app.upload(archive()).await;
    assert!(refused.status.is_server_error(), "{refused:?}");

    // The only one in the thread that speaks with the client.
    database.fail(0..1, Fault::Panics);
    let request = app
        .request(reqwest::Method::GET, "/api/uploads/upload/1")
        .header("Auth-Token", &app.token);
    let answer = request.send().await;
    assert!(answer.is_err(), "{answer:?}");

    eventually("nothing is held", async || {
        app.metric("symbold_uploads_in_flight").await == 0
    })
    .await;
    assert_eq!(app.upload(archive()).await.status, StatusCode::CREATED);
    assert_eq!(app.status(&path).await, StatusCode::OK);
}
