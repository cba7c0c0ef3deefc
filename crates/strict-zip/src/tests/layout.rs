//! Where members may lie, and what their local headers may say.

use super::builder::{Header, Member, NAME, append_end, append_members, archive, zip64};
use super::{check, rule};

fn two() -> [Member; 2] {
    [
        Member::deflated(NAME, b"SAMPLE"),
        Member::stored("a/b/b", b"data"),
    ]
}

#[test]
fn local_headers_say_the_same() {
    let change = |field: &str, header: &mut Header| match field {
        "name" => header.name = b"harbour/other.txt".to_vec(),
        "flags" => header.flags = 1 << 11,
        "compression method" => header.method = 0,
        "CRC-32" => header.crc32 ^= 1,
        "compressed size" => header.compressed_size += 1,
        _ => header.size = 0,
    };
    for field in [
        "name",
        "flags",
        "compression method",
        "CRC-32",
        "compressed size",
        "size",
    ] {
        let [first, second] = two();
        let error = check(&archive(&[
            first.local(|header| change(field, header)),
            second,
        ]))
        .unwrap_err();
        assert_eq!(error.code(), "local_header_differs");
        let expected = format!(
            "The local header and the central directory differ in the {field} of the member {NAME:?}."
        );
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn streamed_local_headers_say_the_same_or_zero() {
    let streamed = Member::deflated(NAME, b"SAMPLE").streamed(true, false);
    let central = streamed.central.clone();
    let repeated = streamed.clone().local(|header| {
        (header.crc32, header.compressed_size, header.size) =
            (central.crc32, central.compressed_size, central.size);
    });
    assert_eq!(rule(&archive(&[repeated])), "none");
    let other = streamed.clone().local(|header| header.size = 1);
    assert_eq!(rule(&archive(&[other])), "local_header_differs");

    let size = u64::from(central.size);
    for (numbers, expected) in [
        (&[0, 0][..], "none"),
        (&[size, 0], "none"),
        (&[size + 1, 0], "local_header_differs"),
        (&[0], "zip64_extra_field"),
    ] {
        let announced = streamed
            .clone()
            .local(|header| header.extra = zip64(numbers));
        assert_eq!(rule(&archive(&[announced])), expected, "{numbers:?}");
    }
}

#[test]
fn local_zip64_fields_have_both_sizes() {
    let with = |compressed_size, size, numbers: &[u64]| {
        let member = Member::stored(NAME, b"SAMPLE").local(|header| {
            (header.compressed_size, header.size) = (compressed_size, size);
            header.extra = zip64(numbers);
        });
        rule(&archive(&[member]))
    };
    assert_eq!(with(u32::MAX, u32::MAX, &[6, 6]), "none");
    assert_eq!(with(u32::MAX, u32::MAX, &[6, 7]), "local_header_differs");
    assert_eq!(with(u32::MAX, 6, &[6]), "zip64_extra_field");
    assert_eq!(with(u32::MAX, 6, &[6, 6]), "zip64_extra_field");
    assert_eq!(with(u32::MAX, u32::MAX, &[6, 6, 0]), "zip64_extra_field");
    assert_eq!(with(6, 6, &[6, 6]), "zip64_extra_field");
}

#[test]
fn the_first_member_is_at_byte_0() {
    let mut bytes = b"#!/bin/sh\n".to_vec();
    let directory = append_members(&mut bytes, &two());
    append_end(&mut bytes, 2, &directory);
    assert_eq!(
        check(&bytes).unwrap_err().to_string(),
        "The archive starts with 10 bytes that belong to no member."
    );

    let with_false_offsets = [b"#!/bin/sh\n".to_vec(), archive(&two())].concat();
    assert_eq!(rule(&with_false_offsets), "directory_position");

    let mut without_members = b"bytes".to_vec();
    append_end(&mut without_members, 0, &[]);
    assert_eq!(rule(&without_members), "prepended_data");
}

#[test]
fn members_leave_no_gap() {
    for gap in [1, 4, 16] {
        let [mut first, second] = two();
        first.descriptor = vec![0; gap];
        assert_eq!(
            rule(&archive(&[first.clone(), second.clone()])),
            "unexplained_bytes"
        );
        assert_eq!(rule(&archive(&[second, first])), "unexplained_bytes");
    }
}

#[test]
fn a_member_that_the_directory_does_not_list_is_a_gap() {
    let mut bytes = Vec::new();
    let first = append_members(&mut bytes, &[Member::stored(NAME, b"listed")]);
    append_members(&mut bytes, &[Member::stored("a/b/b", b"hidden")]);
    append_end(&mut bytes, 1, &first);
    assert_eq!(rule(&bytes), "unexplained_bytes");
}

#[test]
fn local_headers_are_where_the_directory_says() {
    let [mut first, mut second] = two();
    second.offset = Some(1_000_000);
    assert_eq!(rule(&archive(&[first.clone(), second])), "no_local_header");
    first.offset = Some(1);
    assert_eq!(rule(&archive(&[first])), "prepended_data");
    let mut bytes = archive(&two());
    bytes[0] = b'Q';
    assert_eq!(rule(&bytes), "no_local_header");
}

#[test]
fn two_members_share_nothing() {
    let kernel = Member::deflated("a/b/kernel", &vec![0; 100_000]);
    let mut other = kernel
        .clone()
        .both(|header| header.name = b"a/b/second".to_vec());
    other.offset = Some(0);
    let mut bytes = Vec::new();
    let mut directory = append_members(&mut bytes, std::slice::from_ref(&kernel));
    directory.extend(append_members(&mut Vec::new(), &[other]));
    append_end(&mut bytes, 2, &directory);
    assert_eq!(rule(&bytes), "overlapping_entries");
}

/// Each member's deflate stream starts with a stored block that quotes the local header of the next, and goes on to
/// the end of the kernel (Fifield, "A better zip bomb").
#[test]
fn members_do_not_quote_each_other() {
    const MEMBERS: usize = 5;
    let kernel = Member::deflated("a/b/kernel", &vec![0; 100_000]);
    let mut bytes = Vec::new();
    append_members(&mut bytes, std::slice::from_ref(&kernel));
    let mut records = vec![kernel];
    for number in 1..MEMBERS {
        let quoted = u16::try_from(30 + records[number - 1].local.name.len()).unwrap();
        let block = [&[0][..], &quoted.to_le_bytes(), &(!quoted).to_le_bytes()].concat();
        let member = Member::stored(&format!("a/b/{number}"), b"").both(|header| {
            header.method = 8;
            header.size = 100_000;
            header.compressed_size = u32::try_from(block.len() + bytes.len()).unwrap();
        });
        let mut header = Vec::new();
        append_members(&mut header, std::slice::from_ref(&member));
        bytes = [header, block, bytes].concat();
        records.push(member);
    }
    let mut offset = 0;
    for record in records.iter_mut().rev() {
        record.offset = Some(offset);
        offset += 30 + u32::try_from(record.local.name.len()).unwrap() + 5;
    }
    let directory = append_members(&mut Vec::new(), &records);
    append_end(&mut bytes, MEMBERS, &directory);
    assert_eq!(rule(&bytes), "overlapping_entries");
}

#[test]
fn members_end_before_the_next_one_and_before_the_directory() {
    for (index, expected) in [(0, NAME), (1, "a/b/b")] {
        let mut members = two();
        members[index] = members[index].clone().both(|header| {
            header.compressed_size += 1;
            header.size += 1;
        });
        let error = check(&archive(&members)).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("The member {expected:?} overlaps with what follows it.")
        );
    }
    let long_extra = |header: &mut Header| header.extra = vec![0; 20];
    let mut bytes = archive(&two().map(|member| member.local(long_extra)));
    bytes[28] = 0xff;
    bytes[29] = 0xff;
    assert_eq!(rule(&bytes), "overlapping_entries");
}

#[test]
fn data_descriptors_agree() {
    for (with_signature, wide) in [(false, false), (true, false), (false, true), (true, true)] {
        let good = Member::deflated(NAME, b"SAMPLE").streamed(with_signature, wide);
        let second = Member::stored("a/b/b", b"data").streamed(with_signature, wide);
        assert_eq!(rule(&archive(&[good.clone(), second])), "none");
        for position in 0..good.descriptor.len() {
            let mut bad = good.clone();
            bad.descriptor[position] ^= 1;
            assert_eq!(rule(&archive(&[bad])), "data_descriptor", "{position}");
        }
        for length in [0, 1, 4, 11, 13, 25, 300] {
            let mut bad = good.clone();
            bad.descriptor.resize(length, 0);
            assert_eq!(rule(&archive(&[bad])), "data_descriptor", "{length}");
        }
    }
}
