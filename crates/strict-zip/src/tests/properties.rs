//! The `zip` crate as a second opinion: what it writes is accepted, and what is accepted it reads in the same way.

use std::io::{Cursor, Read, Write};

use proptest::collection::vec;
use proptest::prelude::*;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::builder::{Member, NAME, archive, archive_zip64, extra, zip64};
use super::{Limits, check, read};

/// A member as the `zip` crate is asked to write it.
#[derive(Clone, Debug)]
struct Wanted {
    name: String,
    content: Vec<u8>,
    is_deflated: bool,
    is_zip64: bool,
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let content = prop_oneof![
        vec(any::<u8>(), 0..300),
        (0..300_000_usize).prop_map(|length| vec![b'x'; length])
    ];
    (
        "[a-z汉+~]{1,8}/[0-9A-F]{2,8}/[a-z]{1,8}\\.txt",
        content,
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(name, content, is_deflated, is_zip64)| Wanted {
            name,
            content,
            is_deflated,
            is_zip64,
        })
}

/// Any number of members whose names differ.
fn members() -> impl Strategy<Value = Vec<Wanted>> {
    vec(wanted(), 0..6).prop_map(|mut members| {
        for (number, member) in members.iter_mut().enumerate() {
            member.name.push_str(&number.to_string());
        }
        members
    })
}

fn write_members<W: Write + std::io::Seek>(writer: &mut ZipWriter<W>, members: &[Wanted]) {
    for member in members {
        let method = if member.is_deflated {
            CompressionMethod::Deflated
        } else {
            CompressionMethod::Stored
        };
        let options = SimpleFileOptions::default()
            .compression_method(method)
            .large_file(member.is_zip64);
        writer.start_file(&member.name, options).unwrap();
        writer.write_all(&member.content).unwrap();
    }
}

/// Archives of many forms, to be damaged.
pub(super) fn good_archives() -> Vec<Vec<u8>> {
    let plain = Member::deflated(NAME, b"SAMPLE SAMPLE SAMPLE SAMPLE");
    let streamed = Member::deflated("a/b/a.txt", b"streamed, streamed").streamed(true, false);
    let bare = Member::stored("b/b.txt", b"streamed").streamed(false, true);
    let wide = Member::stored("c/d/e.bin", b"zip64").both(|header| {
        (header.compressed_size, header.size) = (u32::MAX, u32::MAX);
        header.extra = zip64(&[5, 5]);
    });
    let named_twice = Member::stored("./汉/c.bin", b"one name").both(|header| {
        let crc32 = crc32fast::hash(&header.name).to_le_bytes();
        let second_name = [&[1], &crc32[..], &header.name].concat();
        header.extra = [extra(0x7075, &second_name), vec![0; 3]].concat();
    });
    let all = [
        Member::directory("a/"),
        plain.clone(),
        streamed,
        bare,
        wide,
        Member::directory("./"),
        named_twice,
        Member::stored(".DS_Store", b"x"),
    ];
    vec![archive(&[plain]), archive(&all), archive_zip64(&all)]
}

/// How the signatures of all kinds of records end.
const RECORDS: [[u8; 2]; 6] = [[1, 2], [3, 4], [5, 6], [6, 6], [6, 7], [7, 8]];

/// Where the records with this signature begin.
fn records(bytes: &[u8], signature: [u8; 4]) -> Vec<usize> {
    let windows = bytes.windows(4).enumerate();
    windows
        .filter(|(_, window)| *window == signature)
        .map(|(start, _)| start)
        .collect()
}

/// Bytes of a field at the limits of what readers expect, or any others.
fn field() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop_oneof![Just(0_u16), Just(1), Just(8), Just(0x808), Just(u16::MAX)]
            .prop_map(|number| number.to_le_bytes().to_vec()),
        prop_oneof![Just(0_u32), 0..100_u32, Just(u32::MAX)]
            .prop_map(|number| number.to_le_bytes().to_vec()),
        vec(any::<u8>(), 1..5),
        "[a-b/.]{1,3}".prop_map(String::into_bytes),
    ]
}

fn overwrite(bytes: &mut [u8], start: usize, field: &[u8]) {
    if let Some(old) = bytes.get_mut(start..start + field.len()) {
        old.copy_from_slice(field);
    }
}

/// The names and contents of the files, as the `zip` crate reads them.
fn read_with_zip(bytes: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut files = Vec::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        if !file.name_raw().ends_with(b"/") {
            files.push((file.name_raw().to_vec(), content));
        }
    }
    files
}

/// If the archive is accepted, the `zip` crate must see the same.
fn compare_with_zip(bytes: &[u8]) {
    let Ok(ours) = read(bytes, &Limits::default()) else {
        return;
    };
    let mut ours: Vec<_> = ours
        .into_iter()
        .map(|(entry, content)| {
            assert_eq!(entry.size, content.len() as u64);
            (entry.name.into_bytes(), content)
        })
        .collect();
    let mut theirs = read_with_zip(bytes);
    ours.sort();
    theirs.sort();
    assert_eq!(ours, theirs);
}

#[test]
pub(super) fn good_archives_are_good() {
    for bytes in good_archives() {
        assert!(check(&bytes).is_ok());
        compare_with_zip(&bytes);
    }
}

proptest! {
    #[test]
    fn what_the_zip_crate_writes_is_accepted(members in members(), is_streamed in any::<bool>()) {
        let bytes = if is_streamed {
            let mut writer = ZipWriter::new_stream(Vec::new());
            write_members(&mut writer, &members);
            writer.finish().unwrap().into_inner()
        } else {
            let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
            write_members(&mut writer, &members);
            writer.finish().unwrap().into_inner()
        };
        let checked = check(&bytes).unwrap();
        prop_assert_eq!(checked.len(), members.len());
        for ((entry, content), member) in checked.iter().zip(&members) {
            prop_assert_eq!(&entry.name, &member.name);
            prop_assert_eq!(entry.size, member.content.len() as u64);
            prop_assert_eq!(entry.crc32, crc32fast::hash(&member.content));
            prop_assert_eq!(content, &member.content);
        }
    }

    #[test]
    fn a_damaged_archive_is_refused_or_read_by_others_in_the_same_way(
        which in 0..3_usize,
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = good_archives().swap_remove(which);
        for (position, value) in changes {
            let position = position.index(bytes.len());
            bytes[position] = value;
        }
        compare_with_zip(&bytes);
    }

    #[test]
    fn a_spliced_archive_is_refused_or_read_by_others_in_the_same_way(
        which in 0..3_usize,
        from in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
        insert in vec(any::<u8>(), 0..30),
    ) {
        let mut bytes = good_archives().swap_remove(which);
        let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
        bytes.splice(from.min(to)..from.max(to), insert);
        compare_with_zip(&bytes);
    }

    #[test]
    fn an_archive_with_other_fields_is_refused_or_read_by_others_in_the_same_way(
        which in 0..3_usize,
        changes in vec(
            (prop::sample::select(RECORDS.to_vec()), any::<prop::sample::Index>(), 4..60_usize, field()),
            1..4,
        ),
    ) {
        let mut bytes = good_archives().swap_remove(which);
        for (kind, index, offset, field) in changes {
            let starts = records(&bytes, [b'P', b'K', kind[0], kind[1]]);
            if !starts.is_empty() {
                overwrite(&mut bytes, starts[index.index(starts.len())] + offset, &field);
            }
        }
        compare_with_zip(&bytes);
    }

    /// Headers that agree in what they say are the ones that get far.
    #[test]
    fn an_archive_that_lies_consistently_is_refused_or_read_by_others_in_the_same_way(
        which in 0..3_usize,
        changes in vec((any::<prop::sample::Index>(), 6..70_usize, field()), 1..3),
    ) {
        let mut bytes = good_archives().swap_remove(which);
        for (index, offset, field) in changes {
            let local = records(&bytes, *b"PK\x03\x04");
            let central = records(&bytes, *b"PK\x01\x02");
            if local.is_empty() || local.len() != central.len() {
                break;
            }
            let index = index.index(local.len());
            overwrite(&mut bytes, local[index] + offset, &field);
            // A record of the directory has two bytes more before these fields, and fourteen more before the name.
            let shift = if offset < 30 { 2 } else { 16 };
            overwrite(&mut bytes, central[index] + offset + shift, &field);
        }
        compare_with_zip(&bytes);
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes, &Limits::default());
    }
}
