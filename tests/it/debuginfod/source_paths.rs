//! Paths of source files as compilers and archivers write them.

use super::{App, Program, SOURCE, StatusCode, Zip, archive, gzip, upload};
use crate::support::RawConnection;

/// The answer to a path that is sent as it is: HTTP libraries resolve dots by themselves.
async fn get_as_it_is(app: &App, path: &str) -> (u16, String) {
    let mut connection = RawConnection::open(app.address).await;
    let request = format!("GET {path} HTTP/1.1\r\nHost: symbols\r\n\r\n");
    connection.send(request).await;
    let answer = connection.read_answer().await;
    (answer.status, answer.body)
}

/// An archive as bsdtar writes it to a pipe: with the sources under absolute paths, a hard link, and zeros behind it.
fn sources(program: &Program) -> Zip {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(SOURCE.len() as u64);
    tar.append_data(&mut header, "home/ci/app/src/main.c", SOURCE.as_bytes())
        .unwrap();
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Link);
    link.set_size(0);
    tar.append_link(
        &mut link,
        "home/ci/app/src/copy.c",
        "home/ci/app/src/main.c",
    )
    .unwrap();
    let mut file = gzip(&tar.into_inner().unwrap());
    file.resize(10_240, 0);
    Zip::new().stored(&program.key("program.src.tar.gz"), file)
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_are_found_by_whatever_path_leads_to_them() {
    let (app, program) = (App::start().await, Program::build());
    upload(&app, archive(&program)).await;
    upload(&app, sources(&program)).await;
    for path in [
        "/home/ci/app/src/main.c",
        "/home/ci/app/build/../src/main.c",
        "/home/ci/app/build/x/../../src/./main.c",
        "//home/ci//app/src/main.c",
        "/../home/ci/app/src/main.c",
        "/home/ci/app/build/%2e%2e/src/main.c",
        "/home/ci/app/build/../src/copy.c",
    ] {
        let url = program.url(&format!("source{path}"));
        let (status, body) = get_as_it_is(&app, &url).await;
        assert_eq!((status, &*body), (200, SOURCE), "{path}");
    }
    for path in [
        "/home/ci/app/src/../main.c",
        "/home/ci/app/src",
        "/..",
        "/../../etc/passwd",
    ] {
        let url = program.url(&format!("source{path}"));
        let (status, _) = get_as_it_is(&app, &url).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
    }
    for wanted in ["debuginfo/", "executable/"] {
        assert_eq!(app.status(&program.url(wanted)).await, StatusCode::OK);
    }
    app.shut_down().await;
}
