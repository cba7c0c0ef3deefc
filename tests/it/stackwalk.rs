//! The real minidump-stackwalk, which turns minidumps into stacks with function names.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::minidump::{Module, minidump};
use crate::support::{App, ID, Zip, variable};

const MISSING_ID: &str = "D3096269C8AC48D5B8E2A9C3E2A1E4B61";

const RENAMED_ID: &str = "DDDDEC8C2F41492B9369D6B9A059577C2";

/// A symbol file with one function, at 0x1000.
fn sym(name: &str, debug_id: &str) -> (String, String) {
    let key = format!("{name}.pdb/{debug_id}/{name}.sym");
    let text = format!(
        "MODULE windows x86_64 {debug_id} {name}.pdb\nINFO CODE_ID 5E9A1234F000 {name}.dll\n\
         FILE 0 /build/{name}.cpp\nFUNC 1000 100 0 work_of_{name}()\n1000 100 42 0\n"
    );
    (key, text)
}

/// A module at a place of its own, in memory of 0xF000 bytes.
fn module(
    base: u64,
    code_file: &'static str,
    debug: Option<(&'static str, &'static str)>,
) -> Module {
    Module {
        base,
        code_file,
        timestamp: 0x5E9A_1234,
        size: 0xF000,
        debug,
    }
}

/// What the program makes of a minidump with the symbols at an address.
fn walk(program: &str, url: &str, folder: &Path) -> Value {
    let output = Command::new(program)
        .args(["--json", "--symbols-url", url])
        .arg("--symbols-cache")
        .arg(folder.join("cache"))
        .arg("--symbols-tmp")
        .arg(folder)
        .arg(folder.join("crash.dmp"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minidump_gets_its_names_and_tells_what_is_missing() {
    let Some(program) = variable("TEST_MINIDUMP_STACKWALK") else {
        // Not `eprintln`, whose text the test harness keeps to itself when a test passes.
        let _ = writeln!(
            std::io::stderr(),
            "left out: a_minidump_gets_its_names_and_tells_what_is_missing (set TEST_MINIDUMP_STACKWALK)"
        );
        return;
    };
    let app = App::start().await;
    let files = [sym("crashed", ID), sym("renamed", RENAMED_ID)];
    let archive = files
        .iter()
        .fold(Zip::new(), |zip, (key, text)| zip.file(key, text));
    app.upload(archive).await;

    let modules = [
        module(0x1_0000_0000, "crashed.dll", Some(("crashed.pdb", ID))),
        module(
            0x2_0000_0000,
            "missing.dll",
            Some(("missing.pdb", MISSING_ID)),
        ),
        module(0x3_0000_0000, "renamed.dll", None),
    ];
    let stack = [0x2_0000_1020, 0x3_0000_1020, 0];
    let folder = tempfile::tempdir().unwrap();
    let dump = minidump(0x1_0000_1010, &stack, &modules);
    std::fs::write(folder.path().join("crash.dmp"), dump).unwrap();
    let url = format!("http://{}/", app.address);
    // The server runs on the other threads meanwhile.
    let report = walk(&program, &url, folder.path());

    let frames = report["crashing_thread"]["frames"].as_array().unwrap();
    let names: Vec<_> = frames
        .iter()
        .map(|frame| (&frame["module"], &frame["function"], &frame["line"]))
        .collect();
    let expected = [
        (json!("crashed.dll"), json!("work_of_crashed()"), json!(42)),
        (json!("missing.dll"), Value::Null, Value::Null),
        // It says no debug id, and was found by its code id.
        (json!("renamed.dll"), json!("work_of_renamed()"), json!(42)),
    ];
    let expected: Vec<_> = expected.iter().map(|(a, b, c)| (a, b, c)).collect();
    assert_eq!(names, expected, "{report:#}");

    let missing = app.missing().await;
    let missing: Vec<_> = missing
        .iter()
        .map(|row| {
            (
                &row["symbol"],
                &row["code_file"],
                &row["code_id"],
                &row["count"],
            )
        })
        .collect();
    let (name, code_file, code_id) = ("missing.pdb", "missing.dll", "5e9a1234f000");
    assert_eq!(
        missing,
        [(&json!(name), &json!(code_file), &json!(code_id), &json!(1))]
    );
}
