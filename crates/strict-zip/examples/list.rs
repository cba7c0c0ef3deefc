//! Lists the files of a zip archive after checking all of it, or says why it is refused:
//! `cargo run --example list -- archive.zip`.

use std::error::Error;
use std::fs::File;
use std::process::ExitCode;

use strict_zip::{Limits, PlainPaths};

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: list ARCHIVE");
        return ExitCode::from(2);
    };
    let listed = File::open(path)
        .map_err(Into::into)
        .and_then(|file| list(&file));
    match listed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn list(archive: &File) -> Result<(), Box<dyn Error>> {
    let limits = Limits::default();
    let entries = strict_zip::inspect(archive, &limits, &PlainPaths)?;
    for entry in &entries {
        strict_zip::verify(archive, entry, &limits, |_| Ok::<_, strict_zip::Error>(()))?;
    }
    for entry in &entries {
        println!("{:>12}  {:08x}  {}", entry.size, entry.crc32, entry.name);
    }
    Ok(())
}
