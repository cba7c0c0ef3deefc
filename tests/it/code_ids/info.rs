//! What is told of a module.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{CODE_ID, try_token, with_xul};
use crate::support::{App, ID, Zip};

/// What is known of a module; `None` when nothing is.
pub(super) async fn info(app: &App, path: &str) -> Option<Value> {
    let response = app.get(path).await;
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    match response.status() {
        StatusCode::OK => Some(response.json().await.unwrap()),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_is_described_by_either_of_its_names() {
    let app = with_xul().await;
    let expected = json!({
        "debug_id": ID,
        "debug_filename": "xul.pdb",
        "code_file": "xul.dll",
        "code_id": CODE_ID,
        "generator": "mozilla/dump_syms 2.3.4",
        "url": format!("http://{}/xul.pdb/{ID}/xul.sym", app.address),
    });
    for path in [
        format!("/api/syminfo/xul.dll/{CODE_ID}"),
        "/api/syminfo/xul.dll/5e9a1234f000".to_owned(),
        format!("/api/syminfo/xul.pdb/{ID}"),
    ] {
        assert_eq!(info(&app, &path).await, Some(expected.clone()), "{path}");
    }
    for path in ["/api/syminfo/gone.dll/AB", "/api/syminfo/fo%3Co.pdb/AB"] {
        let response = app.get(path).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(response.text().await.unwrap(), "Code file / id Not Found");
    }
    assert_eq!(
        app.missing().await,
        Vec::<Value>::new(),
        "no file was requested"
    );
    let other = app.request(Method::DELETE, "/api/syminfo/xul.pdb/AB");
    assert_eq!(other.send().await.unwrap().status(), 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_of_try_is_described_with_its_try_address() {
    let app = App::start().await;
    let archive = Zip::new().file(
        &format!("libł c++.so/{ID}/libł c++.so.sym"),
        format!("MODULE Linux x86_64 {ID} libł c++.so\n"),
    );
    let token = try_token(&app).await;
    assert_eq!(
        app.upload_as(&token, archive).await.status,
        StatusCode::CREATED
    );
    let path = format!("/api/syminfo/lib%C5%82%20c++.so/{ID}");
    assert_eq!(info(&app, &path).await, None);
    let info = info(&app, &format!("{path}?try")).await.unwrap();
    let expected = format!(
        "http://{}/try/lib%C5%82%20c++.so/{ID}/lib%C5%82%20c++.so.sym",
        app.address
    );
    assert_eq!(info["url"], expected);
    assert_eq!(
        [&info["code_file"], &info["code_id"], &info["generator"]],
        ["", "", ""]
    );
    let path = expected.split_once(&app.address.to_string()).unwrap().1;
    assert_eq!(app.status(path).await, StatusCode::OK);
}
