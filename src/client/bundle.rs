//! The files of a directory become zip files.
//!
//! They are packed in the order of their keys, so that the same directory always makes the same archives. The archives
//! are unnamed temporary files: they vanish with the process, however it ends.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Seek};
use std::path::{Path, PathBuf};

use anyhow::Context;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::archive::Archive;
use symbols::{SuffixList, SymbolKey};

/// A new archive is begun after a member with which one has grown to this many bytes, as Mozilla's client does.
pub(super) const FULL: u64 = 500_000_000;

/// Endings of files that are compressed already, which are stored as they are.
const COMPRESSED: [&str; 8] = [".gz", ".bz2", ".pd_", ".dl_", ".ex_", ".zip", ".zst", ".xz"];

/// How much of a file is read at once, in bytes.
const READ_AT_ONCE: usize = 256 * 1024;

/// Packs the files into archives of about `full` bytes ([`FULL`], unless in a test), one after the other, and
/// reports after each file.
pub(super) fn pack(
    files: &BTreeMap<SymbolKey, PathBuf>,
    full: u64,
    mut packed: impl FnMut(),
) -> anyhow::Result<Vec<Archive>> {
    let mut complete = Vec::new();
    let mut current = Packing::begin()?;
    for (key, path) in files {
        if current.length()? >= full {
            complete.push(current.finish()?);
            current = Packing::begin()?;
        }
        current
            .add(key, path)
            .with_context(|| format!("cannot zip {}", path.display()))?;
        packed();
    }
    complete.push(current.finish()?);

    let several = complete.len() > 1;
    let mut archives = Vec::with_capacity(complete.len());
    for (number, (file, files)) in complete.into_iter().enumerate() {
        let name = if several {
            format!("symbols-{number}.zip")
        } else {
            "symbols.zip".to_owned()
        };
        archives.push(Archive::new(name, file, files)?);
    }
    Ok(archives)
}

/// One archive in the making.
struct Packing {
    writer: ZipWriter<File>,
    files: usize,
}

impl Packing {
    fn begin() -> anyhow::Result<Self> {
        let file =
            tempfile::tempfile().context("cannot create a temporary file for the archive")?;
        Ok(Self {
            writer: ZipWriter::new(file),
            files: 0,
        })
    }

    /// The bytes written so far, less what the compressor still holds back of the last member.
    fn length(&self) -> io::Result<u64> {
        self.writer
            .get_ref()
            .map_or(Ok(0), |mut file| file.stream_position())
    }

    fn add(&mut self, key: &SymbolKey, path: &Path) -> anyhow::Result<()> {
        let source = File::open(path)?;
        let is_compressed = SuffixList::new(&COMPRESSED).matches_ignoring_case(key.file_name());
        let method = if is_compressed {
            CompressionMethod::Stored
        } else {
            CompressionMethod::Deflated
        };
        let needs_zip64 = source.metadata()?.len() >= u64::from(u32::MAX);
        let options = SimpleFileOptions::default()
            .compression_method(method)
            .large_file(needs_zip64);
        self.writer.start_file(key.to_string(), options)?;
        io::copy(
            &mut BufReader::with_capacity(READ_AT_ONCE, source),
            &mut self.writer,
        )?;
        self.files += 1;
        Ok(())
    }

    fn finish(self) -> anyhow::Result<(File, usize)> {
        let file = self
            .writer
            .finish()
            .context("cannot complete the archive")?;
        Ok((file, self.files))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use tempfile::TempDir;
    use zip::ZipArchive;

    use super::super::testing::{SYM, collect, directory_of};
    use super::super::tree::SymbolTree;
    use super::*;

    fn pack_all(directory: &TempDir, full: u64) -> Vec<Archive> {
        let tree = SymbolTree::survey(directory.path()).unwrap();
        pack(tree.files(), full, || {}).unwrap()
    }

    async fn read_back(archive: &Archive) -> ZipArchive<Cursor<Vec<u8>>> {
        ZipArchive::new(Cursor::new(collect(archive).await)).unwrap()
    }

    #[tokio::test]
    async fn one_archive_holds_every_file_under_its_key() {
        let directory =
            directory_of(&[("xul.pdb/ab12/xul.sym", SYM), ("c++ filt/CD34/汉.sym", "")]);
        let tree = SymbolTree::survey(directory.path()).unwrap();
        let mut packed = 0;
        let archives = pack(tree.files(), FULL, || packed += 1).unwrap();
        assert_eq!((archives.len(), packed), (1, 2));
        assert_eq!(
            (archives[0].name.as_str(), archives[0].files),
            ("symbols.zip", 2)
        );

        let mut zip = read_back(&archives[0]).await;
        let names: Vec<_> = zip
            .file_names()
            .map(|name| name.unwrap().into_owned())
            .collect();
        assert_eq!(names, ["c++ filt/CD34/汉.sym", "xul.pdb/AB12/xul.sym"]);
        let mut content = String::new();
        zip.by_index(1)
            .unwrap()
            .read_to_string(&mut content)
            .unwrap();
        assert_eq!(content, SYM);
    }

    #[tokio::test]
    async fn what_is_compressed_already_is_stored() {
        let directory = directory_of(&[
            ("a/AB/a.sym", SYM),
            ("a/AB/a.dll", SYM),
            ("a/AB/a.dbg.GZ", SYM),
            ("a/AB/a.pd_", SYM),
        ]);
        let archives = pack_all(&directory, FULL);
        let zip = read_back(&archives[0]).await;
        for (name, method) in [
            ("a.sym", CompressionMethod::Deflated),
            ("a.dll", CompressionMethod::Deflated),
            ("a.dbg.GZ", CompressionMethod::Stored),
            ("a.pd_", CompressionMethod::Stored),
        ] {
            let index = zip.index_for_name(&format!("a/AB/{name}")).unwrap();
            assert_eq!(
                zip.by_index_data(index).unwrap().compression(),
                method,
                "{name}"
            );
        }
    }

    #[tokio::test]
    async fn a_full_archive_is_followed_by_another() {
        let directory = directory_of(&[("a/1/a.gz", SYM), ("a/2/a.gz", SYM), ("a/3/a.gz", SYM)]);
        let full = u64::try_from(SYM.len() + 50).unwrap();
        let archives = pack_all(&directory, full);
        let shape: Vec<_> = archives
            .iter()
            .map(|archive| (archive.name.as_str(), archive.files))
            .collect();
        assert_eq!(shape, [("symbols-0.zip", 2), ("symbols-1.zip", 1)]);
        let second = read_back(&archives[1]).await;
        assert_eq!(second.file_names().next().unwrap().unwrap(), "a/3/a.gz");
    }

    #[tokio::test]
    async fn the_same_directory_makes_the_same_archive() {
        let directory = directory_of(&[("b/2/b.sym", SYM), ("a/1/a.sym", SYM)]);
        let first = collect(&pack_all(&directory, FULL)[0]).await;
        assert!(first == collect(&pack_all(&directory, FULL)[0]).await);
    }
}
