//! Who may upload now: slots, a token's share of them, and room among the temporary files, all of them before the body.

use bytesize::ByteSize;
use futures_util::future::{join, join_all};
use reqwest::StatusCode;
use symbold::auth::Permission;
use symbold::config::Config;

use crate::support::{App, ID, PATIENCE, RawConnection, Zip, eventually, random_bytes, sym};

/// The head of an upload that says what follows it in this header.
fn head(app: &App, token: &str, body: &str) -> String {
    format!(
        "POST /upload/ HTTP/1.1\r\nHost: {}\r\nAuth-Token: {token}\r\n{body}\r\n\
         Content-Type: multipart/form-data; boundary=x\r\n\r\n",
        app.address
    )
}

async fn reserved(app: &App) -> u64 {
    app.metric("symbold_upload_reserved_bytes{kind=\"archives\"}")
        .await
}

async fn waiting(app: &App) -> u64 {
    app.metric("symbold_uploads_waiting").await
}

/// Begins an upload and waits until it has its slot.
async fn begin(app: &App, token: &str, body: &str) -> RawConnection {
    let under_way = app.metric("symbold_uploads_in_flight").await;
    let mut connection = RawConnection::open(app.address).await;
    connection.send(head(app, token, body)).await;
    eventually("the upload has a slot", async || {
        app.metric("symbold_uploads_in_flight").await == under_way + 1
    })
    .await;
    connection
}

/// The answer to an upload of which nothing but the head is sent.
async fn refusal(app: &App, token: &str, body: &str) -> String {
    let mut connection = RawConnection::open(app.address).await;
    connection.send(head(app, token, body)).await;
    connection.read_to_close().await
}

async fn small(change: impl FnOnce(&mut Config)) -> App {
    App::with(|config| {
        config.upload.size = ByteSize::kib(64);
        config.upload.temporary = ByteSize::kib(100);
        change(config);
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_upload_too_many_is_told_to_come_back_before_its_body() {
    let app = App::with(|config| config.upload.slots = 1).await;
    let first = begin(&app, &app.token, "Content-Length: 1000").await;
    let answer = app.upload(Zip::new()).await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::SERVICE_UNAVAILABLE, "busy")
    );
    assert!(answer.retry_after.unwrap().parse::<u8>().unwrap() > 0);
    let answer = refusal(&app, &app.token, "Content-Length: 1000").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    drop(first);
    eventually("the slot is free", async || {
        app.upload(Zip::new()).await.status == StatusCode::CREATED
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn room_is_taken_for_what_the_client_says_that_it_will_send() {
    let app = small(|_| {}).await;
    let first = begin(&app, &app.token, "Content-Length: 61440").await;
    assert_eq!(reserved(&app).await, 60 << 10);
    let answer = refusal(&app, &app.token, "Content-Length: 51200").await;
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.contains("\"code\":\"busy\""),
        "{answer}"
    );
    assert!(answer.contains("retry-after: "), "{answer}");
    let second = begin(&app, &app.token, "Content-Length: 40960").await;
    assert_eq!(reserved(&app).await, 100 << 10);
    drop((first, second));
    eventually("the room is free", async || reserved(&app).await == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_a_length_takes_room_for_the_largest_archive() {
    let app = small(|_| {}).await;
    let chunked = "Transfer-Encoding: chunked";
    let first = begin(&app, &app.token, chunked).await;
    assert_eq!(reserved(&app).await, 64 << 10);
    let answer = refusal(&app, &app.token, chunked).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    let answer = app.upload(Zip::new()).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.json);
    drop(first);
    eventually("the room is free", async || reserved(&app).await == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_has_its_share_of_the_slots() {
    let app = App::with(|config| config.upload.slots = 3).await;
    let body = "Content-Length: 1000";
    let _first = begin(&app, &app.token, body).await;
    let _second = begin(&app, &app.token, body).await;
    let answer = refusal(&app, &app.token, body).await;
    assert!(
        answer.starts_with("HTTP/1.1 429") && answer.contains("\"code\":\"token_busy\""),
        "{answer}"
    );
    assert!(answer.contains("retry-after: ") && answer.contains("2 uploads under way"));
    let token = app
        .token("other@example.com", &[Permission::UploadSymbols], 1)
        .await;
    let answer = app.upload_as(&token, Zip::new()).await;
    assert_eq!(answer.status, StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_have_to_be_made_take_room_and_give_it_back() {
    let app = App::with(|config| config.upload.archive.member_size = ByteSize::mib(1)).await;
    let mut archive = Zip::new();
    for number in 0..6 {
        let bytes = random_bytes(900_000, number);
        let name = format!("m{number}.pdb/AB{number}/m{number}");
        archive = archive
            .stored(&format!("{name}.sym"), &bytes)
            .file(&format!("{name}.pd_"), &bytes);
    }
    let answer = app.upload(archive).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.json);
    let members = "symbold_upload_reserved_bytes{kind=\"members\"}";
    assert_eq!(app.metric(members).await, 0);
    assert_eq!(
        app.fetch("m3.pdb/AB3/m3.sym").await,
        random_bytes(900_000, 3)
    );
    assert_eq!(
        app.fetch("m3.pdb/AB3/m3.pd_").await,
        random_bytes(900_000, 3)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_builds_with_one_token_wait_for_its_slots() {
    let app = App::with(|config| config.upload.slot_wait = PATIENCE).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(begin(&app, &app.token, "Content-Length: 1000").await);
    }
    let uploads = (0..9).map(|number| {
        let key = format!("burr{number}.pdb/{ID}/burr{number}.sym");
        app.upload(Zip::new().file(&key, sym(&format!("burr{number}.pdb"), ID, 1)))
    });
    let uploading = join_all(uploads);
    let releasing = async {
        eventually("all of them wait", async || waiting(&app).await == 9).await;
        let token = app
            .token("other@example.com", &[Permission::UploadSymbols], 1)
            .await;
        let of_another = app.upload_as(&token, Zip::new()).await;
        assert_eq!(of_another.status, StatusCode::CREATED);
        // One slot is enough for all of them, one after the other.
        held.pop();
    };
    let (answers, ()) = join(uploading, releasing).await;
    for answer in answers {
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.json);
    }
    assert_eq!(waiting(&app).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_waits_is_not_asked_for_its_body_and_only_so_many_wait() {
    let app = App::with(|config| {
        config.upload.slots = 1;
        config.upload.slot_wait = PATIENCE;
        config.upload.slot_waiters = 1;
    })
    .await;
    let held = begin(&app, &app.token, "Content-Length: 1000").await;
    let mut second = RawConnection::open(app.address).await;
    let body = "Content-Length: 1000\r\nExpect: 100-continue";
    second.send(head(&app, &app.token, body)).await;
    eventually("it waits", async || waiting(&app).await == 1).await;
    let answer = refusal(&app, &app.token, "Content-Length: 1000").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    drop(held);
    let continued = second.read_head().await;
    assert!(continued.starts_with("HTTP/1.1 100 "), "{continued}");
}
