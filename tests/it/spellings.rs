//! Names of Windows files, in which letter case makes no difference.

use reqwest::StatusCode;
use serde_json::{Value, json};
use symbold::auth::Permission;

use crate::support::{App, ID, Zip};
use crate::windows::{cabinet, serves_plain};

async fn upload(app: &App, files: &[(&str, &[u8])]) {
    let zip = files.iter().fold(Zip::new(), |zip, (name, bytes)| {
        zip.stored(&name.replace("ID", ID), bytes)
    });
    let answer = app.upload(zip).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
}

/// The body of a file, in whose path `ID` stands for the id; `None` if it is 404.
async fn get(app: &App, path: &str) -> Option<Vec<u8>> {
    let response = app.get(&path.replace("ID", ID)).await;
    match response.status() {
        StatusCode::NOT_FOUND => None,
        StatusCode::OK => Some(response.bytes().await.unwrap().to_vec()),
        status => panic!("{path} is {status}"),
    }
}

async fn verdict(app: &App, path: &str) -> Value {
    let path = format!("/api/explain{}", path.replace("ID", ID));
    let explained: Value = app.get(&path).await.json().await.unwrap();
    explained["verdict"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_windows_is_found_under_every_spelling() {
    let app = App::with(serves_plain).await;
    let packed = cabinet(cab::CompressionType::MsZip, &[("Quern.pdb", b"unpacked")]);
    upload(
        &app,
        &[
            ("MILL.PDB/ID/MILL.PDB", b"loud"),
            ("quern.pdb/ID/quern.pd_", &packed),
            ("Driver.sys/5E9A00090000/Driver.sys.sym", b"MODULE"),
            ("libQuern.so/ID/libQuern.so.sym", b"MODULE"),
        ],
    )
    .await;
    for (path, bytes) in [
        ("/MILL.PDB/ID/MILL.PDB", &b"loud"[..]),
        ("/mill.pdb/ID/mill.pdb", b"loud"),
        ("/Quern.pdb/ID/Quern.pd_", &packed),
        ("/QUERN.PDB/ID/QUERN.PDB", b"unpacked"),
        ("/DRIVER.SYS/5e9a00090000/DRIVER.SYS.sym", b"MODULE"),
        ("/libQuern.so/ID/libQuern.so.sym", b"MODULE"),
    ] {
        assert_eq!(get(&app, path).await.as_deref(), Some(bytes), "{path}");
        let verdict = verdict(&app, path).await;
        assert!(
            verdict == "held" || verdict == "packed",
            "{path}: {verdict}"
        );
    }
    assert_eq!(app.missing().await, Vec::<Value>::new());
    let of_linux = "/libquern.so/ID/libquern.so.sym";
    assert_eq!(get(&app, of_linux).await, None, "it has letter case");
    assert_eq!(verdict(&app, of_linux).await, "missing");
    assert_eq!(verdict(&app, "/x.pdb/ID/x.SYM").await, "ignored");
    assert_eq!(app.missing().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exact_name_wins() {
    let app = App::with(serves_plain).await;
    let spellings = ["Mill.pdb", "mill.pdb", "MILL.PDB"];
    for name in spellings {
        upload(&app, &[(&format!("{name}/ID/{name}"), name.as_bytes())]).await;
    }
    for name in spellings {
        let found = get(&app, &format!("/{name}/ID/{name}")).await;
        assert_eq!(found.as_deref(), Some(name.as_bytes()));
    }
    let newest = get(&app, "/MiLl.PdB/ID/MiLl.PdB").await;
    assert_eq!(newest.as_deref(), Some(&b"MILL.PDB"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_of_another_spelling_answers_at_once() {
    let app = App::with(serves_plain).await;
    assert_eq!(get(&app, "/QUERN.PDB/ID/QUERN.PDB").await, None);
    upload(&app, &[("quern.pdb/ID/quern.pdb", b"quiet")]).await;
    for path in ["/QUERN.PDB/ID/QUERN.PDB", "/Quern.pdb/ID/Quern.pdb"] {
        assert_eq!(get(&app, path).await.as_deref(), Some(&b"quiet"[..]));
    }
    // A cabinet is not missing if the file in it is held, whatever its spelling.
    let missing = app.missing().await.len();
    assert_eq!(get(&app, "/QUERN.PDB/ID/QUERN.PD_").await, None);
    assert_eq!(app.missing().await.len(), missing);
}

#[tokio::test(flavor = "multi_thread")]
async fn try_spellings_are_kept_apart() {
    let app = App::with(serves_plain).await;
    let permissions = [Permission::UploadTrySymbols];
    let token = app.token("try@example.com", &permissions, 1).await;
    let key = format!("quern.pdb/{ID}/quern.pdb");
    let answer = app.upload_as(&token, Zip::new().file(&key, "try")).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(get(&app, "/QUERN.PDB/ID/QUERN.PDB").await, None);
    let found = get(&app, "/try/QUERN.PDB/ID/QUERN.PDB").await;
    assert_eq!(found.as_deref(), Some(&b"try"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_file_of_windows_is_one_symbol_whatever_its_spelling() {
    let app = App::with(serves_plain).await;
    let rows = async || {
        let rows = app.missing().await.into_iter();
        rows.map(|row| {
            (
                row["symbol"].clone(),
                row["filename"].clone(),
                row["count"].clone(),
            )
        })
        .collect::<Vec<_>>()
    };
    let row = |symbol: &str, file: &str, count: u32| (json!(symbol), json!(file), json!(count));
    for (path, times) in [
        ("/Mill.pdb/ID/Mill.sym?code_file=MILL.EXE", 1),
        ("/MILL.PDB/ID/MILL.sym?code_file=mill.exe", 2),
        ("/mill.pdb/ID/mill.sym?code_file=Mill.exe", 3),
    ] {
        assert_eq!(get(&app, path).await, None);
        assert_eq!(rows().await, [row("Mill.pdb", "Mill.sym", times)]);
    }
    // Before any of them is written.
    let asked = [
        "/QUERN.PDB/ID/QUERN.PDB",
        "/quern.pdb/ID/quern.pd_",
        "/Quern.pdb/ID/Quern.PDB",
    ];
    futures_util::future::join_all(asked.map(|path| get(&app, path))).await;
    let all = rows().await;
    assert_eq!(all.len(), 2, "{all:?}");
    for path in ["/libMill.so/ID/a.sym", "/LIBMILL.SO/ID/a.sym"] {
        assert_eq!(get(&app, path).await, None);
    }
    assert_eq!(rows().await.len(), 4, "names of other systems have case");
    let path = format!("/api/explain/mILL.pdb/{ID}/mILL.sym");
    let explained: Value = app.get(&path).await.json().await.unwrap();
    assert_eq!(explained["missing"]["count"], 3);
}
