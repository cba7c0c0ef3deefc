//! The database's file before the pools open it.

use std::io::{self, ErrorKind};
use std::path::Path;

use rusqlite::Connection;
use tempfile::NamedTempFile;

use crate::durable_dirs;

/// Makes a database without tables that its owner alone can read, and the folders above it, unless there is a file of
/// this name. SQLite gives the files beside it the same mode.
///
/// It is made under another name, for two reasons. It must appear with its write-ahead log turned on, since turning it
/// on fails at once when another process is doing the same. And closing a plain handle of the file would release the
/// locks that SQLite holds on it elsewhere in this process (<https://sqlite.org/howtocorrupt.html>, 2.2).
pub(super) fn prepare(path: &Path) -> io::Result<()> {
    let folder = path.parent().ok_or(ErrorKind::IsADirectory)?;
    durable_dirs::make(folder)?;
    if path.try_exists()? {
        // The process that made the file may have been killed before it synced the folder.
        return durable_dirs::sync(folder);
    }
    let file = NamedTempFile::new_in(folder)?.into_temp_path();
    turn_on_write_ahead_log(&file).map_err(io::Error::other)?;
    match file.persist_noclobber(path) {
        Err(failure) if failure.error.kind() != ErrorKind::AlreadyExists => Err(failure.error),
        _ => durable_dirs::sync(folder),
    }
}

fn turn_on_write_ahead_log(path: &Path) -> rusqlite::Result<()> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.close().map_err(|(_, error)| error)
}
