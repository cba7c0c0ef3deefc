//! Zip archives: what we accept, the `zip` crate reads with the same names and bytes.

use std::io::{Cursor, Read};

use strict_zip::{Limits, PlainPathError, PlainPaths, inspect, verify};
use zip::ZipArchive;

/// Name and content of each file.
type Files = Vec<(Vec<u8>, Vec<u8>)>;

/// Reads the bytes as an archive.
///
/// # Panics
/// We accept an archive that the `zip` crate reads in another way.
pub fn archive(bytes: &[u8]) {
    if let Ok(mut ours) = read_strictly(bytes) {
        let mut theirs = read_with_zip(bytes);
        ours.sort();
        theirs.sort();
        assert_eq!(ours, theirs);
    }
}

fn read_strictly(bytes: &[u8]) -> Result<Files, PlainPathError> {
    // Low, so that most of the time goes into the headers.
    let limits = Limits {
        entries: 100,
        member_size: 1 << 20,
        total_size: 2 << 20,
        ..Limits::default()
    };
    let mut files = Vec::new();
    for entry in inspect(bytes, &limits, &PlainPaths)? {
        assert!(entry.data_offset + entry.compressed_size <= bytes.len() as u64);
        let mut content = Vec::new();
        verify(bytes, &entry, &limits, |piece| {
            content.extend_from_slice(piece);
            Ok::<_, PlainPathError>(())
        })?;
        assert_eq!(content.len() as u64, entry.size);
        files.push((entry.name.into_bytes(), content));
    }
    Ok(files)
}

fn read_with_zip(bytes: &[u8]) -> Files {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).expect("what we accept is a zip");
    let mut files = Vec::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).expect("every member can be opened");
        let name = file.name_raw().to_vec();
        let mut content = Vec::new();
        file.read_to_end(&mut content)
            .expect("every member can be read");
        if !name.ends_with(b"/") {
            files.push((name, content));
        }
    }
    files
}
