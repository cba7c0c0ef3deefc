//! minidump-stackwalk, which turns minidumps into stacks with function names: the library that asks for symbols.

use std::path::Path;

use minidump::Minidump;
use minidump_processor::process_minidump;
use minidump_unwind::{Symbolizer, http_symbol_supplier};
use serde_json::{Value, json};

use crate::support::minidump::{Module, minidump};
use crate::support::{App, ID, PATIENCE, Zip};

const MISSING_ID: &str = "D3096269C8AC48D5B8E2A9C3E2A1E4B61";

const RENAMED_ID: &str = "DDDDEC8C2F41492B9369D6B9A059577C2";

const SHOUTED_ID: &str = "EEEEEC8C2F41492B9369D6B9A059577C2";

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

/// What the library behind minidump-stackwalk makes of a minidump with the symbols at an address, as the program prints
/// it with `--json`.
async fn walk(dump: &[u8], url: &str, folder: &Path) -> Value {
    let dump = Minidump::read(dump).unwrap();
    let (cache, partial) = (folder.join("cache"), folder.to_owned());
    let supplier = http_symbol_supplier(vec![], vec![url.to_owned()], cache, partial, PATIENCE);
    let state = process_minidump(&dump, &Symbolizer::new(supplier)).await;
    let mut report = Vec::new();
    state.unwrap().print_json(&mut report, false).unwrap();
    serde_json::from_slice(&report).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minidump_gets_its_names_and_tells_what_is_missing() {
    let app = App::start().await;
    let files = [
        sym("crashed", ID),
        sym("renamed", RENAMED_ID),
        sym("shouted", SHOUTED_ID),
    ];
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
        module(0x4_0000_0000, "SHOUTED.DLL", None),
    ];
    let stack = [0x2_0000_1020, 0x3_0000_1020, 0x4_0000_1020, 0];
    let folder = tempfile::tempdir().unwrap();
    let dump = minidump(0x1_0000_1010, &stack, &modules);
    let url = format!("http://{}/", app.address);
    let report = walk(&dump, &url, folder.path()).await;

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
        // It was loaded under another spelling than it was built.
        (json!("SHOUTED.DLL"), json!("work_of_shouted()"), json!(42)),
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
