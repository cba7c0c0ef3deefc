//! Files by build id, and the real gdb that asks for them.

mod gdb;
mod inflating;
mod metadata;
mod source_paths;

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use object::read::elf::ElfFile64;
use object::{Endianness, Object, ObjectSection};
use reqwest::{Method, StatusCode};
use symbold::auth::Permission;

use crate::support::{App, Program, SOURCE, Zip};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Uploads an archive, of which the future holds the bytes alone.
fn upload(app: &App, archive: Zip) -> impl Future<Output = ()> + use<'_> {
    let bytes = archive.bytes();
    async move {
        let answer = app.upload(bytes).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    }
}

/// What a build sends of a program: its debug information gzipped, as Mozilla's do, and the program itself.
fn archive(program: &Program) -> Zip {
    Zip::new()
        .stored(
            &program.key("program.dbg.gz"),
            gzip(&program.bytes("split")),
        )
        .file(&program.key("program"), program.bytes("stripped"))
}

/// The archive of the program's one source file, under the path that the compiler has noted.
fn sources(program: &Program) -> Zip {
    sources_of(program, "main.c")
}

/// The archive of the program's one source file, of this name, under its absolute path.
fn sources_of(program: &Program, source: &str) -> Zip {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(SOURCE.len() as u64);
    let path = program.path(source);
    let path = path.strip_prefix("/").unwrap();
    tar.append_data(&mut header, path, SOURCE.as_bytes())
        .unwrap();
    let tar = gzip(&tar.into_inner().unwrap());
    Zip::new().stored(&program.key("program.src.tar.gz"), tar)
}

/// The body as a client without gzip gets it.
async fn fetch(app: &App, path: &str) -> Vec<u8> {
    let response = app.get(path).await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    response.bytes().await.unwrap().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_files_of_a_build_are_found_by_its_id() {
    let (app, program) = (App::start().await, Program::build());
    assert_eq!(
        app.status(&program.url("debuginfo")).await,
        StatusCode::NOT_FOUND
    );
    upload(&app, archive(&program)).await;

    let response = app.get(&program.url("debuginfo")).await;
    assert_eq!(response.status(), StatusCode::OK);
    let headers = response.headers().clone();
    let size = program.bytes("split").len().to_string();
    assert_eq!(headers["x-debuginfod-size"], size.as_str());
    assert_eq!(headers["x-debuginfod-file"], "program.dbg.gz");
    assert_eq!(headers["content-type"], "application/octet-stream");
    assert_eq!(headers["access-control-allow-origin"], "*");
    assert!(headers.contains_key("last-modified"));
    assert!(!headers.contains_key("content-encoding"));
    assert_eq!(response.bytes().await.unwrap(), program.bytes("split"));

    assert_eq!(
        fetch(&app, &program.url("executable")).await,
        program.bytes("stripped")
    );
    let upper_case = format!("/buildid/{}/executable", program.build_id.to_uppercase());
    assert_eq!(app.status(&upper_case).await, StatusCode::OK);
    let other = format!("/buildid/{}/debuginfo", "ab".repeat(20));
    let response = app.get(&other).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.text().await.unwrap(), "Not Found");
    assert!(app.missing().await.is_empty(), "no symbol was missed");
    for (result, times) in [("found", 3), ("not_found", 2)] {
        let name = format!("symbold_debuginfod_total{{result=\"{result}\"}}");
        assert_eq!(app.metric(&name).await, times, "{result}");
    }
    app.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gzipped_debug_information_is_sent_as_it_is_to_those_who_accept_it() {
    let (app, program) = (App::start().await, Program::build());
    upload(&app, archive(&program)).await;
    let stored = gzip(&program.bytes("split"));
    for method in [Method::GET, Method::HEAD] {
        let request = app.request(method.clone(), &program.url("debuginfo"));
        let response = request.header("Accept-Encoding", "deflate, gzip, br");
        let response = response.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{method}");
        assert_eq!(response.headers()["content-encoding"], "gzip");
        let length = stored.len().to_string();
        assert_eq!(response.headers()["content-length"], length.as_str());
        let body = response.bytes().await.unwrap();
        if method == Method::GET {
            let mut inflated = Vec::new();
            GzDecoder::new(&body[..])
                .read_to_end(&mut inflated)
                .unwrap();
            assert_eq!(inflated, program.bytes("split"));
        }
    }
    let plain = app.head(&program.url("debuginfo")).await;
    assert_eq!(plain.status(), StatusCode::OK);
    assert!(!plain.headers().contains_key("content-encoding"));
    // By its path it is the file that was uploaded.
    assert_eq!(app.fetch(&program.key("program.dbg.gz")).await, stored);
    app.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_files_are_known_for_what_they_hold() {
    let (app, program) = (App::start().await, Program::build());
    let whole = Zip::new().file(&program.key("program"), program.bytes("whole"));
    upload(&app, whole).await;
    for wanted in ["debuginfo", "executable"] {
        assert_eq!(
            fetch(&app, &program.url(wanted)).await,
            program.bytes("whole")
        );
    }
    let split = Zip::new().file(&program.key("program.debug"), program.bytes("split"));
    upload(&app, split).await;
    assert_eq!(
        fetch(&app, &program.url("debuginfo")).await,
        program.bytes("split"),
        "what was split off is the better debug information"
    );
    assert_eq!(
        fetch(&app, &program.url("executable")).await,
        program.bytes("whole")
    );
    app.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_header_of_a_sym_file_names_the_build_of_what_lies_beside_it() {
    let (app, program) = (App::start().await, Program::build());
    let debug_info = program.split_without_build_id();
    let sym = format!(
        "MODULE Linux x86_64 {} program\nINFO CODE_ID {}\nPUBLIC 0 0 main\n",
        program.debug_id,
        program.build_id.to_uppercase()
    );
    upload(&app, Zip::new().file(&program.key("program.sym"), sym)).await;
    let path = program.url("debuginfo");
    assert_eq!(app.status(&path).await, StatusCode::NOT_FOUND);
    let beside = Zip::new().stored(&program.key("program.dbg.gz"), gzip(&debug_info));
    upload(&app, beside).await;
    assert_eq!(fetch(&app, &path).await, debug_info);
    assert_eq!(
        app.status(&program.url("executable")).await,
        StatusCode::NOT_FOUND
    );
    app.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn try_symbols_are_never_an_answer() {
    let (app, program) = (App::start().await, Program::build());
    let token = app
        .token("try@example.com", &[Permission::UploadTrySymbols], 1)
        .await;
    let answer = app.upload_as(&token, archive(&program).bytes()).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    for path in [
        program.url("debuginfo"),
        program.url("debuginfo?try"),
        format!("/try{}", program.url("debuginfo")),
        program.url("section/.debug_info"),
    ] {
        assert_eq!(app.status(&path).await, StatusCode::NOT_FOUND, "{path}");
    }
    upload(&app, archive(&program)).await;
    assert_eq!(app.status(&program.url("debuginfo")).await, StatusCode::OK);
    app.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_is_remembered_and_an_upload_ends_it() {
    let (app, program) = (App::start().await, Program::build());
    let hits = async || {
        app.metric("symbold_cache_lookups_total{cache=\"builds\",tier=\"local\",result=\"hit\"}")
            .await
    };
    let path = program.url("debuginfo");
    for _ in 0..3 {
        assert_eq!(app.status(&path).await, StatusCode::NOT_FOUND);
    }
    assert_eq!(hits().await, 2);
    assert_eq!(app.storage_calls("head").await, 0);
    upload(&app, archive(&program)).await;
    for _ in 0..3 {
        assert_eq!(app.head(&path).await.status(), StatusCode::OK);
    }
    assert_eq!(hits().await, 4);
    let of_the_upload = 2;
    assert_eq!(app.storage_calls("head").await, of_the_upload + 1);
    app.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_stored_already_are_known_after_a_repeat() {
    let (app, program) = (App::start().await, Program::build());
    upload(&app, archive(&program)).await;
    // As after an upload that stored its files and then could not complete its record.
    let forgetful = app
        .beside(|config| config.database.url = "sqlite:forgetful.sqlite".into())
        .await;
    assert_eq!(
        forgetful.status(&program.url("debuginfo")).await,
        StatusCode::NOT_FOUND
    );
    let answer = forgetful.upload(archive(&program).bytes()).await;
    let skipped = answer.json["upload"]["skipped_keys"].as_array().unwrap();
    assert_eq!(skipped.len(), 2);
    assert_eq!(
        fetch(&forgetful, &program.url("debuginfo")).await,
        program.bytes("split")
    );
    forgetful.shut_down().await;
    app.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_replaced_by_another_is_no_answer() {
    let (app, program) = (App::start().await, Program::build());
    upload(&app, archive(&program)).await;
    for (file, wanted) in [("program.dbg.gz", "debuginfo"), ("program", "executable")] {
        let other = Zip::new().file(&program.key(file), b"something else");
        upload(&app, other).await;
        assert_eq!(
            app.status(&program.url(wanted)).await,
            StatusCode::NOT_FOUND,
            "{wanted}"
        );
    }
    app.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_larger_than_wanted_is_told_to_be_so() {
    let (app, program) = (App::start().await, Program::build());
    upload(&app, archive(&program)).await;
    let size = program.bytes("split").len();
    for (largest, status) in [
        ((size - 1).to_string(), StatusCode::NOT_ACCEPTABLE),
        (size.to_string(), StatusCode::OK),
        ("0".to_owned(), StatusCode::OK),
        ("many".to_owned(), StatusCode::OK),
    ] {
        let request = app.request(Method::GET, &program.url("debuginfo"));
        let response = request.header("X-DEBUGINFOD-MAXSIZE", &largest);
        assert_eq!(response.send().await.unwrap().status(), status, "{largest}");
    }
    app.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sections_are_taken_out_of_either_file() {
    let (app, program) = (App::start().await, Program::build());
    upload(&app, archive(&program)).await;
    let section = |file: &str, name: &str| -> Vec<u8> {
        let bytes = program.bytes(file);
        let file = ElfFile64::<Endianness>::parse(&bytes[..]).unwrap();
        let section = file.section_by_name(name).unwrap();
        section.data().unwrap().to_vec()
    };
    for (file, name) in [
        ("split", ".debug_info"),
        ("split", ".debug_line"),
        ("stripped", ".text"),
    ] {
        let path = program.url(&format!("section/{name}"));
        assert_eq!(fetch(&app, &path).await, section(file, name), "{name}");
        let head = app.head(&path).await;
        let length = section(file, name).len().to_string();
        assert_eq!(head.headers()["content-length"], length.as_str());
    }
    for name in [".nonsense", ".bss", "..%2F..%2Fetc%2Fpasswd", "%ff"] {
        let path = program.url(&format!("section/{name}"));
        assert_eq!(app.status(&path).await, StatusCode::NOT_FOUND, "{name}");
    }
    app.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_come_from_the_archive_that_was_uploaded() {
    let (app, program) = (App::start().await, Program::build());
    let path = program.path("main.c");
    let url = program.url(&format!("source{}", path.display()));
    upload(&app, archive(&program)).await;
    assert_eq!(app.status(&url).await, StatusCode::NOT_FOUND);
    upload(&app, sources(&program)).await;
    assert_eq!(fetch(&app, &url).await, SOURCE.as_bytes());
    let head = app.head(&url).await;
    assert_eq!(head.status(), StatusCode::OK);
    let length = SOURCE.len().to_string();
    assert_eq!(head.headers()["x-debuginfod-size"], length.as_str());
    // Nothing of this machine is served, only what was uploaded.
    for path in ["/etc/passwd", "/../../../etc/passwd", "/"] {
        let url = program.url(&format!("source{path}"));
        assert_eq!(app.status(&url).await, StatusCode::NOT_FOUND, "{path}");
    }
    app.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_than_the_limit_is_read_for_a_section() {
    let app = App::with(|config| {
        config.debuginfod.extract_from = bytesize::ByteSize::kib(64);
    })
    .await;
    let program = Program::build();
    let mut swollen = program.bytes("split");
    swollen.resize(4 << 20, 0);
    let archive = Zip::new().stored(&program.key("program.dbg.gz"), gzip(&swollen));
    upload(&app, archive).await;
    let response = app.get(&program.url("section/.debug_info")).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let told = response.text().await.unwrap();
    assert!(told.contains("64.0 KiB"), "{told}");
    assert_eq!(fetch(&app, &program.url("debuginfo")).await, swollen);
    app.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_files_are_stored_and_not_known() {
    let (app, program) = (App::start().await, Program::build());
    let whole = program.bytes("whole");
    let mut archive = Zip::new()
        .file(&program.key("short"), b"\x7fELF")
        .file(
            &program.key("noise"),
            [b"\x7fELF\x02\x01\x01".as_slice(), &[0xff; 4096]].concat(),
        )
        .file(&program.key("cut.dbg.gz"), &gzip(&whole)[..30])
        .file(&program.key("text.dbg.gz"), gzip(b"text"));
    archive = archive.file(&program.key("cut"), &whole[..80]);
    upload(&app, archive).await;
    for wanted in ["debuginfo", "executable", "section/.text"] {
        assert_eq!(
            app.status(&program.url(wanted)).await,
            StatusCode::NOT_FOUND
        );
    }
    app.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_methods_and_other_paths() {
    let app = App::start().await;
    let path = "/buildid/abcd/debuginfo";
    let posted = app.request(Method::POST, path).send().await.unwrap();
    assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
    let asked = app.request(Method::OPTIONS, path).send().await.unwrap();
    assert_eq!(asked.status(), StatusCode::NO_CONTENT);
    // A module may be called buildid.
    let key = "buildid/ABCD/buildid.sym";
    upload(
        &app,
        Zip::new().file(key, b"MODULE Linux x86 ABCD buildid\n"),
    )
    .await;
    assert_eq!(app.status(&format!("/{key}")).await, StatusCode::OK);
    app.shut_down().await;
}
