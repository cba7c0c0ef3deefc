//! Finding a source file in an archive of sources.

use std::fs::File;
use std::io;
use std::ops::Range;

use tar::{Archive, EntryType};

use super::DebuginfodError;

/// How many hard links are followed from one name to the next. `tar` makes links to the first name only.
const MOST_LINKS: usize = 8;

/// The canonical path of a source file: without a slash at its start, without `.` and `..`, and with single slashes.
///
/// Compilers write down paths such as `/home/me/app/build/../src/a.c`, and debuggers ask for them as they are. As in
/// debuginfod(8), dot segments are removed textually (RFC 3986, 5.2.4) and doubled slashes are one. A `..` at the root
/// stays there, so no path leaves the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SourcePath(Vec<u8>);

impl SourcePath {
    /// The canonical form of a path.
    pub(super) fn of(path: &[u8]) -> Self {
        let mut parts = Vec::new();
        for part in path.split(|byte| *byte == b'/') {
            match part {
                b"" | b"." => {}
                b".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        Self(parts.join(&b'/'))
    }
}

/// A member of an archive that has the wanted path.
enum Member {
    /// A regular file, whose bytes lie here.
    File(Range<u64>),
    /// Another name of the file that an earlier member has.
    Link(SourcePath),
}

/// Finds the range of a regular file in a tar archive. A hard link is followed to the earlier member that it names.
///
/// # Errors
/// The archive is damaged, or the temporary file cannot be read.
pub(super) fn find_source(
    archive: &File,
    path: &SourcePath,
) -> Result<Option<Range<u64>>, DebuginfodError> {
    let length = archive
        .metadata()
        .map_err(DebuginfodError::Temporary)?
        .len();
    let (mut path, mut end) = (path.clone(), length);
    for _ in 0..MOST_LINKS {
        match find_member(archive, &path, end)? {
            Some((_, Member::File(range))) if range.end > length => {
                return Err(DebuginfodError::Damaged("it ends too early".to_owned()));
            }
            Some((_, Member::File(range))) => return Ok(Some(range)),
            Some((position, Member::Link(target))) => (path, end) = (target, position),
            None => return Ok(None),
        }
    }
    Ok(None)
}

/// The first member of a path among those whose header lies before `end`, and where its header lies.
fn find_member(
    mut archive: &File,
    path: &SourcePath,
    end: u64,
) -> Result<Option<(u64, Member)>, DebuginfodError> {
    let damaged = |error: io::Error| DebuginfodError::Damaged(error.to_string());
    io::Seek::rewind(&mut archive).map_err(DebuginfodError::Temporary)?;
    let mut tar = Archive::new(archive);
    for entry in tar.entries_with_seek().map_err(damaged)? {
        let entry = entry.map_err(damaged)?;
        let position = entry.raw_header_position();
        if position >= end {
            return Ok(None);
        }
        if SourcePath::of(&entry.path_bytes()) != *path {
            continue;
        }
        let start = entry.raw_file_position();
        let member = match (entry.header().entry_type(), entry.link_name_bytes()) {
            (EntryType::Regular, _) => Member::File(start..start.saturating_add(entry.size())),
            (EntryType::Link, Some(target)) => Member::Link(SourcePath::of(&target)),
            _ => continue,
        };
        return Ok(Some((position, member)));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    fn text_at(archive: &File, path: &str) -> Option<String> {
        let range = find_source(archive, &SourcePath::of(path.as_bytes())).unwrap()?;
        let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap()];
        archive.read_exact_at(&mut bytes, range.start).unwrap();
        Some(String::from_utf8(bytes).unwrap())
    }

    fn header(kind: EntryType, size: usize) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size as u64);
        header
    }

    fn archive(files: &[(&str, &str)]) -> tar::Builder<File> {
        let mut tar = tar::Builder::new(tempfile::tempfile().unwrap());
        for (path, text) in files {
            let mut header = header(EntryType::Regular, text.len());
            // Not by `append_data`, which refuses names with dots.
            header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            tar.append(&header, text.as_bytes()).unwrap();
        }
        tar
    }

    #[test]
    fn paths_are_canonical() {
        for (path, canonical) in [
            ("/usr/src/a.c", "usr/src/a.c"),
            ("usr//src/./a.c", "usr/src/a.c"),
            ("./usr/lib/../src/x/../a.c", "usr/src/a.c"),
            ("/usr/src/a.c/", "usr/src/a.c"),
            ("/../../etc/a.c", "etc/a.c"),
            ("/a/../../../b/...c/..", "b"),
            ("/..a/b..", "..a/b.."),
            ("/..", ""),
            ("", ""),
        ] {
            assert_eq!(
                SourcePath::of(path.as_bytes()).0,
                canonical.as_bytes(),
                "{path}"
            );
        }
    }

    #[test]
    fn a_source_is_found_where_it_lies() {
        let mut tar = archive(&[("usr/src/a.c", "int a;"), ("x/build/..//src/b.c", "int b;")]);
        let long = format!("./usr/src/{}/main.c", "deep/".repeat(40));
        let mut main = header(EntryType::Regular, 9);
        tar.append_data(&mut main, &long, &b"int main;"[..])
            .unwrap();
        let file = tar.into_inner().unwrap();
        let found = |path: &str| text_at(&file, path);
        assert_eq!(found("/usr/src/a.c").as_deref(), Some("int a;"));
        assert_eq!(found("/usr/lib/.././/src/a.c").as_deref(), Some("int a;"));
        assert_eq!(found("/x/src/b.c").as_deref(), Some("int b;"));
        assert_eq!(found("/x/y/../build/../src/b.c").as_deref(), Some("int b;"));
        assert_eq!(found(&long[1..]).as_deref(), Some("int main;"));
        for path in ["/usr/src/b.c", "/usr/src", "/", "/usr/src/a.c/.."] {
            assert_eq!(found(path), None, "{path}");
        }
        file.set_len(515).unwrap();
        let cut = find_source(&file, &SourcePath::of(b"/usr/src/a.c"));
        assert!(matches!(cut, Err(DebuginfodError::Damaged(_))), "{cut:?}");
    }

    #[test]
    fn a_hard_link_is_followed_to_an_earlier_member() {
        let mut tar = archive(&[("usr/src/a.c", "int a;")]);
        for (path, target) in [
            ("usr/src/second.c", "usr/src/a.c"),
            ("usr/src/third.c", "./usr/lib/../src/second.c"),
            ("usr/src/itself.c", "usr/src/itself.c"),
            ("usr/src/early.c", "usr/src/late.c"),
            ("usr/src/nowhere.c", "usr/src/none.c"),
        ] {
            let mut header = header(EntryType::Link, 0);
            tar.append_link(&mut header, path, target).unwrap();
        }
        let mut late = header(EntryType::Regular, 4);
        tar.append_data(&mut late, "usr/src/late.c", &b"late"[..])
            .unwrap();
        let file = tar.into_inner().unwrap();
        for (path, text) in [
            ("/usr/src/second.c", Some("int a;")),
            ("/usr/src/third.c", Some("int a;")),
            ("/usr/src/itself.c", None),
            ("/usr/src/early.c", None),
            ("/usr/src/nowhere.c", None),
        ] {
            assert_eq!(text_at(&file, path).as_deref(), text, "{path}");
        }
    }

    #[test]
    fn links_are_followed_only_so_far() {
        let mut tar = archive(&[("0", "text")]);
        for number in 1..1000 {
            let mut header = header(EntryType::Link, 0);
            let (path, target) = (number.to_string(), (number - 1).to_string());
            tar.append_link(&mut header, path, target).unwrap();
        }
        let file = tar.into_inner().unwrap();
        assert_eq!(text_at(&file, "/7").as_deref(), Some("text"));
        assert_eq!(text_at(&file, "/999"), None);
    }
}
