//! What debuggers of Windows ask for: files that are kept compressed, and the several names of one file.

use std::io::{Cursor, Write};

use cab::{CabinetBuilder, CompressionType};
use reqwest::StatusCode;
use serde_json::{Value, json};
use symbold::config::Config;
use symbols::SuffixList;

use crate::support::backends::are_services;
use crate::support::{App, ID, Zip, random_bytes};

const GUID: &str = "44E4EC8C2F41492B9369D6B9A059577C";

pub(crate) fn serves_plain(config: &mut Config) {
    let plain = [".sym", ".dl_", ".ex_", ".pd_", ".pdb", ".dll", ".exe"];
    config.download.serve = SuffixList::new(&plain);
}

/// A cabinet with these files.
pub(crate) fn cabinet(method: CompressionType, files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = CabinetBuilder::new();
    let folder = builder.add_folder(method);
    for (name, _) in files {
        folder.add_file(*name);
    }
    let mut writer = builder.build(Cursor::new(Vec::new())).unwrap();
    for (_, bytes) in files {
        let mut file = writer.next_file().unwrap().unwrap();
        file.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A cabinet by LZX with one file of less than 32 KiB, in one block that is not compressed: the format is that of
/// [MS-CAB] and [MS-PATCH].
fn lzx_cabinet(name: &str, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    // Three bits of kind and 24 of length, in words of 16 bits; then the three last offsets.
    let words = [0x3000 | (length >> 12), (length & 0xfff) << 4];
    let words = words.map(|word| u16::try_from(word).unwrap().to_le_bytes());
    let mut block = words.concat();
    block.extend([1_u32; 3].map(u32::to_le_bytes).concat());
    block.extend(bytes);
    block.resize(block.len().next_multiple_of(2), 0);

    let first_file = 36 + 8;
    let first_block = first_file + 16 + u32::try_from(name.len()).unwrap() + 1;
    let size = first_block + 8 + u32::try_from(block.len()).unwrap();
    let mut cabinet = b"MSCF".to_vec();
    for number in [0, size, 0, first_file, 0] {
        cabinet.extend(number.to_le_bytes());
    }
    // Version 1.3; one folder, one file, no flags.
    cabinet.extend([3, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    cabinet.extend(first_block.to_le_bytes());
    // One block, by LZX with a window of 2^16 bytes.
    cabinet.extend([1, 0, 3, 16]);
    cabinet.extend(length.to_le_bytes());
    cabinet.extend([0; 12]);
    cabinet.extend(name.bytes().chain([0]));
    // No checksum; sizes of the block.
    cabinet.extend([0; 4]);
    for length in [block.len(), bytes.len()] {
        cabinet.extend(u16::try_from(length).unwrap().to_le_bytes());
    }
    cabinet.extend(block);
    cabinet
}

async fn upload(app: &App, key: &str, bytes: impl AsRef<[u8]>) {
    let answer = app.upload(Zip::new().stored(key, bytes)).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
}

fn path(name: &str) -> String {
    format!("/x.pdb/{ID}/{name}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_a_cabinet_is_found_under_both_names() {
    let app = App::with(serves_plain).await;
    let original = [random_bytes(200_000, 3), vec![7; 300_000]].concat();
    for method in [CompressionType::MsZip, CompressionType::None] {
        let packed = cabinet(method, &[("X.pdb", &original)]);
        upload(&app, &path("x.pd_")[1..], &packed).await;
        assert_eq!(app.fetch(&path("x.pd_")[1..]).await, packed);
        let response = app.get(&path("x.pdb")).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(
            response.headers()["content-type"],
            "application/octet-stream"
        );
        assert_eq!(response.content_length(), Some(original.len() as u64));
        assert_eq!(response.bytes().await.unwrap(), original);
        let head = app.head(&path("x.pdb")).await;
        assert_eq!(head.status(), StatusCode::OK);
        assert_eq!(head.headers().get("content-length"), None);
        assert_eq!(app.missing().await, Vec::<Value>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cabinets_by_lzx_are_unpacked() {
    let app = App::with(serves_plain).await;
    let original = random_bytes(20_001, 9);
    upload(&app, &path("x.pd_")[1..], lzx_cabinet("x.pdb", &original)).await;
    assert_eq!(app.fetch(&path("x.pdb")[1..]).await, original);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_of_the_name_is_taken_out_of_several() {
    let app = App::with(serves_plain).await;
    let packed = cabinet(
        CompressionType::MsZip,
        &[("readme.txt", b"no"), ("x.pdb", b"yes")],
    );
    upload(&app, &path("x.pd_")[1..], &packed).await;
    assert_eq!(app.fetch(&path("x.pdb")[1..]).await, b"yes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cabinet_that_cannot_be_unpacked_is_not_found_and_says_why() {
    let app = App::with(|config| {
        serves_plain(config);
        config.download.unpacked_size = bytesize::ByteSize::kib(64);
    })
    .await;
    let whole = cabinet(
        CompressionType::MsZip,
        &[("x.pdb", &random_bytes(50_000, 5))],
    );
    let mut broken = whole.clone();
    let middle = broken.len() / 2;
    broken[middle] ^= 1;
    let large = cabinet(CompressionType::MsZip, &[("x.pdb", &vec![0; 70_000])]);
    let others = cabinet(CompressionType::MsZip, &[("a", b"1"), ("b", b"2")]);
    for (bytes, reason) in [
        (broken, "Checksum"),
        (whole[..whole.len() - 100].to_vec(), "cannot be unpacked"),
        (b"MSCF and nothing more".to_vec(), "cannot be unpacked"),
        (
            b"BZh9 is no cabinet, even if it is called one".to_vec(),
            "signature",
        ),
        (large, "larger than 64.0 KiB"),
        (others, "it holds 2 files and none called x.pdb"),
    ] {
        upload(&app, &path("x.pd_")[1..], &bytes).await;
        let response = app.get(&path("x.pdb")).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{reason}");
        let text = response.text().await.unwrap();
        assert!(text.starts_with("Symbol Not Found ("), "{text}");
        assert!(text.contains(reason), "{text}");
        // It can be had as it is.
        assert_eq!(app.fetch(&path("x.pd_")[1..]).await, bytes);
    }
    upload(&app, &path("x.pd_")[1..], &whole).await;
    assert_eq!(app.status(&path("x.pdb")).await, StatusCode::OK);
    assert_eq!(
        app.missing().await,
        Vec::<Value>::new(),
        "it is there, if damaged"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_files_are_served_where_that_is_allowed() {
    let app = App::with(serves_plain).await;
    for name in ["x.pdb", "x.dll", "x.exe"] {
        upload(&app, &path(name)[1..], name).await;
        let response = app.get(&path(name)).await;
        // Some object stores guess a type of the ending; no browser shows the file as a page of this server.
        assert_eq!(response.headers()["content-disposition"], "attachment");
        assert!(are_services() || response.headers()["content-type"] == "application/octet-stream");
        assert_eq!(response.text().await.unwrap(), name);
    }
    let app = App::start().await;
    let response = app.get(&path("x.pdb")).await;
    assert_eq!(
        response.text().await.unwrap(),
        "Symbol Not Found (and ignored)"
    );
}

/// The names and counts of what was missed.
async fn missed(app: &App) -> Vec<(Value, Value)> {
    let rows = app.missing().await.into_iter();
    rows.map(|row| (row["filename"].clone(), row["count"].clone()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_names_of_one_file_are_one_want() {
    let app = App::with(serves_plain).await;
    for times in 1..=2 {
        for name in ["x.pdb", "x.pd_", "file.ptr"] {
            assert_eq!(app.status(&path(name)).await, StatusCode::NOT_FOUND);
        }
        assert_eq!(missed(&app).await, [(json!("x.pd_"), json!(times))]);
    }
    let (plain, packed) = (path("y.dll"), path("y.dl_"));
    futures_util::future::join(app.status(&plain), app.status(&packed)).await;
    assert_eq!(app.status(&path("y.dll")).await, StatusCode::NOT_FOUND);
    assert_eq!(
        missed(&app).await,
        [(json!("x.pd_"), json!(2)), (json!("y.dl_"), json!(2))]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cabinet_is_not_missed_where_its_file_is() {
    let app = App::with(serves_plain).await;
    upload(&app, &path("x.pdb")[1..], "plain").await;
    assert_eq!(app.status(&path("x.pd_")).await, StatusCode::NOT_FOUND);
    assert_eq!(app.missing().await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_debuggers_ask_for_beside_symbols_costs_no_lookup() {
    let app = App::with(serves_plain).await;
    for path in ["/index2.txt", "/pingme.txt", &path("file.ptr")] {
        assert_eq!(app.status(path).await, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(app.storage_calls("head").await, 0);
    assert_eq!(app.missing().await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_age_may_be_decimal() {
    let app = App::with(serves_plain).await;
    upload(&app, &format!("x.pdb/{GUID}1F/x.sym"), "MODULE").await;
    upload(&app, &format!("x.pdb/{GUID}1f/x.pdb"), "pdb").await;
    let status =
        async |id: &str, name: &str| app.status(&format!("/x.pdb/{GUID}{id}/{name}")).await;
    for id in ["1F", "1f", "31"] {
        assert_eq!(status(id, "x.sym").await, StatusCode::OK, "{id}");
        assert_eq!(status(id, "x.pdb").await, StatusCode::OK, "{id}");
    }
    for id in ["031", "49", "1"] {
        assert_eq!(status(id, "x.sym").await, StatusCode::NOT_FOUND, "{id}");
    }
    // The exact form wins.
    upload(&app, &format!("x.pdb/{GUID}31/x.sym"), "exact").await;
    assert_eq!(app.fetch(&format!("x.pdb/{GUID}31/x.sym")).await, b"exact");
    let ids: Vec<_> = app
        .missing()
        .await
        .iter()
        .map(|row| row["debugid"].clone())
        .collect();
    let asked = ["031", "49", "1"].map(|age| json!(format!("{GUID}{age}")));
    assert_eq!(ids, asked, "counted under the id that was asked for");
}
