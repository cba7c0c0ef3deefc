//! The backends of the tested servers: the embedded ones, or PostgreSQL, Redis and S3 with `TEST_BACKENDS=services`.
//!
//! Every server has a database, a bucket and a namespace of its own, named after its data directory, so that a server
//! that is started again on the same directory finds what it had.

use std::io::Write;
use std::path::Path;

use symbold::config::Config;
use symbold::storage::{Access, S3Config, StorageKind};
use tokio_postgres::NoTls;

use super::object_store;

/// Tells whether the servers of this run stand on services.
pub(crate) fn are_services() -> bool {
    variable("TEST_BACKENDS").as_deref() == Some("services")
}

/// Says that a test looks into the embedded storage, and passes it over in a run on services.
pub(crate) fn needs_embedded_storage(test: &str) -> bool {
    if are_services() {
        // Not `eprintln`, whose text the test harness keeps to itself when a test passes.
        let _ = writeln!(
            std::io::stderr(),
            "left out: {test} (it looks into the disk storage)"
        );
    }
    are_services()
}

/// Puts a server on its own part of the services, in a run on services.
pub(crate) async fn arrange(config: &mut Config, data: &Path) {
    if are_services() {
        use_services(config, data).await;
    }
}

/// Tells whether there are services, and says that a test is left out without them.
pub(crate) fn have_services(test: &str) -> bool {
    let names = ["TEST_POSTGRES_URL", "TEST_REDIS_URL", "TEST_S3_ENDPOINT"];
    let missing = names.into_iter().find(|name| variable(name).is_none());
    if let Some(name) = missing {
        let line = format!("left out: {test} ({name} is not set; make test runs it)\n");
        drop(std::io::stderr().write_all(line.as_bytes()));
    }
    missing.is_none()
}

/// Puts a server on its own part of the services.
pub(crate) async fn use_services(config: &mut Config, data: &Path) {
    let name = data.file_name().unwrap().to_string_lossy();
    let name = format!("it{}", hex::encode(name.as_bytes()));
    let service = |name: &str| variable(name).unwrap_or_else(|| panic!("{name} is not set"));
    config.database.url = database(&service("TEST_POSTGRES_URL"), &name).await.into();
    config.cache.redis_url = service("TEST_REDIS_URL").into();
    config.cache.namespace.clone_from(&name);
    let s3 = S3Config {
        access: Access::Proxy,
        endpoint: service("TEST_S3_ENDPOINT"),
        bucket: name.clone(),
        ..S3Config::default()
    };
    make_bucket(&s3.endpoint, &name).await;
    config.storage.kind = StorageKind::S3(s3);
}

async fn database(url: &str, name: &str) -> String {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    // It exists if this server was started before.
    drop(
        client
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .await,
    );
    let (place, parameters) = url.split_once('?').unwrap_or((url, ""));
    let (server, _) = place.rsplit_once('/').unwrap();
    format!("{server}/{name}?{parameters}")
}

async fn make_bucket(endpoint: &str, name: &str) {
    // It exists if this server was started before.
    drop(
        object_store::client(endpoint)
            .await
            .create_bucket()
            .bucket(name)
            .send()
            .await,
    );
}

/// A variable of the environment.
#[expect(clippy::disallowed_methods, reason = "the tests' own settings")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
