//! Gzipped debug information that is inflated for the client, as other tools write it and as it is damaged.

use super::{App, Program, StatusCode, Zip, fetch, gzip, upload};

/// Uploads a file as the program's `.dbg.gz`.
async fn upload_debug_info(app: &App, program: &Program, file: Vec<u8>) {
    let archive = Zip::new().stored(&program.key("program.dbg.gz"), file);
    upload(app, archive).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn zeros_behind_and_several_members_make_no_difference() {
    let program = Program::build();
    let split = program.bytes("split");
    let (start, rest) = split.split_at(10);
    for file in [
        [gzip(&split), vec![0; 10_240]].concat(),
        [gzip(start), gzip(rest)].concat(),
        [gzip(b""), gzip(start), gzip(rest), vec![0; 3]].concat(),
    ] {
        let app = App::start().await;
        upload_debug_info(&app, &program, file).await;
        assert_eq!(fetch(&app, &program.url("debuginfo")).await, split);
        let section = fetch(&app, &program.url("section/.debug_info")).await;
        assert!(!section.is_empty());
        app.shut_down().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_told_by_a_status_where_nothing_was_sent_yet() {
    let (app, program) = (App::start().await, Program::build());
    let mut split = program.bytes("split");
    split.resize(60_000, 0);
    let whole = gzip(&split);
    for file in [
        whole[..whole.len() - 9].to_vec(),
        [&whole[..], b"junk behind it"].concat(),
    ] {
        upload_debug_info(&app, &program, file.clone()).await;
        let response = app.get(&program.url("debuginfo")).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        let told = response.text().await.unwrap();
        assert!(told.contains("cannot be read"), "{told}");
        assert_eq!(app.fetch(&program.key("program.dbg.gz")).await, file);
    }
    // The connection serves the next request.
    upload_debug_info(&app, &program, whole).await;
    let sent = fetch(&app, &program.url("debuginfo")).await;
    assert_eq!(sent, split);
    app.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dwarf_without_a_symbol_table_is_debug_information() {
    let (app, program) = (App::start().await, Program::build());
    let dwarf = program.dwarf_without_symbols();
    upload(&app, Zip::new().file(&program.key("program"), &dwarf)).await;
    for wanted in ["debuginfo", "executable"] {
        assert_eq!(fetch(&app, &program.url(wanted)).await, dwarf, "{wanted}");
    }
    app.shut_down().await;
}
