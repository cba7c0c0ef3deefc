//! A file without an archive around it, as the one member of an archive would be.

use super::{ArchiveError, ArchiveLimits, Content, Entry, Method, ReadAt, name};
use symbols::SymbolKey;

/// How much is read at once, in bytes.
const BUFFER_LENGTH: usize = 128 * 1024;

/// Makes the entry of a file that is to be stored under a key, and checks it against the limits.
///
/// # Errors
/// The file is larger than a member may be or has a name that must never be published, or [`ArchiveError::Read`].
pub fn whole_file<R: ReadAt + ?Sized>(
    file: &R,
    key: SymbolKey,
    limits: &ArchiveLimits,
) -> Result<Entry, ArchiveError> {
    let (name, size) = (key.to_string(), file.size()?);
    name::refuse_snippets(&name, &limits.disallowed_snippets)?;
    limits.check_size(&name, size)?;
    Ok(Entry {
        name,
        content: Content::Symbol(key),
        method: Method::Stored,
        crc32: crc32_of(file, size)?,
        compressed_size: size,
        size,
        data_offset: 0,
    })
}

/// An archive declares this of its members, and verifying holds them to it; here nobody has declared it yet.
fn crc32_of<R: ReadAt + ?Sized>(file: &R, size: u64) -> std::io::Result<u32> {
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

    use super::super::verify;
    use super::*;

    #[test]
    fn a_whole_file_verifies_as_a_member_and_keeps_to_the_limits() {
        let key = SymbolKey::parse("a/AB/a.sym").unwrap();
        let limits = ArchiveLimits {
            member_size: ByteSize::b(300_000),
            ..ArchiveLimits::default()
        };
        for size in [0, 1, 128 * 1024, 300_000] {
            let bytes = vec![7; size];
            let entry = whole_file(&bytes[..], key.clone(), &limits).unwrap();
            assert!(verify(&bytes[..], &entry, &limits, true).is_ok());
        }
        let bytes = vec![7; 300_001];
        let error = whole_file(&bytes[..], key, &limits).unwrap_err();
        assert!(
            matches!(error, ArchiveError::MemberTooLarge { .. }),
            "{error}"
        );
        let key = SymbolKey::parse("qcom/AB/secret.sym").unwrap();
        let limits = ArchiveLimits {
            disallowed_snippets: vec!["secret".to_owned()],
            ..limits
        };
        let error = whole_file(&b""[..], key, &limits).unwrap_err();
        assert!(
            matches!(error, ArchiveError::DisallowedSnippet(_)),
            "{error}"
        );
    }
}
