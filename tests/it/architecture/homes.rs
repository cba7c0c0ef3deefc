//! The rule of homes: a driver is named in one place, a route in one table, an adaptor never in a handler.

use super::sources;

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
    (
        "moka",
        &["cache", "missing/guard", "symbolication/symcaches"],
    ),
    ("symbolic_common", &["symbolication/symcaches"]),
    ("strict_zip", &["upload"]),
    ("tar", &["debuginfod"]),
    ("tikv_jemallocator", &["main"]),
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
            "symbolication/symcaches/native",
        ],
    ),
];

#[test]
fn drivers_stay_at_home() {
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
