//! A file without an archive, as the only member of one.

use std::io;

use strict_zip::{Method, Names, ReadAt};
use symbols::SymbolKey;

use super::error::ArchiveError;
use super::limits::ArchiveLimits;
use super::names::{Content, Entry};

/// How much is read at once, in bytes.
const BUFFER_LENGTH: usize = 128 * 1024;

/// Makes the entry of a file that is to be stored under a key, and checks it against the limits.
///
/// # Errors
/// The file is larger than a member may be, has a name that must never be published, or cannot be read.
pub fn single_file<R: ReadAt + ?Sized>(
    file: &R,
    key: SymbolKey,
    limits: &ArchiveLimits,
) -> Result<Entry, ArchiveError> {
    let name = key.to_string();
    let size = file.size().map_err(strict_zip::Error::from)?;
    limits.names().screen(&name)?;
    limits.zip_limits().check_size(&name, size)?;
    let crc32 = crc32_of(file, size).map_err(strict_zip::Error::from)?;
    Ok(Entry {
        name,
        content: Content::Symbol(key),
        method: Method::Stored,
        crc32,
        compressed_size: size,
        size,
        data_offset: 0,
    })
}

/// The CRC-32 that verifying compares against. An archive declares it; for a single file we compute it.
fn crc32_of<R: ReadAt + ?Sized>(file: &R, size: u64) -> io::Result<u32> {
    let mut crc32 = crc32fast::Hasher::new();
    let mut buffer = vec![0; BUFFER_LENGTH];
    let mut offset = 0;
    while offset < size {
        let left = usize::try_from(size - offset).unwrap_or(BUFFER_LENGTH);
        let piece = &mut buffer[..left.min(BUFFER_LENGTH)];
        file.read_exact_at(piece, offset)?;
        crc32.update(piece);
        offset += piece.len() as u64;
    }
    Ok(crc32.finalize())
}

#[cfg(test)]
mod tests {
    use bytesize::ByteSize;

    use super::super::verify_member;
    use super::*;

    #[test]
    fn a_single_file_verifies_as_a_member_and_keeps_to_the_limits() {
        let key = SymbolKey::parse("a/AB/a.sym").unwrap();
        let limits = ArchiveLimits {
            member_size: ByteSize::b(300_000),
            ..ArchiveLimits::default()
        };
        for size in [0, 1, 128 * 1024, 300_000] {
            let bytes = vec![7; size];
            let entry = single_file(&bytes[..], key.clone(), &limits).unwrap();
            assert!(verify_member(&bytes[..], &entry, &limits, true).is_ok());
        }
        let bytes = vec![7; 300_001];
        let error = single_file(&bytes[..], key, &limits).unwrap_err();
        assert!(
            matches!(
                error,
                ArchiveError::Zip(strict_zip::Error::MemberTooLarge { .. })
            ),
            "{error}"
        );
        let key = SymbolKey::parse("qcom/AB/secret.sym").unwrap();
        let limits = ArchiveLimits {
            disallowed_snippets: vec!["secret".to_owned()],
            ..limits
        };
        let error = single_file(&b""[..], key, &limits).unwrap_err();
        assert!(
            matches!(error, ArchiveError::DisallowedSnippet(_)),
            "{error}"
        );
    }
}
