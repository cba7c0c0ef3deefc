//! What each record of the central directory may say.

use super::builder::{Header, Member, NAME, archive, extra, zip64};
use super::{Limits, check, check_with, low_limits, rule};

fn rule_with(change: impl Fn(&mut Header)) -> &'static str {
    rule(&archive(&[Member::deflated(NAME, b"SAMPLE").both(change)]))
}

#[test]
fn flags() {
    for (bit, expected) in [
        (0, "encrypted"),
        (1, "none"),
        (2, "none"),
        (4, "unknown_flags"),
        (5, "patched_data"),
        (6, "encrypted"),
        (7, "unknown_flags"),
        (11, "none"),
        (12, "unknown_flags"),
        (13, "encrypted"),
        (15, "unknown_flags"),
    ] {
        assert_eq!(
            rule_with(|header| header.flags = 1 << bit),
            expected,
            "{bit}"
        );
    }
}

#[test]
fn methods() {
    for method in [1, 9, 12, 14, 93, 95, 99] {
        assert_eq!(
            rule_with(|header| header.method = method),
            "unsupported_compression",
            "{method}"
        );
    }
    let error = check(&archive(&[
        Member::stored(NAME, b"x").both(|header| header.method = 12)
    ]))
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "The member {NAME:?} is compressed with method 12; only 0 (stored) and 8 (deflated) are supported."
        )
    );
}

#[test]
fn stored_members_have_one_size() {
    let member = Member::stored(NAME, b"data").both(|header| header.size = 3);
    assert_eq!(rule(&archive(&[member])), "stored_size");
}

#[test]
fn comments() {
    assert_eq!(
        rule_with(|header| header.comment = b"c".to_vec()),
        "member_comment"
    );
}

#[test]
fn unix_modes() {
    for (mode, expected) in [
        (0o120_777, "not_a_regular_file"),
        (0o010_644, "not_a_regular_file"),
        (0o020_644, "not_a_regular_file"),
        (0o060_644, "not_a_regular_file"),
        (0o140_644, "not_a_regular_file"),
        (0o040_755, "directory_attribute"),
        (0o104_755, "special_mode"),
        (0o102_755, "special_mode"),
        (0o101_644, "special_mode"),
        (0o004_755, "special_mode"),
        (0o000_600, "none"),
        (0, "none"),
    ] {
        assert_eq!(
            rule_with(|header| header.attributes = mode << 16),
            expected,
            "{mode:o}"
        );
    }
    let on_mac =
        |header: &mut Header| (header.made_by, header.attributes) = (19 << 8, 0o120_777 << 16);
    assert_eq!(rule_with(on_mac), "not_a_regular_file");
    for mode in [0o120_777, 0o104_755] {
        let on_dos = |header: &mut Header| (header.made_by, header.attributes) = (20, mode << 16);
        assert_eq!(rule_with(on_dos), "none");
    }
}

#[test]
fn directories_may_hand_down_their_group() {
    for mode in [0o042_775, 0o041_777] {
        let directory = Member::directory("a/").central(|header| header.attributes = mode << 16);
        assert_eq!(rule(&archive(&[directory])), "none", "{mode:o}");
    }
}

#[test]
fn directories() {
    assert_eq!(
        rule_with(|header| header.attributes = 0x10),
        "directory_attribute"
    );
    let file_mode = Member::directory("a/").central(|header| header.attributes = 0o100_644 << 16);
    assert_eq!(rule(&archive(&[file_mode])), "directory_attribute");
    let with_data = Member::stored("a/", b"data").central(|header| header.attributes = 0);
    assert_eq!(rule(&archive(&[with_data])), "directory_with_data");
    let hidden =
        Member::deflated("a/", b"data").both(|header| (header.size, header.attributes) = (0, 0));
    assert_eq!(rule(&archive(&[hidden])), "directory_with_data");
    let with_crc = Member::directory("a/").both(|header| header.crc32 = 1);
    assert_eq!(rule(&archive(&[with_crc])), "directory_with_data");
    for (stream, expected) in [
        (&[3, 0][..], "none"),
        (&[3, 1], "directory_with_data"),
        (&[], "directory_with_data"),
        (&[1, 0, 0, 0xff, 0xff], "directory_with_data"),
    ] {
        let deflated =
            Member::of_stream("a/", b"", stream.to_vec()).central(|header| header.attributes = 0);
        assert_eq!(rule(&archive(&[deflated])), expected, "{stream:?}");
    }
    for name in ["/", "../", "a/../b/", "a//b/", "././", "a\\b/"] {
        assert_eq!(
            rule(&archive(&[Member::directory(name)])),
            "not_a_plain_path",
            "{name}"
        );
    }
}

#[test]
fn extra_fields() {
    for (field, expected) in [
        (extra(0x5455, &[1; 5]), "none"),
        (extra(0x7075, b"\x01\0\0\0\0evil/evil.txt"), "unicode_path"),
        (extra(0x9901, &[2, 0, b'A', b'E', 3, 8, 0]), "encrypted"),
        (extra(0x0017, &[0; 8]), "encrypted"),
        (
            [extra(0x5455, &[]), vec![1, 2, 9, 0]].concat(),
            "damaged_extra_field",
        ),
        (vec![0; 3], "none"),
        ([extra(0x5455, &[1; 5]), vec![0]].concat(), "none"),
        (
            [extra(0x5455, &[1; 5]), vec![0, 7]].concat(),
            "damaged_extra_field",
        ),
        (vec![1, 0, 0], "damaged_extra_field"),
        (zip64(&[6]), "zip64_extra_field"),
        (zip64(&[]), "zip64_extra_field"),
        ([zip64(&[6]), zip64(&[6])].concat(), "zip64_extra_field"),
    ] {
        let member = Member::stored(NAME, b"SAMPLE");
        let in_directory = member
            .clone()
            .central(|header| header.extra.clone_from(&field));
        let in_local_header = member.local(|header| header.extra.clone_from(&field));
        assert_eq!(rule(&archive(&[in_directory])), expected, "{field:?}");
        assert_eq!(rule(&archive(&[in_local_header])), expected, "{field:?}");
    }
}

#[test]
fn a_unicode_path_field_says_what_the_header_says_or_is_refused() {
    let name = "钟楼/AB/钟楼.txt";
    let field = |version: u8, named: &str, checked: &str| {
        let crc32 = crc32fast::hash(checked.as_bytes()).to_le_bytes();
        extra(0x7075, &[&[version], &crc32[..], named.as_bytes()].concat())
    };
    let good = field(1, name, name);
    for (fields, expected) in [
        (good.clone(), "none"),
        ([good.clone(), good.clone(), vec![0; 2]].concat(), "none"),
        (field(1, "钟楼/AB/evil.txt", name), "unicode_path"),
        (field(1, "", name), "unicode_path"),
        // Readers that find another CRC-32 take the field for one of an older name, and ignore it.
        (field(1, name, "older.txt"), "unicode_path"),
        (field(2, name, name), "unicode_path"),
        (field(0, name, name), "unicode_path"),
        (extra(0x7075, &[1]), "unicode_path"),
        (extra(0x7075, &[]), "unicode_path"),
        (
            [good.clone(), field(1, "evil.txt", name)].concat(),
            "unicode_path",
        ),
    ] {
        let member = Member::stored(name, b"SAMPLE").both(|header| header.flags = 1 << 11);
        let in_directory = member
            .clone()
            .central(|header| header.extra = fields.clone());
        let in_local_header = member.clone().local(|header| header.extra = fields.clone());
        let in_both = member.both(|header| header.extra = fields.clone());
        for member in [in_directory, in_local_header, in_both] {
            assert_eq!(rule(&archive(&[member])), expected, "{fields:?}");
        }
    }
    let of_another = Member::stored(NAME, b"SAMPLE").both(|header| header.extra = good.clone());
    assert_eq!(rule(&archive(&[of_another])), "unicode_path");
}

#[test]
fn zip64_extra_fields_fit_the_record() {
    let with = |compressed_size, size, numbers: &[u64]| {
        let member = Member::stored(NAME, b"SAMPLE").central(|header| {
            (header.compressed_size, header.size) = (compressed_size, size);
            header.extra = zip64(numbers);
        });
        rule(&archive(&[member]))
    };
    assert_eq!(with(u32::MAX, u32::MAX, &[6, 6]), "none");
    assert_eq!(with(u32::MAX, 6, &[6]), "none");
    assert_eq!(with(u32::MAX, u32::MAX, &[6]), "zip64_extra_field");
    assert_eq!(with(u32::MAX, u32::MAX, &[6, 6, 0]), "zip64_extra_field");
    assert_eq!(
        with(u32::MAX, u32::MAX, &[u64::MAX, u64::MAX]),
        "entry_too_large"
    );
    let missing = Member::stored(NAME, b"SAMPLE").central(|header| header.size = u32::MAX);
    assert_eq!(rule(&archive(&[missing])), "zip64_extra_field");
    let doubled = Member::stored(NAME, b"SAMPLE").central(|header| {
        header.size = u32::MAX;
        header.extra = [zip64(&[6]), zip64(&[6])].concat();
    });
    assert_eq!(rule(&archive(&[doubled])), "zip64_extra_field");

    let mut with_offset =
        Member::stored(NAME, b"SAMPLE").central(|header| header.extra = zip64(&[0]));
    with_offset.offset = Some(u32::MAX);
    assert_eq!(rule(&archive(&[with_offset.clone()])), "none");
    let far = with_offset.central(|header| header.extra = zip64(&[u64::MAX]));
    assert_eq!(rule(&archive(&[far])), "prepended_data");
}

#[test]
fn sizes() {
    let error_of = |members: &[Member]| check_with(&archive(members), &low_limits()).unwrap_err();
    let noise: Vec<u8> = (0..1001_u32)
        .map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()[3])
        .collect();

    let error = error_of(&[Member::stored(NAME, &noise)]);
    assert_eq!(
        (error.code(), error.is_too_large()),
        ("entry_too_large", true)
    );
    let expected =
        format!("The member {NAME:?} takes 1001 bytes uncompressed; 1000 B is the most allowed.");
    assert_eq!(error.to_string(), expected);

    let error = error_of(&[
        Member::stored(NAME, &noise[..800]),
        Member::stored("a/b/b", &noise[..800]),
    ]);
    assert_eq!(
        (error.code(), error.is_too_large()),
        ("archive_too_large", true)
    );

    let error = error_of(&[Member::deflated(NAME, &[0; 900])]);
    assert_eq!(
        (error.code(), error.is_too_large()),
        ("compression_ratio", false)
    );
    assert!(
        check_with(
            &archive(&[Member::deflated(NAME, &[0; 500])]),
            &low_limits()
        )
        .is_ok()
    );
}

#[test]
fn declared_sizes_do_not_overflow() {
    let huge = |name: &str| {
        Member::deflated(name, b"").central(|header| {
            header.size = u32::MAX;
            header.extra = zip64(&[u64::MAX]);
        })
    };
    let limits = Limits {
        member_size: u64::MAX,
        ..Limits::default()
    };
    let error = check_with(&archive(&[huge("a/b/a"), huge("a/b/b")]), &limits).unwrap_err();
    assert_eq!(error.code(), "archive_too_large");
}
