//! How little is read and computed before an archive is refused.

use std::cell::Cell;
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::builder::{Member, NAME, append_end, append_members, archive, archive_zip64, poke};
use super::{
    Error, Limits, PlainPaths, broken_rule, check, check_with, inspect, rule, verify_alone,
};
use crate::ReadAt;

/// An archive that counts how many bytes of it are read.
struct Counted<'a> {
    bytes: &'a [u8],
    read: Cell<usize>,
}

impl<'a> Counted<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        let read = Cell::new(0);
        Self { bytes, read }
    }
}

impl ReadAt for Counted<'_> {
    fn size(&self) -> io::Result<u64> {
        self.bytes.size()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read.set(self.read.get() + buffer.len());
        self.bytes.read_exact_at(buffer, offset)
    }
}

/// A stored block that says whether it is the last (RFC 1951, 3.2.4).
fn stored_block(is_last: bool, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let header = [u8::from(is_last)];
    let (length, complement) = (length.to_le_bytes(), (!length).to_le_bytes());
    [&header[..], &length, &complement, content].concat()
}

/// A member of this content, behind so many blocks of nothing.
fn behind_empty_blocks(content: &[u8], blocks: usize) -> Member {
    let mut stream = stored_block(false, b"").repeat(blocks);
    stream.extend(stored_block(true, content));
    Member::of_stream(NAME, content, stream)
}

#[test]
fn streams_of_tiny_blocks_are_refused() {
    // 101 blocks are 518 bytes with the content, which allow one block more than the hundred that are free.
    assert_eq!(rule(&archive(&[behind_empty_blocks(b"data", 101)])), "none");
    let error = check(&archive(&[behind_empty_blocks(b"data", 102)])).unwrap_err();
    assert_eq!(
        (error.code(), error.is_too_large()),
        ("too_many_blocks", false)
    );
    let expected = format!(
        "The compressed data of the member {NAME:?} has more than 101 blocks, too many for its size; compress it \
         without flushing in between."
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn the_limit_on_blocks_is_a_setting() {
    let bytes = archive(&[behind_empty_blocks(b"data", 102)]);
    for (bytes_per_block, is_good) in [(0, true), (5, true), (512, false), (u64::MAX, false)] {
        let limits = Limits {
            bytes_per_block,
            ..Limits::default()
        };
        assert_eq!(check_with(&bytes, &limits).is_ok(), is_good);
    }
}

#[test]
fn a_stream_of_tiny_blocks_is_not_read_to_its_end() {
    let bytes = archive(&[behind_empty_blocks(b"data", 1_000_000)]);
    let limits = Limits::default();
    let entry = &inspect(&bytes[..], &limits, &PlainPaths).unwrap()[0];
    let counted = Counted::of(&bytes);
    let error = verify_alone(&counted, entry, &limits).unwrap_err();
    assert_eq!(error.code(), "too_many_blocks");
    assert!(counted.read.get() < 200_000, "{}", counted.read.get());
}

/// Compressors leave a wide margin: at every level their blocks stand for eight times the bytes that they must.
#[test]
fn compressors_make_large_blocks() {
    let words = [
        "FUNC",
        "PUBLIC",
        "STACK CFI",
        "1c40",
        "mozilla::",
        "0",
        "\n",
        "crane",
    ];
    let text: String = (0..300_000_u32)
        .map(|number| words[number.wrapping_mul(2_654_435_761) as usize >> 29])
        .collect();
    let limits = Limits {
        bytes_per_block: 8 * Limits::default().bytes_per_block,
        ..Limits::default()
    };
    for level in 0..=9 {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(level));
        encoder.write_all(text.as_bytes()).unwrap();
        let member = Member::of_stream(NAME, text.as_bytes(), encoder.finish().unwrap());
        assert!(check_with(&archive(&[member]), &limits).is_ok(), "{level}");
    }
}

#[test]
fn a_member_larger_than_declared_is_cut_off() {
    let noise: Vec<u8> = (0..500_000_u32)
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes())
        .collect();
    let bytes = archive(&[Member::deflated(NAME, &noise).both(|header| header.size = 1000)]);
    let limits = Limits::default();
    let entry = &inspect(&bytes[..], &limits, &PlainPaths).unwrap()[0];
    let counted = Counted::of(&bytes);
    let error = verify_alone(&counted, entry, &limits).unwrap_err();
    assert_eq!(error.code(), "size_mismatch");
    assert!(counted.read.get() < 200_000, "{}", counted.read.get());
}

#[test]
fn bombs_are_refused_by_their_headers() {
    let kernel = Member::deflated("a/b/kernel", &vec![0; 1_000_000]);
    let mut second = kernel
        .clone()
        .both(|header| header.name = b"a/b/second".to_vec());
    second.offset = Some(0);
    let mut overlapping = Vec::new();
    let mut directory = append_members(&mut overlapping, std::slice::from_ref(&kernel));
    directory.extend(append_members(&mut Vec::new(), &[second]));
    append_end(&mut overlapping, 2, &directory);

    let mut million = archive_zip64(&vec![Member::stored(NAME, b""); 5]);
    for from_end in [98 - 24, 98 - 32] {
        poke(&mut million, from_end, &1_000_000_u64.to_le_bytes());
    }
    let too_good = vec![0; 65 << 20];
    let ratio = archive(&[Member::deflated(NAME, &too_good)]);
    let large_extra = |header: &mut super::builder::Header| header.extra = vec![0; 60_000];
    let wide = archive(&vec![Member::stored(NAME, b"").central(large_extra); 300]);

    for (bytes, expected, most_read) in [
        (overlapping, "overlapping_entries", 500),
        (million, "too_many_entries", 98),
        (ratio, "compression_ratio", 300),
        (wide, "directory_too_large", 98),
    ] {
        let counted = Counted::of(&bytes);
        let error = inspect(&counted, &Limits::default(), &PlainPaths).unwrap_err();
        let error = broken_rule(error);
        assert_eq!(error.code(), expected);
        assert!(
            counted.read.get() <= most_read,
            "{expected}: {}",
            counted.read.get()
        );
    }
}

#[test]
fn a_failing_disk_is_not_the_archives_fault() {
    let bytes = archive(&[Member::stored(NAME, b"data")]);
    let limits = Limits::default();
    let entry = &inspect(&bytes[..], &limits, &PlainPaths).unwrap()[0];
    let error = verify_alone(&bytes[..10], entry, &limits).unwrap_err();
    assert!(matches!(error, Error::Read(_)));
}
