//! The rules of docs/architecture.md, read off the source: who may import whom, where drivers live, how long a file is.

mod rooms;

use std::fs;
use std::path::{Path, PathBuf};

/// Every module of the crate with its layer; a module may import its own friends and lower layers.
const LAYERS: &[(&str, u8)] = &[
    ("cli", 4),
    ("client", 4),
    ("config", 4),
    ("first_run", 4),
    ("server", 4),
    ("telemetry", 4),
    ("http", 3),
    ("auth", 2),
    ("breakpad", 2),
    ("catalog", 2),
    ("debuginfod", 2),
    ("download", 2),
    ("health", 2),
    ("missing", 2),
    ("upload", 2),
    ("cache", 1),
    ("db", 1),
    ("outgoing", 1),
    ("storage", 1),
    ("background", 0),
    ("blocking", 0),
    ("breaker", 0),
    ("clock", 0),
    ("counting", 0),
    ("cpu", 0),
    ("durable_dirs", 0),
    ("metrics", 0),
    ("scratch", 0),
    ("section", 0),
    ("service_url", 0),
    ("lib", 4),
];

/// Modules of one layer that may import each other, from the left to the right.
const FRIENDS: &[(&str, &str)] = &[
    ("scratch", "blocking"),
    ("breakpad", "auth"),
    ("breakpad", "catalog"),
    ("breakpad", "upload"),
    ("upload", "auth"),
    ("upload", "catalog"),
    ("debuginfod", "catalog"),
    ("download", "catalog"),
    ("download", "missing"),
];

/// Drivers and the only places that may name them.
const HOMES: &[(&str, &[&str])] = &[
    ("actix_web", &["http", "server"]),
    ("actix_multipart", &["http"]),
    ("actix_http", &["server"]),
    ("actix_server", &["server"]),
    ("actix_service", &["server"]),
    ("aws_config", &["storage/s3"]),
    ("aws_sdk_s3", &["storage/s3"]),
    ("aws_smithy_http_client", &["storage/s3"]),
    ("aws_smithy_types", &["storage/s3"]),
    ("http_body", &["storage/s3"]),
    ("cab", &["download/unpack"]),
    ("deadpool_redis", &["cache/redis"]),
    ("deadpool_sqlite", &["db/sqlite"]),
    ("rusqlite", &["db/sqlite"]),
    ("deadpool_postgres", &["db/postgres"]),
    ("tokio_postgres", &["db/postgres"]),
    ("tokio_postgres_rustls", &["db/postgres"]),
    ("moka", &["cache", "missing/guard"]),
    ("strict_zip", &["upload"]),
    ("tar", &["debuginfod"]),
    (
        "reqwest",
        &[
            "client",
            "cli/healthcheck",
            "outgoing",
            "upload/receive/fetch",
            "upload/receive/mod",
            "upload/mod",
        ],
    ),
    (
        "rustix",
        &[
            "cpu",
            "server/connection",
            "storage/disk",
            "storage/file_part",
        ],
    ),
];

/// The most lines of a source file, without its tests.
const LONGEST_FILE: usize = 400;

struct Source {
    /// Path below `src`, as in `http/upload.rs`.
    path: String,
    text: String,
}

impl Source {
    fn module(&self) -> &str {
        self.path.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// The lines before the file's tests, with their numbers.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .take_while(|line| !line.starts_with("#[cfg(test)]"))
            .enumerate()
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(&root).unwrap().display().to_string();
                sources.push(Source { path, text });
            }
        }
    }
    sources.retain(|source| source.path != "main.rs" && !is_test(&source.path));
    assert!(sources.len() > 40, "the source was found");
    sources
}

fn is_test(path: &str) -> bool {
    path.contains("tests") || path.contains("contract") || path.ends_with("testing.rs")
}

fn layer_of(module: &str) -> u8 {
    let known = LAYERS.iter().find(|(name, _)| *name == module);
    known
        .unwrap_or_else(|| panic!("module {module} has no layer in this test"))
        .1
}

/// Modules of the crate that a line names.
fn imports(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("crate::").filter_map(|(start, found)| {
        let rest = &line[start + found.len()..];
        let name = &rest[..rest
            .find(|character: char| !character.is_alphanumeric() && character != '_')
            .unwrap_or(rest.len())];
        let is_module = name.starts_with(|character: char| character.is_ascii_lowercase());
        (is_module && !line.trim_start().starts_with("//")).then_some(name)
    })
}

#[test]
fn imports_go_down_only() {
    let mut broken = Vec::new();
    for source in sources() {
        let module = source.module().to_owned();
        for (number, line) in source.lines() {
            for imported in imports(line) {
                let is_friend = FRIENDS.contains(&(module.as_str(), imported));
                let (from, to) = (layer_of(&module), layer_of(imported));
                let is_edge = from == 4 && to == 4;
                if imported != module && to >= from && !is_friend && !is_edge {
                    broken.push(format!(
                        "src/{}:{}: {module} must not import {imported}",
                        source.path,
                        number + 1
                    ));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn http_calls_no_driver_and_drivers_stay_at_home() {
    let mut broken = Vec::new();
    for source in sources() {
        for (number, line) in source.lines() {
            for (driver, homes) in HOMES {
                let names_it =
                    line.contains(&format!("{driver}::")) && !line.trim_start().starts_with("//");
                if names_it && !homes.iter().any(|home| source.path.starts_with(home)) {
                    broken.push(format!(
                        "src/{}:{}: {driver} belongs in {homes:?}",
                        source.path,
                        number + 1
                    ));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// A route that is told to the router elsewhere has no label in the metrics.
#[test]
fn routes_are_in_the_table() {
    const ROUTER: [&str; 5] = [
        "web::resource(",
        "web::scope(",
        "web::route(",
        ".route(",
        ".default_service(",
    ];
    let mut broken = Vec::new();
    for source in sources() {
        for (number, line) in source.lines() {
            if ROUTER.iter().any(|call| line.contains(call)) && source.path != "http/routes.rs" {
                broken.push(format!("src/{}:{}", source.path, number + 1));
            }
        }
    }
    assert!(
        broken.is_empty(),
        "these belong in http/routes.rs: {broken:?}"
    );
}

/// What http may know of the adaptors: the records, objects and errors that services hand on, and no trait to call.
#[test]
fn http_calls_no_adaptor() {
    const SEAMS: [&str; 4] = ["dyn Storage", "dyn Database", "dyn SharedCache", "Records"];
    let mut broken = Vec::new();
    for source in sources() {
        for (number, line) in source.lines() {
            let is_code = source.module() == "http" && !line.trim_start().starts_with("//");
            if is_code && SEAMS.iter().any(|seam| line.contains(seam)) {
                broken.push(format!("src/{}:{}", source.path, number + 1));
            }
        }
    }
    assert!(
        broken.is_empty(),
        "http must go through a service: {broken:?}"
    );
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
