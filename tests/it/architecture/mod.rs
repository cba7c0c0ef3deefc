//! The rules of docs/architecture.md and CONTRIBUTING.md, checked against the source.

mod documents;
mod homes;
mod layers;
mod rooms;
mod style;

use std::fs;
use std::path::{Path, PathBuf};

/// A source file of the server.
struct Source {
    /// Path below `src`, as in `http/upload.rs`.
    path: String,
    text: String,
}

impl Source {
    /// The top-level module, as in `http`.
    fn module(&self) -> &str {
        self.path.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// The lines before the module of tests that ends the file, with their numbers.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = self.text.find("\n#[cfg(test)]\nmod tests {");
        let code = &self.text[..end.unwrap_or(self.text.len())];
        code.lines().enumerate()
    }
}

/// The source files of the server, without those of tests.
fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut sources: Vec<_> = files(&src, "rs")
        .into_iter()
        .map(|path| Source {
            text: fs::read_to_string(&path).unwrap(),
            path: path.strip_prefix(&src).unwrap().display().to_string(),
        })
        .collect();
    sources.retain(|source| source.path != "main.rs" && !is_test(&source.path));
    assert!(sources.len() > 40, "the source was found");
    sources
}

fn is_test(path: &str) -> bool {
    path.contains("tests") || path.contains("contract") || path.ends_with("testing.rs")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files with this extension in a folder and the folders in it, sorted.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|its| its == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
