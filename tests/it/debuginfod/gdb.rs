//! The real gdb, which asks for what it needs by itself.

use std::io::Write;
use std::process::Command;

use super::{archive, sources, sources_of, upload};
use crate::support::{App, Program};

/// The gdb to test with, if there is one that speaks debuginfod.
fn gdb() -> Option<String> {
    let gdb = crate::support::variable("TEST_GDB").unwrap_or_else(|| "gdb".to_owned());
    let told = Command::new(&gdb).args(["-nx", "--configuration"]).output();
    let speaks = told
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("--with-debuginfod"));
    if !speaks {
        // Not `eprintln`, whose text the test harness keeps to itself when a test passes.
        let _ = writeln!(
            std::io::stderr(),
            "left out: tests of the real gdb (no gdb that speaks debuginfod; set TEST_GDB)"
        );
    }
    speaks.then_some(gdb)
}

/// What gdb says of the line that `main` is in.
fn ask_gdb(gdb: &str, program: &Program, url: Option<&str>) -> String {
    let mut command = Command::new(gdb);
    command
        .args(["-nx", "-batch", "-iex", "set debuginfod enabled on"])
        .args(["-ex", "info line main", "-ex", "info scope twice"])
        .args(["-ex", "list main"])
        .arg(program.path("stripped"))
        .env_clear()
        .env("HOME", program.path("home"))
        .env("DEBUGINFOD_CACHE_PATH", program.path("cache"))
        .envs(url.map(|url| ("DEBUGINFOD_URLS", url)));
    let output = command.output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_gdb_loads_symbols() {
    let Some(gdb) = gdb() else {
        return;
    };
    let (app, program) = (App::start().await, Program::build());
    upload(&app, archive(&program)).await;
    upload(&app, sources(&program)).await;
    std::fs::remove_file(program.path("main.c")).unwrap();
    let text = ask_gdb(&gdb, &program, None);
    assert!(!text.contains("main.c"), "{text}");
    let url = format!("http://{}", app.address);
    let text = ask_gdb(&gdb, &program, Some(&url));
    assert!(text.contains("Line 3 of \"main.c\""), "{text}");
    assert!(text.contains("Symbol number is"), "{text}");
    assert!(text.contains("twice(count)"), "the source itself: {text}");
    app.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_gdb_lists_sources_of_a_build_outside_of_their_tree() {
    let Some(gdb) = gdb() else {
        return;
    };
    let (app, program) = (App::start().await, Program::build_out_of_tree());
    upload(&app, archive(&program)).await;
    upload(&app, sources_of(&program, "src/main.c")).await;
    std::fs::remove_file(program.path("src/main.c")).unwrap();
    let text = ask_gdb(&gdb, &program, Some(&format!("http://{}", app.address)));
    assert!(text.contains("../src/main.c"), "{text}");
    assert!(text.contains("twice(count)"), "the source itself: {text}");
    app.shut_down().await;
}
