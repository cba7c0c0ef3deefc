//! The rule of layers: a module imports its friends and the layers below its own. The lists of layers and friends are
//! the two tables in the chapter "Layers" of docs/architecture.md.

use std::collections::BTreeSet;
use std::fs;

use super::{Source, root, sources};

/// The layer whose modules may all use each other.
const EDGE: u8 = 4;

/// What the two tables say.
#[derive(Debug, Default)]
struct Layers {
    /// Every module with the number of its layer.
    modules: Vec<(String, u8)>,
    /// Pairs of modules of one layer; the first may use the second.
    friends: Vec<(String, String)>,
}

impl Layers {
    fn of_the_document() -> Self {
        Self::read(&fs::read_to_string(root().join("docs/architecture.md")).unwrap())
    }

    /// Reads the chapter "Layers". A row of a layer begins with its number, a row of friends with a module.
    fn read(document: &str) -> Self {
        let chapter = document
            .split("\n## ")
            .find(|chapter| chapter.starts_with("Layers\n"))
            .expect("there is a chapter Layers");
        let mut layers = Self::default();
        for row in chapter.lines().filter_map(|line| line.strip_prefix("| ")) {
            let mut cells = row.split('|').map(str::trim);
            let (first, second) = (cells.next().unwrap(), cells.next().unwrap_or_default());
            let layer = first.chars().next().and_then(|digit| digit.to_digit(10));
            for name in names(second) {
                if let Some(layer) = layer {
                    layers.modules.push((name, u8::try_from(layer).unwrap()));
                } else {
                    let friends = names(first).into_iter().map(|user| (user, name.clone()));
                    layers.friends.extend(friends);
                }
            }
        }
        layers
    }

    fn layer_of(&self, module: &str) -> Option<u8> {
        let row = self.modules.iter().find(|(name, _)| name == module);
        row.map(|(_, layer)| *layer)
    }

    fn are_friends(&self, module: &str, imported: &str) -> bool {
        let pair = (module.to_owned(), imported.to_owned());
        self.friends.contains(&pair)
    }

    /// Modules of the source that are missing in the table, and names in the table that are no modules.
    fn mistakes(&self, sources: &[Source]) -> Vec<String> {
        let existing: BTreeSet<&str> = sources
            .iter()
            .map(Source::module)
            .filter(|module| *module != "lib")
            .collect();
        let mut mistakes = Vec::new();
        for module in &existing {
            let rows = self.modules.iter().filter(|(name, _)| name == module);
            let count = rows.count();
            if count != 1 {
                mistakes.push(format!("{module} is in {count} layers"));
            }
        }
        for (name, _) in &self.modules {
            if !existing.contains(name.as_str()) {
                mistakes.push(format!("{name} has a layer but no code"));
            }
        }
        let imports: BTreeSet<(&str, &str)> = sources
            .iter()
            .flat_map(|source| imports(source).map(|(_, imported)| (source.module(), imported)))
            .collect();
        for (module, friend) in &self.friends {
            if self.layer_of(module) != self.layer_of(friend) {
                mistakes.push(format!("{module} and {friend} are not of one layer"));
            }
            if !imports.contains(&(module, friend)) {
                mistakes.push(format!("{module} may use {friend} but does not"));
            }
        }
        mistakes
    }

    /// The imports of a file that the tables do not allow.
    fn broken_by(&self, source: &Source) -> Vec<String> {
        let module = source.module();
        let from = if module == "lib" {
            Some(EDGE)
        } else {
            self.layer_of(module)
        };
        imports(source)
            .filter(|(_, imported)| {
                let to = self.layer_of(imported);
                let is_down = from > to && to.is_some();
                let is_edge = from == Some(EDGE) && to == Some(EDGE);
                *imported != module && !is_down && !is_edge && !self.are_friends(module, imported)
            })
            .map(|(line, imported)| {
                format!(
                    "src/{}:{line}: {module} must not import {imported}",
                    source.path
                )
            })
            .collect()
    }
}

/// The names in backticks.
fn names(cell: &str) -> Vec<String> {
    let names = cell.split('`').skip(1).step_by(2);
    names.map(str::to_owned).collect()
}

/// The top-level modules that a file names, with the numbers of the lines.
fn imports(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    source.lines().flat_map(|(number, line)| {
        let code = line.split("//").next().unwrap_or_default();
        code.match_indices("crate::")
            .filter_map(move |(start, found)| {
                let rest = &code[start + found.len()..];
                let end = rest.find(|next: char| !next.is_alphanumeric() && next != '_');
                let name = &rest[..end.unwrap_or(rest.len())];
                let is_module = name.starts_with(|first: char| first.is_ascii_lowercase());
                is_module.then_some((number + 1, name))
            })
    })
}

#[test]
fn the_tables_name_every_module_and_no_other() {
    let mistakes = Layers::of_the_document().mistakes(&sources());
    assert!(
        mistakes.is_empty(),
        "docs/architecture.md, Layers:\n{}",
        mistakes.join("\n")
    );
}

#[test]
fn imports_go_down_only() {
    let layers = Layers::of_the_document();
    let broken: Vec<_> = sources()
        .iter()
        .flat_map(|source| layers.broken_by(source))
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

const DOCUMENT: &str = "
## Layers

| layer | modules |
|---|---|
| 1 adaptors | `db` `cache` |
| 0 ground | `clock` |

| module | may use |
|---|---|
| `cache` | `db` |

## Another chapter

| `clock` | `db` |
";

fn source(path: &str, text: &str) -> Source {
    let (path, text) = (path.to_owned(), text.to_owned());
    Source { path, text }
}

#[test]
fn mistakes_in_the_tables_are_found() {
    let layers = Layers::read(DOCUMENT);
    let mut sources = vec![
        source("db/mod.rs", "use crate::clock;"),
        source("cache/mod.rs", "use crate::db::Database;"),
        source("clock.rs", ""),
    ];
    assert_eq!(layers.mistakes(&sources), Vec::<String>::new());
    sources.push(source("scratch.rs", ""));
    assert_eq!(layers.mistakes(&sources), ["scratch is in 0 layers"]);
    sources.pop();
    sources.pop();
    assert_eq!(layers.mistakes(&sources), ["clock has a layer but no code"]);
    sources.push(source("clock.rs", ""));
    sources[1].text.clear();
    assert_eq!(layers.mistakes(&sources), ["cache may use db but does not"]);
}

#[test]
fn imports_that_go_up_or_aside_are_found() {
    let layers = Layers::read(DOCUMENT);
    let broken = |path, text| layers.broken_by(&source(path, text));
    assert_eq!(broken("cache/mod.rs", "use crate::db::Database;"), [""; 0]);
    assert_eq!(
        broken("clock.rs", "// crate::cache\nuse crate::db::Database;"),
        ["src/clock.rs:2: clock must not import db"]
    );
    assert_eq!(
        broken("db/mod.rs", "use crate::cache::Memo;"),
        ["src/db/mod.rs:1: db must not import cache"]
    );
    assert_eq!(
        broken("db/mod.rs", "fn now() -> crate::unknown::Time;"),
        ["src/db/mod.rs:1: db must not import unknown"]
    );
}
