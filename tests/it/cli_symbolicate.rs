//! `symbold symbolicate`: stacks in files become readable, by a server and straight from the storage.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Running, symbold};

const ID: &str = "44E4EC8C2F41492B9369D6B9A059577C2";

const SYM: &str = "MODULE windows x86_64 44E4EC8C2F41492B9369D6B9A059577C2 app.pdb\n\
    INFO CODE_ID 5E9A1234F000 app.exe\n\
    FILE 0 app.c\nFILE 1 inlined.h\n\
    INLINE_ORIGIN 0 inlined\n\
    FUNC 1000 100 0 main\n\
    INLINE 0 7 0 0 1010 10\n\
    1000 10 6 0\n1010 10 3 1\n1020 e0 8 0\n";

/// A server on a folder that holds the symbols.
fn server(folder: &Path) -> Running {
    let symbols = folder.join("symbols/app.pdb").join(ID);
    fs::create_dir_all(&symbols).unwrap();
    fs::write(symbols.join("app.sym"), SYM).unwrap();
    let server = Running::start(symbold(folder).arg("serve"));
    let mut upload = symbold(folder);
    let upload = upload.args(["upload", "symbols", "--url", &server.url]);
    assert!(upload.output().unwrap().status.success());
    server
}

fn symbolicate(command: &mut Command, input: &str) -> Output {
    let command = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_log_becomes_readable_by_a_server_and_without_one() {
    let folder = TempDir::new().unwrap();
    let server = server(folder.path());
    let log = format!("Crash!\n#01: app.pdb/{ID}+0x1012\n#02: app.exe+0x1020\n#03: gone.so+0x1\n");
    let expected = "Crash!\n\
        #01: inlined (inlined) at inlined.h:3\n\
        \x20    main + 0x12 at app.c:7 [app.exe + 0x1012]\n\
        #02: main + 0x20 at app.c:8 [app.exe + 0x1020]\n\
        #03: gone.so+0x1\n";
    let url = server.url.clone();
    for arguments in [
        &["symbolicate", "-", "--url", &url][..],
        &["symbolicate", "-"],
    ] {
        let output = symbolicate(symbold(folder.path()).args(arguments), &log);
        let (out, err) = said(&output);
        assert!(output.status.success(), "{arguments:?}: {err}");
        assert_eq!(out, expected, "{arguments:?}");
        assert!(
            err.contains("the debug id of gone.so is not known"),
            "{err}"
        );
    }
    // It goes on without the server.
    drop(server);
    let output = symbolicate(symbold(folder.path()).args(["symbolicate", "-"]), &log);
    assert_eq!(said(&output).0, expected);
}

#[test]
fn json_is_answered_with_stacks_or_json() {
    let folder = TempDir::new().unwrap();
    let server = server(folder.path());
    let modules = json!([["app.pdb", ID], ["gone.pdb", ID]]);
    let request = json!({"memoryMap": modules, "stacks": [[[0, 0x1020], [1, 5], [-1, 9]]]});
    fs::write(folder.path().join("stacks.json"), request.to_string()).unwrap();
    let run = |arguments: &[&str]| said(&symbold(folder.path()).args(arguments).output().unwrap());
    let (out, err) = run(&["symbolicate", "stacks.json"]);
    assert_eq!(
        out,
        "#0   main + 0x20 at app.c:8 [app.exe + 0x1020]\n#1   gone.pdb + 0x5\n#2   <unknown> + 0x9\n"
    );
    assert_eq!(
        err,
        format!("symbold: there are no usable symbols of gone.pdb/{ID}\n")
    );
    let (local, _) = run(&["symbolicate", "stacks.json", "--json"]);
    let (remote, _) = run(&["symbolicate", "stacks.json", "--json", "--url", &server.url]);
    let local: Value = serde_json::from_str(&local).unwrap();
    assert_eq!(local["results"][0]["stacks"][0][0]["function"], "main");
    assert_eq!(local, serde_json::from_str::<Value>(&remote).unwrap());
}

#[test]
fn mistakes_get_a_sentence() {
    let folder = TempDir::new().unwrap();
    let server = server(folder.path());
    let upload = format!("{}/elsewhere", server.url);
    let text = format!("app.pdb/{ID}+0x1012");
    for (arguments, input, sentence) in [
        (vec!["-"], "no address here", "names no address"),
        (vec!["-"], "{\"jobs\": 1}", "cannot read the request"),
        (vec!["-"], "{", "not JSON"),
        (vec!["gone.txt"], "", "cannot open gone.txt"),
        (
            vec!["-", "--url", "http://127.0.0.1:1"],
            text.as_str(),
            "no answer from 127.0.0.1",
        ),
        (
            vec!["-", "--url", &upload],
            text.as_str(),
            "the server answered 404",
        ),
        (
            vec!["-", "--module", "app.pdb/12"],
            "",
            "expected a module and its debug id",
        ),
    ] {
        let output = symbolicate(
            symbold(folder.path()).arg("symbolicate").args(&arguments),
            input,
        );
        let (out, err) = said(&output);
        assert!(!output.status.success(), "{arguments:?}");
        assert_eq!(out, "", "{arguments:?}");
        assert!(err.contains(sentence), "{arguments:?}: {err}");
    }
}
