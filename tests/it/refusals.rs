//! The codes of refused uploads, read off the source, against docs/api.md.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// What the file's errors are called: the texts on the right of the arms of `fn code`.
fn codes(path: &str) -> BTreeSet<String> {
    let source = read(path);
    let (_, arms) = source
        .split_once("fn code(&self) -> &'static str {")
        .unwrap();
    let (arms, _) = arms.split_once("\n    }\n").unwrap();
    let codes: BTreeSet<_> = arms
        .lines()
        .filter_map(code_of)
        .map(str::to_owned)
        .collect();
    assert!(codes.len() > 1, "the codes of {path} were found");
    codes
}

fn code_of(arm: &str) -> Option<&str> {
    arm.trim_end()
        .strip_suffix("\",")?
        .split_once("=> \"")
        .map(|(_, code)| code)
}

/// What stands in backquotes in the first column of codes of the section on uploads.
fn documented() -> BTreeSet<String> {
    let text = read("docs/api.md");
    let (_, uploads) = text.split_once("\n## Uploads\n").unwrap();
    let (uploads, _) = uploads.split_once("\n## ").unwrap();
    let rows = uploads.lines().filter(|line| line.starts_with("| "));
    rows.filter_map(|row| row.split('|').skip(1).find(|cell| cell.contains('`')))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_code_of_a_refused_upload_is_documented() {
    let mut in_source = BTreeSet::new();
    for path in [
        "crates/strict-zip/src/error.rs",
        "src/breakpad/error.rs",
        "src/upload/error.rs",
        "src/upload/receive/error.rs",
        "src/upload/receive/fetch_error.rs",
        "src/upload/store/error.rs",
        "src/upload/verify/error.rs",
    ] {
        in_source.extend(codes(path));
    }
    let documented = documented();
    let missing: Vec<_> = in_source.difference(&documented).collect();
    assert!(missing.is_empty(), "not in docs/api.md: {missing:?}");
}

#[test]
fn every_documented_code_of_a_broken_archive_exists() {
    let text = read("docs/api.md");
    let (_, table) = text.split_once("| code (400) | the archive |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let mut known = codes("crates/strict-zip/src/error.rs");
    known.extend(codes("src/upload/verify/error.rs"));
    let cells = table.lines().filter_map(|row| row.split('|').nth(1));
    let gone: Vec<_> = cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .filter(|code| !known.contains(*code))
        .collect();
    assert!(gone.is_empty(), "no longer in the source: {gone:?}");
}
