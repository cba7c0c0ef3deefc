//! The rule of imports inside a folder: down only, without a ring, and never back up to the folder's own `mod.rs`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Source, sources};

/// The folders that keep the rule, with all folders in them.
const ROOMS: &[&str] = &[
    "auth",
    "breakpad",
    "http",
    "server",
    "storage",
    "symbolication",
    "upload",
];

/// A module as the names that lead to it.
type Module = Vec<String>;

/// One module that names another.
#[derive(Debug)]
struct Import {
    from: Module,
    to: Module,
    place: String,
}

#[test]
fn imports_inside_a_folder_go_down_only() {
    let sources = sources();
    let modules: BTreeSet<Module> = sources.iter().map(module_of).collect();
    let imports: Vec<Import> = sources
        .iter()
        .flat_map(|source| imports_of(source, &modules))
        .collect();
    let mut broken = Vec::new();
    for folder in modules.iter().filter(|module| is_in_a_room(module)) {
        let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for import in &imports {
            let Some(child) = child_of(folder, &import.from) else {
                continue;
            };
            match child_of(folder, &import.to) {
                None if import.to == *folder => broken.push(format!(
                    "{}: imports from mod.rs of {}, which stands above it",
                    import.place,
                    folder.join("/")
                )),
                Some(other) if other != child => {
                    edges.entry(child).or_default().insert(other);
                }
                _ => {}
            }
        }
        if let Some(ring) = ring(&edges) {
            let folder = folder.join("/");
            broken.push(format!(
                "{folder}: a ring of imports: {}",
                ring.join(" -> ")
            ));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

fn is_in_a_room(module: &Module) -> bool {
    module
        .first()
        .is_some_and(|room| ROOMS.contains(&room.as_str()))
}

fn module_of(source: &Source) -> Module {
    let path = source.path.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    path.split('/').map(str::to_owned).collect()
}

/// The name of the child of a folder in which a module lies.
fn child_of<'module>(folder: &Module, module: &'module Module) -> Option<&'module str> {
    let rest = module.strip_prefix(folder.as_slice())?;
    rest.first().map(String::as_str)
}

/// Every module that a file names by `super::`, `self::` or `crate::`.
fn imports_of(source: &Source, modules: &BTreeSet<Module>) -> Vec<Import> {
    let from = module_of(source);
    let mut imports = Vec::new();
    let mut statement = String::new();
    for (number, line) in source.lines() {
        let line = line.split("//").next().unwrap_or_default();
        let is_use = line.trim_start().starts_with("use ") || line.contains(" use ");
        if !statement.is_empty() || is_use {
            statement.push_str(line.trim());
            statement.push(' ');
            if !line.contains(';') {
                continue;
            }
        } else {
            line.clone_into(&mut statement);
        }
        for path in paths(&std::mem::take(&mut statement)) {
            if let Some(to) = resolve(&from, &path, modules) {
                imports.push(Import {
                    from: from.clone(),
                    to,
                    place: format!("src/{}:{}", source.path, number + 1),
                });
            }
        }
    }
    imports
}

/// All paths in a text that begin with `super`, `self` or `crate`, with the groups in braces taken apart. Those of
/// visibilities do not count.
fn paths(text: &str) -> Vec<Vec<String>> {
    let text = &text.replace("pub(in crate::", "pub(in ");
    let mut found = Vec::new();
    for root in ["super::", "crate::", "self::"] {
        for (start, _) in text.match_indices(root) {
            let before = text[..start].chars().next_back();
            if before.is_none_or(|character| !is_of_name(character) && character != ':') {
                expand(&text[start..], &[], &mut found);
            }
        }
    }
    found
}

fn is_of_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Reads one path, or a group of them, and returns how many bytes it takes.
fn expand(text: &str, prefix: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = prefix.to_vec();
    let mut at = 0;
    loop {
        at += text[at..].len() - text[at..].trim_start().len();
        if text[at..].starts_with('{') {
            at += 1;
            while at < text.len() && !text[at..].starts_with('}') {
                let length = match text[at..].chars().next() {
                    Some(next) if is_of_name(next) => expand(&text[at..], &path, found),
                    next => next.map_or(0, char::len_utf8),
                };
                at += length;
            }
            return at + 1;
        }
        let name: String = text[at..].chars().take_while(|c| is_of_name(*c)).collect();
        at += name.len();
        path.push(name);
        if !text[at..].starts_with("::") {
            break;
        }
        at += 2;
    }
    found.push(path);
    at
}

/// The module that a path leads to: the longest of its beginnings that is one.
fn resolve(from: &Module, path: &[String], modules: &BTreeSet<Module>) -> Option<Module> {
    let mut module = from.clone();
    for name in path {
        match name.as_str() {
            "crate" => module.clear(),
            "super" => drop(module.pop()),
            "self" => {}
            name => module.push(name.to_owned()),
        }
    }
    while !module.is_empty() && !modules.contains(&module) {
        module.pop();
    }
    (!module.is_empty() && module != *from).then_some(module)
}

/// The names along a ring, if there is one.
fn ring<'name>(edges: &BTreeMap<&'name str, BTreeSet<&'name str>>) -> Option<Vec<&'name str>> {
    fn walk<'name>(
        name: &'name str,
        edges: &BTreeMap<&'name str, BTreeSet<&'name str>>,
        way: &mut Vec<&'name str>,
        done: &mut BTreeSet<&'name str>,
    ) -> bool {
        way.push(name);
        for next in edges.get(name).into_iter().flatten() {
            if way.contains(next) {
                way.push(next);
                return true;
            }
            if !done.contains(next) && walk(next, edges, way, done) {
                return true;
            }
        }
        way.pop();
        done.insert(name);
        false
    }
    let mut done = BTreeSet::new();
    edges.keys().find_map(|name| {
        let mut way = Vec::new();
        walk(name, edges, &mut way, &mut done).then_some(way)
    })
}

#[test]
fn paths_are_read_out_of_statements() {
    let text = "use super::{a::{B, c}, d}; crate::e::F(x); my::super_::g; pub(super) fn h()";
    let found: Vec<String> = paths(text).iter().map(|path| path.join("::")).collect();
    assert_eq!(
        found,
        ["super::a::B", "super::a::c", "super::d", "crate::e::F"]
    );
}

#[test]
fn a_ring_is_found() {
    let edges = |pairs: &[(&'static str, &'static str)]| {
        let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (from, to) in pairs {
            edges.entry(from).or_default().insert(to);
        }
        edges
    };
    assert_eq!(ring(&edges(&[("a", "b"), ("a", "c"), ("b", "c")])), None);
    let found = ring(&edges(&[("a", "b"), ("b", "c"), ("c", "b")]));
    assert_eq!(found, Some(vec!["a", "b", "c", "b"]));
}
