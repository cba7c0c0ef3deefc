//! Builds zips byte by byte, so that any field can be made to lie.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

/// The name of a good member.
pub(super) const NAME: &str = "harbour/2026-11-27/cranes at night.txt";

/// "Made by" version 2.0 on Unix, as in most zips.
const UNIX_2_0: u16 = 0x0314;

/// A regular file that everybody may read.
const REGULAR_FILE: u32 = 0o100_644 << 16;

/// The fields that a local header and a record of the central directory have, and those of the latter alone.
#[derive(Clone)]
pub(super) struct Header {
    pub(super) made_by: u16,
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) crc32: u32,
    pub(super) compressed_size: u32,
    pub(super) size: u32,
    pub(super) name: Vec<u8>,
    pub(super) extra: Vec<u8>,
    pub(super) comment: Vec<u8>,
    pub(super) disk: u16,
    pub(super) attributes: u32,
}

#[derive(Clone)]
pub(super) struct Member {
    pub(super) local: Header,
    pub(super) central: Header,
    /// The data as it stands in the archive.
    pub(super) data: Vec<u8>,
    pub(super) descriptor: Vec<u8>,
    /// Where the central directory says that the local header is, if not where it is.
    pub(super) offset: Option<u32>,
}

impl Member {
    pub(super) fn stored(name: &str, content: &[u8]) -> Self {
        Self::new(name, 0, content, content.to_vec())
    }

    pub(super) fn deflated(name: &str, content: &[u8]) -> Self {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        Self::new(name, 8, content, encoder.finish().unwrap())
    }

    /// A deflated member whose stream was made elsewhere.
    pub(super) fn of_stream(name: &str, content: &[u8], stream: Vec<u8>) -> Self {
        Self::new(name, 8, content, stream)
    }

    pub(super) fn directory(name: &str) -> Self {
        Self::stored(name, b"").central(|header| header.attributes = 0o040_755 << 16 | 0x10)
    }

    fn new(name: &str, method: u16, content: &[u8], data: Vec<u8>) -> Self {
        let header = Header {
            made_by: UNIX_2_0,
            flags: 0,
            method,
            crc32: crc32fast::hash(content),
            compressed_size: u32::try_from(data.len()).unwrap(),
            size: u32::try_from(content.len()).unwrap(),
            name: name.as_bytes().to_vec(),
            extra: Vec::new(),
            comment: Vec::new(),
            disk: 0,
            attributes: REGULAR_FILE,
        };
        Self {
            local: header.clone(),
            central: header,
            data,
            descriptor: Vec::new(),
            offset: None,
        }
    }

    /// Changes the local header.
    pub(super) fn local(mut self, change: impl FnOnce(&mut Header)) -> Self {
        change(&mut self.local);
        self
    }

    /// Changes the record of the central directory.
    pub(super) fn central(mut self, change: impl FnOnce(&mut Header)) -> Self {
        change(&mut self.central);
        self
    }

    /// Changes both in the same way.
    pub(super) fn both(self, change: impl Fn(&mut Header)) -> Self {
        self.local(&change).central(&change)
    }

    /// As a writer makes it that cannot go back: zeros in the local header, a data descriptor behind the data.
    pub(super) fn streamed(mut self, with_signature: bool, wide: bool) -> Self {
        self = self.both(|header| header.flags |= 1 << 3);
        let Header {
            crc32,
            compressed_size,
            size,
            ..
        } = self.central;
        (
            self.local.crc32,
            self.local.compressed_size,
            self.local.size,
        ) = (0, 0, 0);
        if with_signature {
            self.descriptor.extend(b"PK\x07\x08");
        }
        self.descriptor.extend(crc32.to_le_bytes());
        for size in [compressed_size, size] {
            if wide {
                self.descriptor.extend(u64::from(size).to_le_bytes());
            } else {
                self.descriptor.extend(size.to_le_bytes());
            }
        }
        self
    }
}

/// The extra field of one id.
pub(super) fn extra(id: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = id.to_le_bytes().to_vec();
    bytes.extend(u16::try_from(data.len()).unwrap().to_le_bytes());
    bytes.extend(data);
    bytes
}

/// The zip64 extra field with these numbers.
pub(super) fn zip64(numbers: &[u64]) -> Vec<u8> {
    let data: Vec<u8> = numbers
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    extra(1, &data)
}

/// The archive: members, central directory, end record.
pub(super) fn archive(members: &[Member]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let directory = append_members(&mut bytes, members);
    append_end(&mut bytes, members.len(), &directory);
    bytes
}

/// The same with zip64 end records, and "see there" in the end record.
pub(super) fn archive_zip64(members: &[Member]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let directory = append_members(&mut bytes, members);
    let offset = bytes.len() as u64;
    bytes.extend(&directory);
    let end_offset = bytes.len() as u64;
    bytes.extend(b"PK\x06\x06");
    bytes.extend(44_u64.to_le_bytes());
    bytes.extend([45, 3, 45, 0]);
    bytes.extend([0; 8]);
    for number in [
        members.len() as u64,
        members.len() as u64,
        directory.len() as u64,
        offset,
    ] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(b"PK\x06\x07\0\0\0\0");
    bytes.extend(end_offset.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([0xff; 12]);
    bytes.extend([0; 2]);
    bytes
}

/// Appends local headers and data; returns the central directory.
pub(super) fn append_members(bytes: &mut Vec<u8>, members: &[Member]) -> Vec<u8> {
    let mut directory = Vec::new();
    for member in members {
        let offset = member.offset.unwrap_or(u32::try_from(bytes.len()).unwrap());
        bytes.extend(b"PK\x03\x04\x14\0");
        append_common(bytes, &member.local);
        bytes.extend(&member.local.name);
        bytes.extend(&member.local.extra);
        bytes.extend(&member.data);
        bytes.extend(&member.descriptor);

        let header = &member.central;
        directory.extend(b"PK\x01\x02");
        directory.extend(header.made_by.to_le_bytes());
        directory.extend([20, 0]);
        append_common(&mut directory, header);
        directory.extend(u16::try_from(header.comment.len()).unwrap().to_le_bytes());
        directory.extend(header.disk.to_le_bytes());
        directory.extend([0; 2]);
        directory.extend(header.attributes.to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(&header.name);
        directory.extend(&header.extra);
        directory.extend(&header.comment);
    }
    directory
}

/// Appends the directory and an end record.
pub(super) fn append_end(bytes: &mut Vec<u8>, entries: usize, directory: &[u8]) {
    let offset = u32::try_from(bytes.len()).unwrap();
    let entries = u16::try_from(entries).unwrap().to_le_bytes();
    bytes.extend(directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend(entries);
    bytes.extend(entries);
    bytes.extend(u32::try_from(directory.len()).unwrap().to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes.extend([0; 2]);
}

fn append_common(bytes: &mut Vec<u8>, header: &Header) {
    bytes.extend(header.flags.to_le_bytes());
    bytes.extend(header.method.to_le_bytes());
    bytes.extend([0, 0, 0x21, 0x50]);
    for number in [header.crc32, header.compressed_size, header.size] {
        bytes.extend(number.to_le_bytes());
    }
    for length in [header.name.len(), header.extra.len()] {
        bytes.extend(u16::try_from(length).unwrap().to_le_bytes());
    }
}

/// Overwrites bytes that are counted from the end, as those of the end records are.
pub(super) fn poke(bytes: &mut [u8], from_end: usize, replacement: &[u8]) {
    let start = bytes.len() - from_end;
    bytes[start..start + replacement.len()].copy_from_slice(replacement);
}
