//! The first start with an empty database: makes an administrator's token.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::auth::{AuthService, Permission, TokenRequest};

/// Name of the file in `data_dir` that keeps the first token.
pub const TOKEN_FILE: &str = "admin-token";

/// Owner of the first token.
const ADMINISTRATOR: &str = "admin@localhost";

/// How long the first token lives, in days.
const DAYS: u32 = 3650;

/// Makes the first token if there is none at all, and keeps it in a file that only this user can read. Returns the
/// file's path if it was made.
///
/// # Errors
/// The database or the directory cannot be written to.
pub async fn ensure_token(auth: &AuthService, data_dir: &Path) -> anyhow::Result<Option<PathBuf>> {
    if !auth.list().await?.is_empty() {
        return Ok(None);
    }
    let request = TokenRequest {
        email: ADMINISTRATOR.to_owned(),
        permissions: vec![
            Permission::UploadSymbols,
            Permission::ViewAllUploads,
            Permission::ManageTokens,
        ],
        days: DAYS,
        note: "made at the first start".to_owned(),
    };
    let path = data_dir.join(TOKEN_FILE);
    // A token of an earlier database is no longer valid.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot replace {}", path.display()));
        }
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    let secret = auth.create(request).await?;
    writeln!(file, "{}", secret.reveal())?;
    file.sync_all()?;
    Ok(Some(path))
}

/// The text that is printed once, after the first token was made.
#[must_use]
pub fn welcome(program: &str, url: &str, token_file: &Path) -> String {
    let token_file = token_file.display();
    format!(
        "symbold: first start. An administrator's token was made and is kept in {token_file}.\n\
         Upload a zip of symbols:\n\
         \n  curl -H \"Auth-Token: $(cat {token_file})\" -F symbols.zip=@symbols.zip {url}/upload/\n\
         \nor a directory of them:\n\
         \n  {program} upload DIRECTORY --url {url}\n"
    )
}
