//! Archives that look like a build's, made from a seed.
//!
//! A [`Bundle`] is a list of members, each with its symbol key and its size. Nothing is kept in memory: the archive is
//! made while it is written ([`Bundle::write`]). Members that end in `.sym` hold text in Breakpad's form, which names
//! the same module as the key and compresses as real ones do; the others hold bytes that do not compress, like the
//! compressed debug files that they stand for.

mod text;

use std::io::{self, Seek, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::random::Random;
use crate::trace::builds;

pub use text::write_symbols;

/// How large an archive is, and how its bytes spread over its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// 10 members with 1 MiB: a library's build.
    Small,
    /// 40 members with 60 MiB, of which half are text.
    Medium,
    /// 110 members with 900 MiB, of which a few have nearly everything: a browser's build, about half a gigabyte
    /// zipped.
    Large,
}

/// A file of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// `<debug file>/<id>/<file>`.
    pub key: String,
    /// Bytes before compression, at least; text ends with a whole line.
    pub size: u64,
}

/// The files of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    members: Vec<Member>,
    seed: u64,
}

impl Bundle {
    /// A bundle of this shape; another seed has other ids and other contents.
    #[must_use]
    pub fn generate(shape: Shape, seed: u64) -> Self {
        let (count, bytes) = match shape {
            Shape::Small => (10, 1 << 20),
            Shape::Medium => (40, 60 << 20),
            Shape::Large => (110, 900 << 20),
        };
        let mut keys = Vec::new();
        for build in builds::make(count / 40 + 1, seed) {
            keys.extend(build);
        }
        keys.truncate(count);
        // The first few have nine parts of ten, as a browser's one great library has.
        let (great, rest) = (4.min(count), count.saturating_sub(4).max(1));
        let size = |place| match place {
            _ if place < great => bytes * 9 / 10 / great as u64,
            _ => bytes / 10 / rest as u64,
        };
        let members = keys.into_iter().enumerate();
        let members = members.map(|(place, key)| Member {
            key,
            size: size(place),
        });
        Self {
            members: members.collect(),
            seed,
        }
    }

    /// A bundle with these symbol keys, each file with so many bytes.
    #[must_use]
    pub fn of_keys(keys: &[String], size: u64, seed: u64) -> Self {
        let members = keys.iter().map(|key| Member {
            key: key.clone(),
            size,
        });
        Self::of_members(members.collect(), seed)
    }

    /// A bundle with these files.
    #[must_use]
    pub fn of_members(members: Vec<Member>, seed: u64) -> Self {
        Self { members, seed }
    }

    /// The files.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Writes the zip; the same bundle always makes the same bytes. Returns the target and its length.
    pub fn write<W: Write + Seek>(&self, target: W) -> io::Result<(W, u64)> {
        let mut archive = ZipWriter::new(target);
        for (place, member) in self.members.iter().enumerate() {
            let seed = self.seed.wrapping_mul(31).wrapping_add(place as u64);
            let is_text = has_ending(&member.key, ".sym");
            let method = if is_text {
                CompressionMethod::Deflated
            } else {
                CompressionMethod::Stored
            };
            let options = SimpleFileOptions::default()
                .compression_method(method)
                .large_file(member.size >= u64::from(u32::MAX))
                .last_modified_time(zip::DateTime::default());
            archive.start_file(member.key.as_str(), options)?;
            if is_text {
                let mut parts = member.key.split('/');
                let debug_file = parts.next().unwrap_or("");
                let debug_id = parts.next().unwrap_or("");
                write_symbols(&mut archive, debug_file, debug_id, member.size, seed)?;
            } else {
                write_noise(&mut archive, member.size, seed)?;
            }
        }
        let mut target = archive.finish()?;
        let length = target.stream_position()?;
        Ok((target, length))
    }
}

fn has_ending(key: &str, ending: &str) -> bool {
    key.len() >= ending.len()
        && key.as_bytes()[key.len() - ending.len()..].eq_ignore_ascii_case(ending.as_bytes())
}

/// Bytes without any order.
fn write_noise(target: &mut impl Write, size: u64, seed: u64) -> io::Result<()> {
    let mut random = Random::new(seed);
    let mut left = size;
    while left > 0 {
        let mut piece = [0; 4096];
        for bytes in piece.chunks_exact_mut(8) {
            bytes.copy_from_slice(&random.next().to_le_bytes());
        }
        let length = usize::try_from(left).map_or(piece.len(), |left| left.min(piece.len()));
        target.write_all(&piece[..length])?;
        left -= length as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read as _};

    use zip::ZipArchive;

    use super::*;

    #[test]
    fn an_archive_has_its_members_and_symbols_name_their_module() {
        let bundle = Bundle::generate(Shape::Small, 1);
        let (target, length) = bundle.write(Cursor::new(Vec::new())).unwrap();
        assert_eq!(target.get_ref().len() as u64, length);
        let mut archive = ZipArchive::new(target).unwrap();
        assert_eq!((archive.len(), bundle.members().len()), (10, 10));
        for member in bundle.members() {
            let mut file = archive.by_name(&member.key).unwrap();
            assert!(file.size() >= member.size && file.size() < member.size + 10_000);
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            if has_ending(&member.key, ".sym") {
                let mut parts = member.key.split('/');
                let (debug_file, id) = (parts.next().unwrap(), parts.next().unwrap());
                let module = format!("MODULE Linux x86_64 {id} {debug_file}\n");
                assert!(bytes.starts_with(module.as_bytes()), "{}", member.key);
            }
        }
    }

    #[test]
    fn a_seed_decides_every_byte() {
        let bytes = |seed| {
            let bundle = Bundle::generate(Shape::Small, seed);
            bundle
                .write(Cursor::new(Vec::new()))
                .unwrap()
                .0
                .into_inner()
        };
        assert_eq!(bytes(1), bytes(1));
        assert_ne!(bytes(1), bytes(2));
    }

    #[test]
    fn keys_can_be_given() {
        let keys = [
            "a.pdb/AB0/a.sym".to_owned(),
            "a.dll/5A1B2C3D4000/a.dl_".to_owned(),
        ];
        let bundle = Bundle::of_keys(&keys, 500, 1);
        let (target, _) = bundle.write(Cursor::new(Vec::new())).unwrap();
        let archive = ZipArchive::new(target).unwrap();
        let names: Vec<String> = archive
            .file_names()
            .map(|name| name.unwrap().into_owned())
            .collect();
        assert_eq!(names, keys);
    }
}
