//! Zip archives: what we accept, the `zip` crate reads with the same names and bytes.

use std::io::{Cursor, Read};

use bytesize::ByteSize;
use sha2::{Digest as _, Sha256};
use symbold::upload::archive::{ArchiveError, ArchiveLimits, inspect, verify};
use zip::ZipArchive;

/// Name, length and SHA-256 of each file.
type Files = Vec<(Vec<u8>, u64, [u8; 32])>;

/// Reads the bytes as an upload.
///
/// # Panics
/// We accept an archive that the `zip` crate reads in another way.
pub fn archive(bytes: &[u8]) {
    if let Ok(mut ours) = read_as_upload(bytes) {
        let mut theirs = read_with_zip(bytes);
        ours.sort();
        theirs.sort();
        assert_eq!(ours, theirs);
    }
}

fn read_as_upload(bytes: &[u8]) -> Result<Files, ArchiveError> {
    // Low, so that most of the time goes into the headers.
    let limits = ArchiveLimits {
        entries: 100,
        member_size: ByteSize::mib(1),
        total_size: ByteSize::mib(2),
        ..ArchiveLimits::default()
    };
    let mut files = Vec::new();
    for entry in inspect(bytes, &limits)? {
        assert!(entry.data_offset + entry.compressed_size <= bytes.len() as u64);
        let digest = verify(bytes, &entry, &limits, false)?;
        files.push((entry.name.into_bytes(), entry.size, digest.sha256));
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
            files.push((name, content.len() as u64, Sha256::digest(&content).into()));
        }
    }
    files
}
