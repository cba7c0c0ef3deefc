//! What the server makes in its data directory belongs to its user alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use walkdir::WalkDir;

use crate::cli::{folder_of_symbols, run, stdout};
use crate::support::Running;

/// The path and the mode of everything under a folder that others may touch in any way.
fn open_to_others(folder: &Path) -> Vec<(String, String)> {
    let mut open = Vec::new();
    for entry in WalkDir::new(folder) {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        let expected = if entry.file_type().is_dir() {
            0o700
        } else {
            0o600
        };
        if mode != expected {
            let path = entry.path().strip_prefix(folder).unwrap();
            open.push((path.display().to_string(), format!("{mode:o}")));
        }
    }
    open
}

#[test]
fn no_mode_depends_on_the_umask() {
    for umask in ["000", "022", "077"] {
        let folder = TempDir::new().unwrap();
        let mut shell = Command::new("sh");
        shell
            .env_clear()
            .current_dir(folder.path())
            .env("SYMBOLD_SERVER__LISTEN", "127.0.0.1:0");
        let script = format!("umask {umask}; exec {}", env!("CARGO_BIN_EXE_symbold"));
        let server = Running::start(shell.args(["-c", &script]));
        let symbols = folder_of_symbols(folder.path());
        let upload = ["upload", symbols.to_str().unwrap(), "--url", &server.url];
        assert!(stdout(&run(folder.path(), &upload)).contains("1 file"));
        let data = folder.path().join("data");
        assert_eq!(open_to_others(&data), [], "with umask {umask}");
        assert!(fs::metadata(data.join("objects/#incoming/lock")).is_ok());
    }
}
