//! Searches by build id and by name.

use std::slice::from_ref;

use serde_json::{Value, json};

use super::{App, Program, StatusCode, Zip, archive, gzip, upload};

async fn search(app: &App, key: &str, value: &str) -> Value {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("key", key)
        .append_pair("value", value)
        .finish();
    let response = app.get(&format!("/metadata?{query}")).await;
    assert_eq!(response.status(), StatusCode::OK, "{key} {value}");
    assert_eq!(response.headers()["content-type"], "application/json");
    response.json().await.unwrap()
}

fn found(results: &[Value]) -> Value {
    json!({"results": results, "complete": true})
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_found_by_build_id_by_name_and_by_pattern() {
    let (app, program) = (App::start().await, Program::build());
    upload(&app, archive(&program)).await;
    let entry =
        |kind: &str, file: &str| json!({"buildid": program.build_id, "type": kind, "file": file});
    let [code, debug] = ["program", "program.dbg.gz"].map(|file| format!("/{}", program.key(file)));
    let (of_code, of_debug) = (entry("executable", &code), entry("debuginfo", &debug));
    let both = found(&[of_code.clone(), of_debug.clone()]);
    assert_eq!(search(&app, "buildid", &program.build_id).await, both);
    let upper_case = program.build_id.to_uppercase();
    assert_eq!(search(&app, "buildid", &upper_case).await, both);
    for (pattern, expected) in [
        ("/program/*", &both),
        ("*gram*", &both),
        ("/*.dbg.gz", &found(from_ref(&of_debug))),
        ("/progra[^a-l]/*/progra?", &found(from_ref(&of_code))),
        ("program/*", &found(&[])),
        ("/other/*", &found(&[])),
        ("/\0*", &found(&[])),
        ("", &found(&[])),
    ] {
        assert_eq!(&search(&app, "glob", pattern).await, expected, "{pattern}");
    }
    assert_eq!(search(&app, "file", &debug).await, found(&[of_debug]));
    for name in [
        "/nothing",
        "",
        &code[1..],
        &code[..code.len() - 1],
        "/a/AB0/\0",
    ] {
        assert_eq!(search(&app, "file", name).await, found(&[]), "{name}");
    }
    assert_eq!(search(&app, "buildid", "abcd").await, found(&[]));

    // What was replaced by something else is not held any more.
    upload(&app, Zip::new().file(&program.key("program"), b"text")).await;
    assert_eq!(search(&app, "file", &code).await, found(&[]));
    app.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_has_bounds_and_says_so() {
    let (app, program) = (App::start().await, Program::build());
    let split = gzip(&program.bytes("split"));
    let archive = (0..220).fold(Zip::new(), |zip, number| {
        zip.stored(&program.key(&format!("{number}.dbg.gz")), &split)
    });
    upload(&app, archive).await;
    let all = search(&app, "glob", "*").await;
    assert_eq!(all["complete"], false);
    assert_eq!(all["results"].as_array().unwrap().len(), 200);
    let some = search(&app, "glob", "/*/1?.dbg.gz").await;
    assert_eq!(some["complete"], true);
    assert_eq!(some["results"].as_array().unwrap().len(), 10);
    let build = search(&app, "buildid", &program.build_id).await;
    assert_eq!(build["complete"], false, "a build has a few files: {build}");
    app.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_searched_for_is_refused() {
    let app = App::start().await;
    for query in [
        "",
        "?key=glob",
        "?value=abcd",
        "?key=name&value=a",
        "?key=buildid&value=xyz",
        "?key=glob&value=%5Ba",
    ] {
        let response = app.get(&format!("/metadata{query}")).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{query}");
    }
    assert_eq!(app.head("/metadata?key=file&value=/a").await.status(), 200);
    app.shut_down().await;
}
