//! What the documents say of the code, held to the code.

use std::fs;

use super::{root, sources};

/// The documents that name files of the source.
const DOCUMENTS: [&str; 3] = ["docs/architecture.md", "CONTRIBUTING.md", "README.md"];

/// Folders that a running program makes, which the repository does not have.
const MADE_LATER: [&str; 2] = ["data/", "fuzz/artifacts/"];

/// How the names of files and folders end that a document can be held to.
const ENDINGS: [&str; 5] = ["/", ".rs", ".md", ".sql", ".toml"];

fn read(document: &str) -> String {
    fs::read_to_string(root().join(document)).unwrap()
}

/// The paths between backticks, without patterns such as `db/<name>/`.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n```")
        .step_by(2)
        .flat_map(|prose| prose.split('`').skip(1).step_by(2))
        .filter(|span| {
            let is_plain = |next: char| next.is_ascii_alphanumeric() || "-_./".contains(next);
            let is_path =
                span.contains('/') && !span.starts_with('/') && span.chars().all(is_plain);
            is_path && ENDINGS.iter().any(|ending| span.ends_with(ending))
        })
}

/// A path is relative to the repository or to `src`.
#[test]
fn files_that_the_documents_name_exist() {
    let mut absent = Vec::new();
    for document in DOCUMENTS {
        for path in paths(&read(document)) {
            let exists = root().join(path).exists() || root().join("src").join(path).exists();
            let is_made_later = MADE_LATER.iter().any(|folder| path.starts_with(folder));
            if !exists && !is_made_later {
                absent.push(format!("{document}: {path}"));
            }
        }
    }
    assert!(absent.is_empty(), "no such file:\n{}", absent.join("\n"));
}

#[test]
fn the_code_map_has_every_module() {
    let document = read("docs/architecture.md");
    let map = document
        .split("\n## ")
        .find(|chapter| chapter.starts_with("Code map\n"))
        .expect("there is a code map");
    let sources = sources();
    let mut absent: Vec<_> = sources
        .iter()
        .map(super::Source::module)
        .filter(|module| *module != "lib")
        .filter(|module| {
            !map.contains(&format!("`{module}`")) && !map.contains(&format!("`{module}/`"))
        })
        .collect();
    absent.dedup();
    assert!(absent.is_empty(), "not in the code map: {absent:?}");
}

#[test]
fn paths_are_found_between_backticks() {
    let text =
        "`db/mod.rs` and `db/<name>/`, `/upload/`, `upload/store/`\n```sh\n`a/b.rs`\n```\n`c/d.md`";
    let found: Vec<_> = paths(text).collect();
    assert_eq!(found, ["db/mod.rs", "upload/store/", "c/d.md"]);
}
