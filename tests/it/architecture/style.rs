//! Rules of style that neither rustfmt nor clippy checks: how long a file and a line are, and what a module's file is
//! called.

use std::fs;
use std::path::{Path, PathBuf};

use super::{files, root, sources};

/// The most lines of a source file, without its tests.
const LONGEST_FILE: usize = 400;

/// The most characters of a line.
const LONGEST_LINE: usize = 120;

/// The folders with code.
const CODE: [&str; 4] = ["src", "crates", "tests", "benches"];

fn code() -> Vec<PathBuf> {
    let folders = CODE.map(|folder| files(&root().join(folder), "rs"));
    folders.into_iter().flatten().collect()
}

fn prose() -> Vec<PathBuf> {
    let mut files = files(&root().join("docs"), "md");
    files.extend(["README.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    files
}

fn shown(path: &Path) -> String {
    let path = path.strip_prefix(root()).unwrap_or(path);
    path.display().to_string()
}

#[test]
fn files_stay_short() {
    let long: Vec<_> = sources()
        .iter()
        .map(|source| (source.lines().count(), source.path.clone()))
        .filter(|(lines, _)| *lines > LONGEST_FILE)
        .collect();
    assert!(
        long.is_empty(),
        "longer than {LONGEST_FILE} lines: {long:?}"
    );
}

/// Whether a line has too many characters. In Markdown, rows of tables and lines with a URL cannot be broken.
fn is_too_long(line: &str, is_markdown: bool) -> bool {
    let cannot_be_broken = is_markdown && (line.starts_with('|') || line.contains("://"));
    !cannot_be_broken && line.chars().count() > LONGEST_LINE
}

#[test]
fn lines_stay_short() {
    let mut long = Vec::new();
    for path in code().into_iter().chain(prose()) {
        let is_markdown = path.extension().is_some_and(|extension| extension == "md");
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            if is_too_long(line, is_markdown) {
                long.push(format!("{}:{}", shown(&path), number + 1));
            }
        }
    }
    assert!(
        long.is_empty(),
        "longer than {LONGEST_LINE} characters:\n{}",
        long.join("\n")
    );
}

#[test]
fn long_lines_are_found() {
    let long = "é".repeat(LONGEST_LINE + 1);
    assert!(is_too_long(&long, false) && is_too_long(&long, true));
    assert!(!is_too_long(&"é".repeat(LONGEST_LINE), false));
    for unbreakable in [format!("| {long} |"), format!("see https://{long}")] {
        assert!(is_too_long(&unbreakable, false));
        assert!(!is_too_long(&unbreakable, true));
    }
}

/// The files of modules that have a folder, but do not lie in it.
fn beside_their_folders(files: &[PathBuf]) -> Vec<String> {
    let folders: Vec<_> = files.iter().filter_map(|file| file.parent()).collect();
    let beside = files.iter().filter(|file| {
        let folder = file.with_extension("");
        folders.iter().any(|other| other.starts_with(&folder))
    });
    beside.map(|file| shown(file)).collect()
}

#[test]
fn a_module_with_a_folder_is_its_mod_rs() {
    let beside = beside_their_folders(&code());
    assert!(
        beside.is_empty(),
        "should be mod.rs in the folder of the same name: {beside:?}"
    );
}

#[test]
fn a_module_beside_its_folder_is_found() {
    let files = ["src/a/mod.rs", "src/a/b.rs", "src/c.rs", "src/c/d/e.rs"].map(PathBuf::from);
    assert_eq!(beside_their_folders(&files), ["src/c.rs"]);
}
