//! One zip file that is ready to be sent, whether it was given or made here.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, Stream};
use zip::ZipArchive;

use symbols::SymbolKey;

/// How much is read and sent at once, in bytes.
const CHUNK: u64 = 256 * 1024;

/// A zip file, held open.
#[derive(Debug)]
pub(super) struct Archive {
    /// The name under which the server knows it: plain ASCII, ends in `.zip`.
    pub(super) name: String,
    /// Its length in bytes.
    pub(super) length: u64,
    /// How many of its members are files of symbols.
    pub(super) files: usize,
    content: Arc<Mutex<File>>,
}

impl Archive {
    /// Takes a zip file that is complete.
    pub(super) fn new(name: String, file: File, files: usize) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let content = Arc::new(Mutex::new(file));
        Ok(Self {
            name,
            length,
            files,
            content,
        })
    }

    /// Opens a zip file of the caller's, which is sent as it is. Something that is not a zip file is an error.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let members = ZipArchive::new(&file)
            .with_context(|| format!("{} cannot be read as a zip file", path.display()))?;
        let names = members.file_names().filter_map(Result::ok);
        let is_symbol =
            |name: &str| SymbolKey::parse(name.strip_prefix("./").unwrap_or(name)).is_ok();
        let files = names.filter(|name| is_symbol(name)).count();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(Self::new(archive_name(&name), file, files)?)
    }

    /// The bytes from the first to the last, in chunks; can be asked for again at every attempt.
    ///
    /// Each chunk is read at its own position, under a lock: the request of an attempt that was given up may live a
    /// little longer than the attempt, and must not move the position under the next one. The read blocks the
    /// thread, but briefly, and the command has nothing else to do.
    pub(super) fn chunks(&self) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let content = Arc::clone(&self.content);
        let length = self.length;
        stream::try_unfold(0, move |position| {
            let chunk = read_chunk(&content, position, length);
            async move { Ok(chunk?.map(|chunk| (chunk, position + CHUNK))) }
        })
    }
}

/// Reads the chunk at the position; nothing past the end. A file that became shorter is an error.
fn read_chunk(content: &Mutex<File>, position: u64, length: u64) -> io::Result<Option<Bytes>> {
    if position >= length {
        return Ok(None);
    }
    let size = usize::try_from(CHUNK.min(length - position)).map_err(io::Error::other)?;
    let mut chunk = BytesMut::zeroed(size);
    let mut file = content.lock().unwrap_or_else(PoisonError::into_inner);
    file.seek(SeekFrom::Start(position))?;
    file.read_exact(&mut chunk)?;
    Ok(Some(chunk.freeze()))
}

/// Makes of a file's name one that needs no escaping in a multipart header and ends in `.zip`.
fn archive_name(file_name: &str) -> String {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "._-+~".contains(character);
    let mut name: String = file_name
        .chars()
        .map(|character| if is_plain(character) { character } else { '_' })
        .collect();
    if !name.to_ascii_lowercase().ends_with(".zip") {
        name.push_str(".zip");
    }
    name
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use futures_util::TryStreamExt;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_made_plain() {
        assert_eq!(
            archive_name("firefox-1.0.en-US.zip"),
            "firefox-1.0.en-US.zip"
        );
        assert_eq!(archive_name("A.ZIP"), "A.ZIP");
        assert_eq!(archive_name("a \"b\"é\n.tar"), "a__b___.tar.zip");
        assert_eq!(archive_name(""), ".zip");
    }

    #[test]
    fn what_is_no_zip_file_is_named_in_the_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notes.zip");
        assert!(
            Archive::open(&path)
                .unwrap_err()
                .to_string()
                .starts_with("cannot open")
        );
        std::fs::write(&path, "no zip").unwrap();
        let error = Archive::open(&path).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("notes.zip cannot be read as a zip file"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn chunks_can_be_read_again_while_an_old_reader_lives() {
        let content: Vec<u8> = (0..600_000_u32)
            .map(|number| number.to_le_bytes()[1])
            .collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&content).unwrap();
        let archive = Archive::new("a.zip".to_owned(), file, 1).unwrap();

        let mut abandoned = Box::pin(archive.chunks());
        abandoned.try_next().await.unwrap().unwrap();
        let mut second = Box::pin(archive.chunks());
        let mut bytes = second.try_next().await.unwrap().unwrap().to_vec();
        abandoned.try_next().await.unwrap().unwrap();
        while let Some(chunk) = second.try_next().await.unwrap() {
            bytes.extend_from_slice(&chunk);
        }
        assert!(bytes == content);
    }

    #[tokio::test]
    async fn a_file_that_became_shorter_is_an_error() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let other_handle = file.try_clone().unwrap();
        let archive = Archive::new("a.zip".to_owned(), file, 1).unwrap();
        other_handle.set_len(4).unwrap();
        let error = archive.chunks().try_collect::<Vec<_>>().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    proptest! {
        #[test]
        fn every_name_becomes_a_plain_one(file_name in any::<String>()) {
            let name = archive_name(&file_name);
            prop_assert!(name.to_ascii_lowercase().ends_with(".zip"));
            prop_assert!(name.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"/\\%".contains(&byte)));
            prop_assert_eq!(archive_name(&name), name);
        }
    }
}
