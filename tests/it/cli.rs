//! The program itself, as people start it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::support::{ID, Running, sym, symbold};

pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    symbold(folder).args(arguments).output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_redis_that_is_away_is_a_warning_without_its_password() {
    let folder = TempDir::new().unwrap();
    let mut command = symbold(folder.path());
    command.env("SYMBOLD_CACHE__REDIS_URL", "redis://:s3cret@127.0.0.1:1");
    command.env("SYMBOLD_LOG__LEVEL", "debug");
    let mut server = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = BufReader::new(server.stderr.take().unwrap());
    let mut said = String::new();
    for line in log.lines().map_while(Result::ok) {
        said.push_str(&line);
        if line.contains("shared_cache_lost") {
            break;
        }
    }
    server.kill().unwrap();
    server.wait().unwrap();
    let (_, warning) = said.rsplit_once("WARN").unwrap();
    assert!(warning.contains("cache.redis_url"), "{warning}");
    assert!(warning.contains("redis://:…@127.0.0.1:1"), "{warning}");
    assert!(!said.contains("s3cret"), "{said}");
}

pub(crate) fn folder_of_symbols(folder: &Path) -> std::path::PathBuf {
    let symbols = folder.join("symbols");
    let module = symbols.join("xul.pdb").join(ID);
    fs::create_dir_all(&module).unwrap();
    fs::write(module.join("xul.sym"), sym("xul.pdb", ID, 100)).unwrap();
    symbols
}

#[test]
fn first_start_upload_fetch_and_stop() {
    let folder = TempDir::new().unwrap();
    let server = Running::start(&mut symbold(folder.path()));
    let token = folder.path().join("data/admin-token");
    assert_eq!(
        fs::metadata(&token).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let symbols = folder_of_symbols(folder.path());
    let upload = ["upload", symbols.to_str().unwrap(), "--url", &server.url];
    let first = stdout(&run(folder.path(), &upload));
    assert!(
        first.starts_with("symbols.zip: 1 file, 0 already there, upload 1, "),
        "{first}"
    );
    let second = stdout(&run(folder.path(), &upload));
    assert!(
        second.contains("1 file, 1 already there, upload 2"),
        "{second}"
    );
    let listen = server.url.trim_start_matches("http://").to_owned();
    let check = symbold(folder.path())
        .env("SYMBOLD_SERVER__LISTEN", &listen)
        .arg("healthcheck")
        .output()
        .unwrap();
    assert!(check.status.success(), "{check:?}");
    let (code, said) = server.stop();
    assert_eq!(code, Some(0));
    assert!(
        said.contains("first start") && said.contains("data/admin-token"),
        "{said}"
    );
    let secret = fs::read_to_string(&token).unwrap();
    assert!(
        !said.contains(secret.trim()),
        "the secret is in the file only"
    );
    let check = symbold(folder.path())
        .env("SYMBOLD_SERVER__LISTEN", &listen)
        .arg("healthcheck")
        .output()
        .unwrap();
    assert_eq!(check.status.code(), Some(1));
}

#[test]
fn the_second_start_is_quiet_and_logs_are_json_on_demand() {
    let folder = TempDir::new().unwrap();
    Running::start(&mut symbold(folder.path())).stop();
    let secret = fs::read_to_string(folder.path().join("data/admin-token")).unwrap();
    let server = Running::start(symbold(folder.path()).env("SYMBOLD_LOG__FORMAT", "json"));
    let line: serde_json::Value = serde_json::from_str(&server.started).unwrap();
    assert_eq!(
        (&line["event"], &line["level"]),
        (&"started".into(), &"INFO".into())
    );
    let (code, said) = server.stop();
    assert_eq!((code, said.as_str()), (Some(0), ""));
    assert_eq!(
        fs::read_to_string(folder.path().join("data/admin-token")).unwrap(),
        secret
    );
}

#[test]
fn tokens_are_made_listed_and_revoked() {
    let folder = TempDir::new().unwrap();
    let create = |permissions: &[&str]| {
        let mut arguments = vec![
            "token",
            "create",
            "--email",
            "ci@example.com",
            "--note",
            "build farm",
            "--days",
            "7",
        ];
        arguments.extend(
            permissions
                .iter()
                .flat_map(|permission| ["--permission", permission]),
        );
        run(folder.path(), &arguments)
    };
    let secret = stdout(&create(&["upload_symbols", "view_all_uploads"]));
    assert_eq!(secret.lines().count(), 1, "the secret stands alone");
    let list = || stdout(&run(folder.path(), &["token", "list"]));
    let line = list().lines().last().unwrap().to_owned();
    for part in [
        "active",
        "ci@example.com",
        "upload_symbols,view_all_uploads",
        "build farm",
    ] {
        assert!(line.contains(part), "{line}");
    }
    assert!(!list().contains(secret.trim()));
    let id = line.split_whitespace().next().unwrap();
    assert!(
        run(folder.path(), &["token", "revoke", id])
            .status
            .success()
    );
    assert!(list().lines().last().unwrap().contains("revoked"));
    let again = run(folder.path(), &["token", "revoke", id]);
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("there is no token"));
    let both = create(&["upload_symbols", "upload_try_symbols"]);
    assert!(stderr(&both).contains("cannot have both"), "{both:?}");
    let unknown = create(&["everything"]);
    assert!(
        stderr(&unknown).contains("upload_try_symbols"),
        "{unknown:?}"
    );
}

#[test]
fn configurations_are_checked() {
    let folder = TempDir::new().unwrap();
    let shown = stdout(&run(folder.path(), &["check-config"]));
    assert!(
        shown.contains("[upload.archive]") && shown.contains("127.0.0.1:0"),
        "{shown}"
    );
    fs::write(
        folder.path().join("bad.toml"),
        "[uplaod]\nslots = 1\n[server]\nlisten = \"here\"\n",
    )
    .unwrap();
    for command in ["check-config", "serve", "migrate"] {
        let output = symbold(folder.path())
            .env_remove("SYMBOLD_SERVER__LISTEN")
            .args([command, "--config", "bad.toml"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = stderr(&output);
        assert!(
            said.contains("uplaod (from bad.toml) is not a setting")
                && said.contains("server.listen"),
            "{said}"
        );
    }
    assert!(!folder.path().join("data").exists(), "nothing was begun");
}

#[test]
fn what_cannot_start_says_why() {
    let folder = TempDir::new().unwrap();
    let server = Running::start(&mut symbold(folder.path()));
    let listen = server.url.trim_start_matches("http://");
    let other = TempDir::new().unwrap();
    let output = symbold(other.path())
        .env("SYMBOLD_SERVER__LISTEN", listen)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("is another server running there?"),
        "{output:?}"
    );
    fs::write(other.path().join("file"), "").unwrap();
    let output = symbold(other.path())
        .env("SYMBOLD_DATA_DIR", "file/data")
        .output()
        .unwrap();
    assert!(
        stderr(&output).contains("cannot make data_dir file/data"),
        "{output:?}"
    );
    let output = symbold(other.path())
        .env("SYMBOLD_DATABASE__URL", "mysql://x")
        .output()
        .unwrap();
    assert!(stderr(&output).contains("database.url"), "{output:?}");
}

#[test]
fn an_upload_without_a_token_or_a_server_says_what_to_do() {
    let folder = TempDir::new().unwrap();
    let symbols = folder_of_symbols(folder.path());
    let symbols = symbols.to_str().unwrap();
    let output = run(folder.path(), &["upload", symbols]);
    assert!(stderr(&output).contains("set SYMBOLD_TOKEN"), "{output:?}");
    let output = symbold(folder.path())
        .env("SYMBOLD_TOKEN", "nonsense")
        .args([
            "upload",
            symbols,
            "--url",
            "http://127.0.0.1:1",
            "--attempts",
            "2",
            "--retry-delay",
            "0",
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(!stderr(&output).contains("nonsense"), "{output:?}");
}

#[test]
fn a_full_disk_is_507_and_nothing_is_left() {
    let folder = TempDir::new().unwrap();
    // Files may grow to 1 MiB; the signal that would end the process is ignored, so that writes fail as on a full disk.
    let mut shell = Command::new("bash");
    shell
        .env_clear()
        .current_dir(folder.path())
        .env("SYMBOLD_SERVER__LISTEN", "127.0.0.1:0");
    let script = format!(
        "trap '' XFSZ; ulimit -f 1024; exec {}",
        env!("CARGO_BIN_EXE_symbold")
    );
    let server = Running::start(shell.args(["-c", &script]));
    let module = folder.path().join("symbols/big.pdb").join(ID);
    fs::create_dir_all(&module).unwrap();
    fs::write(
        module.join("big.pd_"),
        crate::support::random_bytes(3 << 20, 5),
    )
    .unwrap();
    let upload = ["upload", "symbols", "--url", &server.url, "--attempts", "1"];
    let output = run(folder.path(), &upload);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no room"), "{output:?}");
    fs::write(module.join("big.pd_"), "small").unwrap();
    assert!(
        stdout(&run(folder.path(), &upload)).contains("1 file"),
        "a smaller upload still works"
    );
    let incoming = fs::read_dir(folder.path().join("data/incoming"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    for own_folder in incoming.filter(|path| path.is_dir()) {
        assert_eq!(
            fs::read_dir(own_folder).unwrap().count(),
            1,
            "only the lock"
        );
    }
}

#[test]
fn a_bucket_without_credentials_is_told_at_the_start() {
    let folder = TempDir::new().unwrap();
    let mut command = symbold(folder.path());
    for (name, value) in [
        ("SYMBOLD_STORAGE__KIND", "s3"),
        ("SYMBOLD_STORAGE__BUCKET", "symbols"),
        ("SYMBOLD_STORAGE__ENDPOINT", "http://127.0.0.1:9"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ] {
        command.env(name, value);
    }
    let output = command.output().unwrap();
    assert!(!output.status.success());
    let said = stderr(&output);
    assert!(said.contains("no credentials were found"), "{said}");
    assert!(said.contains("AWS_ACCESS_KEY_ID"), "{said}");
}
