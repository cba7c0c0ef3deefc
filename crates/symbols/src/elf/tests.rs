use std::fs;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const SOURCE: &str = "static int twice(int number) { return number * 2; }\n\
    int main(int count, char **words) { return twice(count); }\n";

/// A program built here, what `objcopy` split off it, and what `strip` left of it.
struct Built {
    folder: TempDir,
}

impl Built {
    fn new() -> Self {
        let built = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::write(built.path("main.c"), SOURCE).unwrap();
        built.run(&["cc", "-g", "-Wl,--build-id", "-o", "whole", "main.c"]);
        built.run(&["objcopy", "--only-keep-debug", "whole", "split"]);
        built.run(&["strip", "-o", "stripped", "whole"]);
        built.run(&["cc", "-g", "-c", "-o", "object", "main.c"]);
        built
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    fn run(&self, command: &[&str]) {
        let status = Command::new(command[0])
            .args(&command[1..])
            .current_dir(self.folder.path())
            .status();
        assert!(status.unwrap().success(), "{command:?}");
    }
}

fn scan(name: &str, bytes: &[u8], piece: usize) -> Option<ElfFile> {
    let mut scan = ElfScan::new(name);
    for piece in bytes.chunks(piece) {
        scan.write(piece);
    }
    scan.finish()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The build id as the linker wrote it.
fn id_of(path: &Path) -> String {
    let output = Command::new("readelf").arg("-n").arg(path).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let (_, rest) = text.split_once("Build ID: ").unwrap();
    rest[..40].to_owned()
}

#[test]
fn real_files_are_known_for_what_they_are() {
    let built = Built::new();
    let id = id_of(&built.path("whole"));
    for (name, has_code, has_debug_info) in [
        ("whole", true, true),
        ("split", false, true),
        ("stripped", true, false),
    ] {
        for piece in [1, 63, 4096, usize::MAX] {
            let file = scan(name, &built.bytes(name), piece).unwrap();
            assert_eq!(file.build_id.as_str(), id, "{name}");
            let kinds = (file.has_code, file.has_debug_info, file.is_gzipped);
            assert_eq!(kinds, (has_code, has_debug_info, false), "{name}");
            assert_eq!(file.size, Some(built.bytes(name).len() as u64));
        }
    }
    assert_eq!(scan("object", &built.bytes("object"), 4096), None, "no id");
}

#[test]
fn gzipped_debug_information_is_known_by_its_ending_and_its_start() {
    let built = Built::new();
    let bytes = gzip(&built.bytes("split"));
    for (name, is_known) in [("a.so.dbg.gz", true), ("A.DEBUG.GZ", true), ("a.gz", false)] {
        let file = scan(name, &bytes, 1000);
        assert_eq!(file.is_some(), is_known, "{name}");
        if let Some(file) = file {
            assert_eq!(file.build_id.as_str(), id_of(&built.path("whole")));
            assert!(file.is_gzipped && file.has_debug_info && !file.has_code);
            assert_eq!(file.size, Some(built.bytes("split").len() as u64));
        }
    }
    assert_eq!(scan("a.dbg.gz", &gzip(b"text"), 7), None);
    assert_eq!(scan("a.dbg.gz", &bytes[..20], 7), None);
    let bomb = gzip(&vec![0; 64 << 20]);
    assert_eq!(scan("a.dbg.gz", &bomb, 4096), None);
}

#[test]
fn the_notes_are_found_wherever_the_segments_say() {
    let built = Built::new();
    let padding = format!("const char padding[{}] = {{1}};\n{SOURCE}", 300_000);
    fs::write(built.path("large.c"), padding).unwrap();
    let script =
        "SECTIONS { .note.gnu.build-id : { *(.note.gnu.build-id) } } INSERT AFTER .rodata;";
    fs::write(built.path("script"), script).unwrap();
    built.run(&[
        "cc",
        "-g",
        "-Wl,--build-id",
        "-Wl,-T,script",
        "-o",
        "large",
        "large.c",
    ]);
    let (bytes, id) = (built.bytes("large"), id_of(&built.path("large")));
    let raw = hex::decode(&id).unwrap();
    let at = bytes.windows(20).position(|window| window == raw).unwrap();
    assert!(at > 300_000, "{at}");
    for piece in [1, 1000, usize::MAX] {
        let file = scan("large", &bytes, piece).unwrap();
        assert_eq!((file.build_id.as_str(), file.has_code), (&*id, true));
        let file = scan("large.dbg.gz", &gzip(&bytes), piece).unwrap();
        assert_eq!((file.build_id.as_str(), file.is_gzipped), (&*id, true));
    }
}

#[test]
fn dwarf_without_a_symbol_table_is_debug_information() {
    let built = Built::new();
    built.run(&[
        "objcopy",
        "--strip-all",
        "--keep-section=.debug_*",
        "whole",
        "dwarf",
    ]);
    built.run(&[
        "objcopy",
        "--compress-debug-sections=zlib-gnu",
        "dwarf",
        "old",
    ]);
    built.run(&[
        "objcopy",
        "--add-section=.debug_gdb_scripts=main.c",
        "stripped",
        "loaded",
    ]);
    let flags = "--set-section-flags=.debug_gdb_scripts=alloc,readonly";
    built.run(&["objcopy", flags, "loaded", "scripts"]);
    for (name, has_debug_info) in [("dwarf", true), ("old", true), ("scripts", false)] {
        for piece in [1, 4096, usize::MAX] {
            let file = scan(name, &built.bytes(name), piece).unwrap();
            let kinds = (file.has_code, file.has_debug_info);
            assert_eq!(kinds, (true, has_debug_info), "{name}");
        }
    }
}

#[test]
fn a_gzipped_file_may_have_several_members_and_zeros_behind_them() {
    let built = Built::new();
    let bytes = built.bytes("split");
    let (start, rest) = bytes.split_at(5);
    let file = [gzip(b""), gzip(start), gzip(rest), vec![0; 10_240]].concat();
    for piece in [1, 4096, usize::MAX] {
        let file = scan("a.dbg.gz", &file, piece).unwrap();
        assert_eq!(file.build_id.as_str(), id_of(&built.path("whole")));
        assert_eq!(file.size, None, "zeros are no length");
    }
}

#[test]
fn a_file_without_a_table_of_sections_is_known_by_its_segments() {
    let built = Built::new();
    for (name, has_code) in [("stripped", true), ("split", false)] {
        let mut bytes = built.bytes(name);
        bytes.truncate(bytes.len() - 64);
        let file = scan(name, &bytes, 4096).unwrap();
        assert_eq!((file.has_code, file.has_debug_info), (has_code, !has_code));
    }
}

#[test]
fn a_section_is_found_as_it_lies_in_the_file() {
    let built = Built::new();
    let whole = built.bytes("whole");
    let file = fs::File::open(built.path("whole")).unwrap();
    let range = find_section(&file, b".debug_str").unwrap().unwrap();
    let [start, end] = [range.start, range.end].map(|at| usize::try_from(at).unwrap());
    let text = &whole[start..end];
    assert!(text.windows(5).any(|window| window == b"twice"));
    assert_eq!(find_section(&file, b".nonsense").unwrap(), None);
    assert_eq!(find_section(&file, b".bss").unwrap(), None);
    let text = fs::File::open(built.path("main.c")).unwrap();
    assert!(matches!(
        find_section(&text, b".text"),
        Err(SectionError::Damaged(_))
    ));
}

#[test]
fn real_files_that_were_damaged_are_read_without_panic() {
    let built = Built::new();
    let damage = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12);
    for name in ["whole", "split"] {
        let whole = built.bytes(name);
        let file = tempfile::tempfile().unwrap();
        proptest!(|(damage in damage.clone(), in_header: bool, length in any::<prop::sample::Index>())| {
            let mut bytes = whole.clone();
            for (place, value) in damage {
                let end = if in_header { 1024 } else { bytes.len() };
                bytes[place.index(end)] = value;
            }
            bytes.truncate(length.index(whole.len() * 2));
            let _ = scan("a.debug", &bytes, 4096);
            let _ = scan("a.dbg.gz", &gzip(&bytes), 4096);
            file.set_len(0).unwrap();
            file.write_all_at(&bytes, 0).unwrap();
            let _ = find_section(&file, b".debug_info");
        });
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        is_elf: bool,
        piece in 1_usize..100,
    ) {
        let mut bytes = bytes;
        if is_elf {
            bytes.splice(0..0, *b"\x7fELF\x02\x01\x01");
        }
        let _ = scan("a.dbg.gz", &bytes, piece);
    }
}
