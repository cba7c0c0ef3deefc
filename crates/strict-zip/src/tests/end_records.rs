//! What the end of an archive may look like, and the limits that hold before anything else is read.

use super::builder::{Member, NAME, append_end, append_members, archive, archive_zip64, poke};
use super::{check, check_with, low_limits, rule};

fn good() -> Vec<u8> {
    archive(&[Member::deflated(NAME, b"SAMPLE")])
}

#[test]
fn other_things_are_not_zips() {
    for bytes in [
        &b""[..],
        b"PK\x03\x04",
        b"PK\x05\x06",
        b"\x1f\x8b\x08\x00 gzip, long enough for an end record",
    ] {
        assert_eq!(
            check(bytes).unwrap_err().to_string(),
            "File is not a zip file"
        );
    }
    assert_eq!(rule(&vec![0; 200_000]), "not_a_zip");
    let noise = (0..1000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes());
    let only_begins: Vec<u8> = b"PK\x03\x04".iter().copied().chain(noise).collect();
    assert_eq!(rule(&only_begins), "not_a_zip");
    for magic in [
        &b"7z\xbc\xaf\x27\x1c"[..],
        b"\x1f\x8b\x08",
        b"Rar!\x1a\x07",
        b"MSCF",
    ] {
        assert_eq!(rule(&[magic, &[0; 500]].concat()), "not_a_zip");
    }
}

#[test]
fn every_truncation_is_not_a_zip() {
    let bytes = good();
    for length in 0..bytes.len() {
        assert_eq!(rule(&bytes[..length]), "not_a_zip", "{length}");
    }
}

#[test]
fn nothing_follows_the_end_record() {
    let mut bytes = good();
    bytes.push(0);
    assert_eq!(
        check(&bytes).unwrap_err().to_string(),
        "The archive is followed by 1 more bytes; nothing may follow its end record."
    );

    let mut bytes = good();
    poke(&mut bytes, 2, &5_u16.to_le_bytes());
    bytes.extend(b"hello");
    assert_eq!(rule(&bytes), "archive_comment");
    bytes.extend(b"!");
    assert_eq!(rule(&bytes), "trailing_data");
}

#[test]
fn a_second_archive_hides_nowhere() {
    let other = archive(&[Member::stored("evil/evil.txt", b"evil")]);
    assert_eq!(
        rule(&[good(), other.clone()].concat()),
        "directory_position"
    );

    let mut in_comment = good();
    poke(
        &mut in_comment,
        2,
        &u16::try_from(other.len()).unwrap().to_le_bytes(),
    );
    in_comment.extend(&other);
    assert_eq!(rule(&in_comment), "directory_position");

    let mut with_true_offsets = good();
    let directory = append_members(
        &mut with_true_offsets,
        &[Member::stored("evil/evil.txt", b"evil")],
    );
    append_end(&mut with_true_offsets, 1, &directory);
    assert_eq!(rule(&with_true_offsets), "prepended_data");
}

#[test]
fn split_archives() {
    for from_end in [18, 16] {
        let mut bytes = good();
        poke(&mut bytes, from_end, &[1, 0]);
        assert_eq!(rule(&bytes), "split_archive");
    }
    let mut bytes = good();
    poke(&mut bytes, 14, &[0, 0]);
    assert_eq!(rule(&bytes), "split_archive");
    assert_eq!(
        rule(&archive(&[
            Member::stored(NAME, b"").central(|header| header.disk = 1)
        ])),
        "split_archive"
    );
}

#[test]
fn the_count_is_that_of_the_directory() {
    let two = [Member::stored(NAME, b""), Member::stored("a/b/b", b"")];
    for count in [0, 1, 3, 0xffff] {
        let mut bytes = archive(&two);
        poke(&mut bytes, 14, &u16::to_le_bytes(count));
        poke(&mut bytes, 12, &u16::to_le_bytes(count));
        assert_eq!(
            rule(&bytes),
            if count == 0xffff {
                "too_many_entries"
            } else {
                "entry_count"
            },
            "{count}"
        );
    }
}

#[test]
fn the_directory_ends_where_the_end_record_begins() {
    for from_end in [10, 6] {
        let mut bytes = good();
        let start = bytes.len() - from_end;
        bytes[start] -= 1;
        assert_eq!(rule(&bytes), "directory_position");
        poke(&mut bytes, from_end, &u32::MAX.to_le_bytes());
        assert_eq!(rule(&bytes), "directory_position");
    }
}

#[test]
fn the_directory_comes_last() {
    let mut members = Vec::new();
    let mut member = Member::stored(NAME, b"data");
    let directory_length =
        u32::try_from(append_members(&mut members, &[member.clone()]).len()).unwrap();
    member.offset = Some(directory_length);
    let mut members = Vec::new();
    let directory = append_members(&mut members, &[member]);
    let mut bytes = [directory.clone(), members].concat();
    append_end(&mut bytes, 1, &[]);
    poke(&mut bytes, 10, &directory_length.to_le_bytes());
    poke(&mut bytes, 6, &0_u32.to_le_bytes());
    assert_eq!(rule(&bytes), "directory_position");
}

#[test]
fn the_directory_holds_records_alone() {
    let mut bytes = Vec::new();
    let mut directory = append_members(&mut bytes, &[Member::stored(NAME, b"")]);
    let length = directory.len();
    directory.extend(b"PK\x05\x05\x02\0ab");
    append_end(&mut bytes, 2, &directory);
    let error = check(&bytes).unwrap_err();
    assert_eq!(
        error.to_string(),
        "The archive's central directory is damaged after 1 entries."
    );

    let mut bytes = Vec::new();
    append_members(&mut bytes, &[Member::stored(NAME, b"")]);
    append_end(&mut bytes, 1, &directory[..length - 1]);
    assert_eq!(rule(&bytes), "damaged_directory");
}

#[test]
fn limits_hold_before_the_directory_is_read() {
    let members: Vec<_> = (0..3)
        .map(|number| Member::stored(&format!("a/b/{number}"), b""))
        .collect();
    let error = check_with(&archive(&members), &low_limits()).unwrap_err();
    assert_eq!(
        (error.code(), error.is_too_large()),
        ("too_many_entries", true)
    );
    assert_eq!(
        error.to_string(),
        "The archive has 3 entries; 2 is the most allowed."
    );

    let mut million = archive_zip64(&members);
    for from_end in [98 - 24, 98 - 32] {
        poke(&mut million, from_end, &1_000_000_u64.to_le_bytes());
    }
    assert_eq!(rule(&million), "too_many_entries");

    let long = Member::stored(NAME, b"").central(|header| header.extra = vec![0; 300]);
    let error = check_with(&archive(&[long]), &low_limits()).unwrap_err();
    assert_eq!(
        (error.code(), error.is_too_large()),
        ("directory_too_large", true)
    );
}

#[test]
fn zip64_end_records_agree_with_everything() {
    let good = archive_zip64(&[Member::stored(NAME, b"")]);
    assert_eq!(rule(&good), "none");
    for (what, from_end, bytes, expected) in [
        (
            "another length",
            94,
            &45_u64.to_le_bytes()[..],
            "zip64_end_record",
        ),
        ("another signature", 98, b"PK\x06\x08", "zip64_end_record"),
        ("this disk", 82, &[1], "end_records_differ"),
        ("directory's disk", 78, &[1], "end_records_differ"),
        ("entries on this disk", 74, &[2], "split_archive"),
        ("size", 58, &[0], "directory_position"),
        ("offset", 50, &u64::MAX.to_le_bytes(), "directory_position"),
        ("locator's disk", 38, &[1], "split_archive"),
        ("locator's offset", 34, &[0], "zip64_end_record"),
        ("locator's number of disks", 26, &[2], "split_archive"),
        ("end record's count", 12, &[2, 0], "end_records_differ"),
        ("end record's size", 10, &[2, 0, 0, 0], "end_records_differ"),
        (
            "end record's offset",
            6,
            &[2, 0, 0, 0],
            "end_records_differ",
        ),
        ("end record's disk", 18, &[2, 0], "end_records_differ"),
    ] {
        let mut changed = good.clone();
        poke(&mut changed, from_end, bytes);
        assert_eq!(rule(&changed), expected, "{what}");
    }

    let mut on_another_disk = good;
    poke(&mut on_another_disk, 82, &[1]);
    poke(&mut on_another_disk, 18, &[0xff, 0xff]);
    assert_eq!(rule(&on_another_disk), "split_archive");
}

#[test]
fn zip64_end_records_come_together() {
    let good = archive_zip64(&[Member::stored(NAME, b"")]);
    let split = good.len() - 42;
    let without_locator = [&good[..split], &good[split + 20..]].concat();
    assert_eq!(rule(&without_locator), "directory_position");
    let with_extensible_data = [&good[..split], b"data", &good[split..]].concat();
    assert_eq!(rule(&with_extensible_data), "zip64_end_record");
    assert_eq!(rule(&good[split..]), "zip64_end_record");
}
