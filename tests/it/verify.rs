//! `symbold verify`, beside a running server.

use std::fs;
use std::path::Path;

use aws_sdk_s3::primitives::ByteStream;
use reqwest::StatusCode;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{ID, Site, eventually, object_store, sym, symbold};

const KEY: &str = "mill.pdb/44E4EC8C2F41492B9369D6B9A059577C2/mill.sym";

/// Uploads two modules.
fn upload(site: &Site, url: &str) {
    let symbols = site.path("symbols");
    for module in ["mill", "other"] {
        let folder = symbols.join(format!("{module}.pdb")).join(ID);
        fs::create_dir_all(&folder).unwrap();
        let text = sym(&format!("{module}.pdb"), ID, 100);
        fs::write(folder.join(format!("{module}.sym")), text).unwrap();
    }
    let (status, _, said) = site.run(&["upload", "symbols", "--url", url]);
    assert_eq!(status, Some(0), "{said}");
}

async fn status(url: &str, path: &str) -> StatusCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().tls_certs_only([]).no_proxy();
    let client = client.build().unwrap();
    let answer = client.get(format!("{url}/{path}")).send().await.unwrap();
    answer.status()
}

async fn missing(url: &str) -> usize {
    let page = reqwest::get(format!("{url}/missingsymbols/?symbol=mill")).await;
    let page: Value = page.unwrap().json().await.unwrap();
    page["records"].as_array().unwrap().len()
}

/// Damages an object that a running server has sent already, verifies, repairs, and uploads anew.
async fn damage_is_found_set_aside_and_stored_anew(mut site: Site, damage: impl AsyncFnOnce()) {
    let server = site.serve();
    site.variables.push(("SYMBOLD_TOKEN", site.token()));
    upload(&site, &server.url);
    assert_eq!(status(&server.url, KEY).await, StatusCode::OK);
    let (code, found, said) = site.run(&["verify"]);
    assert_eq!((code, said.as_str()), (Some(0), ""), "{found}");
    assert!(found.contains("2 intact, 0 without"), "{found}");

    damage().await;
    let (code, found, said) = site.run(&["verify", "--rate", "1 GiB"]);
    assert_eq!(code, Some(1));
    assert!(found.contains(&format!("damaged: v1/{KEY}: ")), "{found}");
    assert!(said.contains("damaged objects left: 1;"), "{said}");
    let (code, found, _) = site.run(&["verify", "--repair", "--since", "2100-01-01"]);
    assert_eq!(code, Some(0));
    assert!(found.contains("checked 0 objects"), "{found}");
    assert!(found.contains("2 older"), "{found}");

    let (code, found, said) = site.run(&["verify", "--repair"]);
    assert_eq!((code, said.as_str()), (Some(0), ""), "{found}");
    let kept = format!("(set aside: .damaged/v1/{KEY})");
    assert!(
        found.contains("1 damaged (1 set aside)") && found.contains(&kept),
        "{found}"
    );
    let refreshed = format!("{KEY}?_refresh");
    assert_eq!(status(&server.url, &refreshed).await, StatusCode::NOT_FOUND);
    eventually("it is counted as missing", async || {
        missing(&server.url).await == 1
    })
    .await;
    upload(&site, &server.url);
    assert_eq!(status(&server.url, KEY).await, StatusCode::OK);
    let (code, found, _) = site.run(&["verify"]);
    assert_eq!(code, Some(0));
    assert!(
        found.contains("2 intact") && found.contains("0 damaged"),
        "{found}"
    );
    assert_eq!(server.stop().0, Some(0));
}

fn flip(bytes: &mut [u8]) {
    bytes[40] ^= 0x10;
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_on_disk_is_found_and_repaired_beside_a_server() {
    let site = Site::embedded();
    let file = site.path("data/objects/v1").join(KEY);
    let damage = async || {
        let mut bytes = fs::read(&file).unwrap();
        flip(&mut bytes);
        fs::write(&file, bytes).unwrap();
    };
    damage_is_found_set_aside_and_stored_anew(site, damage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_in_a_bucket_is_found_and_repaired_beside_a_server() {
    let Some(site) = Site::on_services("verifying S3").await else {
        return;
    };
    let client = object_store::client(site.variable("SYMBOLD_STORAGE__ENDPOINT")).await;
    let bucket = site.variable("SYMBOLD_STORAGE__BUCKET").to_owned();
    let key = format!("v1/{KEY}");
    // Other bytes with the metadata of the first ones.
    let damage = async || {
        let object = client
            .get_object()
            .bucket(&bucket)
            .key(&key)
            .send()
            .await
            .unwrap();
        let (encoding, metadata) = (object.content_encoding, object.metadata);
        let mut bytes = object.body.collect().await.unwrap().to_vec();
        flip(&mut bytes);
        let put = client.put_object().bucket(&bucket).key(&key);
        let put = put.set_metadata(metadata).set_content_encoding(encoding);
        put.body(ByteStream::from(bytes)).send().await.unwrap();
    };
    damage_is_found_set_aside_and_stored_anew(site, damage).await;
}

#[test]
fn a_storage_that_is_not_there_and_a_wrong_date_are_told() {
    let folder = TempDir::new().unwrap();
    let say = |arguments: &[&str]| {
        let output = symbold(folder.path()).args(arguments).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let said = say(&["verify"]);
    assert!(said.contains("storage.directory"), "{said}");
    assert!(
        !Path::new(&folder.path().join("data")).exists(),
        "nothing is made"
    );
    let said = say(&["verify", "--since", "yesterday"]);
    assert!(said.contains("neither a date such as"), "{said}");
}
