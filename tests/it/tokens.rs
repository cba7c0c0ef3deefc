//! Tokens on the wire.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use symbold::auth::Permission;
use symbold::clock::ManualClock;
use time::macros::datetime;

use crate::support::{Answer, App, Zip};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_the_permission_is_refused_with_the_reason() {
    let app = App::start().await;
    let viewer = app
        .token("viewer@example.com", &[Permission::ViewAllUploads], 1)
        .await;
    let revoked = app
        .token("gone@example.com", &[Permission::UploadSymbols], 1)
        .await;
    let id = app.auth().list().await.unwrap()[0].id;
    assert!(app.auth().revoke(id).await.unwrap());
    for (token, sentence) in [
        (
            "",
            "This requires an Auth-Token to authenticate the request",
        ),
        ("-label", "This requires an Auth-Token"),
        ("nonsense", "API Token not matched"),
        (&"x".repeat(4000), "requires an Auth-Token"),
        (revoked.as_str(), "API Token found but revoked"),
        (viewer.as_str(), "Forbidden"),
    ] {
        let answer = app.upload_as(token, Zip::new()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{token}");
        assert!(
            answer.error().contains(sentence),
            "{token}: {}",
            answer.error()
        );
    }
    let without = app.request(Method::POST, "/upload/").send().await.unwrap();
    assert_eq!(without.status(), StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_on_its_second() {
    let clock = Arc::new(ManualClock::at(datetime!(2026-01-01 0:00 UTC)));
    let app = App::with_clock(Arc::clone(&clock)).await;
    let token = app
        .token("ci@example.com", &[Permission::UploadSymbols], 1)
        .await;
    clock.advance(Duration::from_hours(24) - Duration::from_secs(1));
    assert_eq!(
        app.upload_as(&token, Zip::new()).await.status,
        StatusCode::CREATED
    );
    clock.advance(Duration::from_secs(1));
    let answer = app.upload_as(&token, Zip::new()).await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::FORBIDDEN, "token_expired")
    );
    assert_eq!(answer.error(), "API Token found but expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_and_bearer_are_accepted_and_doubles_are_not() {
    let app = App::start().await;
    let labelled = format!("{}-build-machine", app.token);
    assert_eq!(
        app.upload_as(&labelled, Zip::new()).await.status,
        StatusCode::CREATED
    );
    let get = |headers: &[(&str, String)]| {
        let mut request = app.request(Method::GET, "/api/uploads/upload/1");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        request.send()
    };
    let bearer = ("Authorization", format!("bearer {}", app.token));
    assert_eq!(get(&[bearer]).await.unwrap().status(), StatusCode::OK);
    let token = ("Auth-Token", app.token.clone());
    assert_eq!(
        get(&[token.clone(), token]).await.unwrap().status(),
        StatusCode::FORBIDDEN
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_for_their_owner_and_for_viewers() {
    let app = App::start().await;
    let other = app
        .token("other@example.com", &[Permission::UploadSymbols], 1)
        .await;
    let viewer = app
        .token("viewer@example.com", &[Permission::ViewAllUploads], 1)
        .await;
    let id = app.upload_as(&other, Zip::new()).await.json["upload"]["id"].clone();
    let mine = app.upload(Zip::new()).await.json["upload"]["id"].clone();
    let status = async |token: &str, id: &serde_json::Value| {
        let request = app
            .request(Method::GET, &format!("/api/uploads/upload/{id}"))
            .header("Auth-Token", token);
        Answer::of(request.send().await.unwrap()).await.status
    };
    assert_eq!(status(&other, &id).await, StatusCode::OK);
    assert_eq!(status(&viewer, &id).await, StatusCode::OK);
    assert_eq!(status(&other, &mine).await, StatusCode::FORBIDDEN);
    assert_eq!(
        status(&other, &serde_json::json!(999)).await,
        StatusCode::NOT_FOUND
    );
    assert_eq!(status("nonsense", &id).await, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_matters_on_a_download() {
    let app = App::start().await;
    let request = app
        .request(Method::GET, "/a.pdb/AB/a.sym")
        .header("Auth-Token", "nonsense");
    assert_eq!(
        request.send().await.unwrap().status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_info_tells_uploaders_what_their_token_may_do() {
    let clock = Arc::new(ManualClock::at(datetime!(2026-01-01 0:00 UTC)));
    let app = App::with_clock(clock).await;
    let regular = app
        .token("ci@example.com", &[Permission::UploadSymbols], 1)
        .await;
    let try_only = app
        .token("try@example.com", &[Permission::UploadTrySymbols], 2)
        .await;
    let viewer = app
        .token("viewer@example.com", &[Permission::ViewAllUploads], 1)
        .await;
    let ask = async |method: Method, token: &str| {
        let request = app
            .request(method, "/upload/auth_info/")
            .header("Auth-Token", token);
        Answer::of(request.send().await.unwrap()).await
    };
    for (token, email, is_try, ends) in [
        (
            &regular,
            "ci@example.com",
            false,
            datetime!(2026-01-02 0:00 UTC),
        ),
        (
            &try_only,
            "try@example.com",
            true,
            datetime!(2026-01-03 0:00 UTC),
        ),
    ] {
        let expected = serde_json::json!({
            "email": email, "try_symbols": is_try, "token_expires_at": ends.unix_timestamp(), "upload_api_version": 1,
        });
        assert_eq!(ask(Method::POST, token).await.json, expected);
    }
    assert_eq!(
        ask(Method::POST, &viewer).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        ask(Method::GET, &regular).await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}
