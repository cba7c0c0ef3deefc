//! What each record of the central directory may say.

use bytesize::ByteSize;

use super::builder::{Header, KEY, Member, archive, extra, zip64};
use super::{ArchiveLimits, check, check_with, low_limits, rule};

fn rule_with(change: impl Fn(&mut Header)) -> &'static str {
    rule(&archive(&[Member::deflated(KEY, b"MODULE").both(change)]))
}

fn rule_of_name(name: &str) -> &'static str {
    rule(&archive(&[Member::stored(name, b"")]))
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
        Member::stored(KEY, b"x").both(|header| header.method = 12)
    ]))
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "The member {KEY:?} is compressed with method 12; only 0 (stored) and 8 (deflated) are supported."
        )
    );
}

#[test]
fn stored_members_have_one_size() {
    let member = Member::stored(KEY, b"data").both(|header| header.size = 3);
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
    for name in ["/", "../", "a/../b/", "a//b/", "./", "a\\b/", "a/\u{202e}/"] {
        assert_eq!(
            rule(&archive(&[Member::directory(name)])),
            "bad_name",
            "{name}"
        );
    }
}

#[test]
fn extra_fields() {
    for (field, expected) in [
        (extra(0x5455, &[1; 5]), "none"),
        (
            extra(0x7075, b"\x01\0\0\0\0evil/AB/evil.sym"),
            "unicode_path",
        ),
        (extra(0x9901, &[2, 0, b'A', b'E', 3, 8, 0]), "encrypted"),
        (extra(0x0017, &[0; 8]), "encrypted"),
        (vec![0; 3], "damaged_extra_field"),
        (
            [extra(0x5455, &[]), vec![1, 2, 9, 0]].concat(),
            "damaged_extra_field",
        ),
        (zip64(&[6]), "zip64_extra_field"),
        (zip64(&[]), "zip64_extra_field"),
        ([zip64(&[6]), zip64(&[6])].concat(), "zip64_extra_field"),
    ] {
        let member = Member::stored(KEY, b"MODULE");
        let in_directory = member
            .clone()
            .central(|header| header.extra.clone_from(&field));
        let in_local_header = member.local(|header| header.extra.clone_from(&field));
        assert_eq!(rule(&archive(&[in_directory])), expected, "{field:?}");
        assert_eq!(rule(&archive(&[in_local_header])), expected, "{field:?}");
    }
}

#[test]
fn zip64_extra_fields_fit_the_record() {
    let with = |compressed_size, size, numbers: &[u64]| {
        let member = Member::stored(KEY, b"MODULE").central(|header| {
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
    let missing = Member::stored(KEY, b"MODULE").central(|header| header.size = u32::MAX);
    assert_eq!(rule(&archive(&[missing])), "zip64_extra_field");
    let doubled = Member::stored(KEY, b"MODULE").central(|header| {
        header.size = u32::MAX;
        header.extra = [zip64(&[6]), zip64(&[6])].concat();
    });
    assert_eq!(rule(&archive(&[doubled])), "zip64_extra_field");

    let mut with_offset =
        Member::stored(KEY, b"MODULE").central(|header| header.extra = zip64(&[0]));
    with_offset.offset = Some(u32::MAX);
    assert_eq!(rule(&archive(&[with_offset.clone()])), "none");
    let far = with_offset.central(|header| header.extra = zip64(&[u64::MAX]));
    assert_eq!(rule(&archive(&[far])), "prepended_data");
}

#[test]
fn names() {
    for name in [
        "xul.sym",
        "/xul.pdb/AB/xul.sym",
        "a/xul.pdb/AB/xul.sym",
        "xul.pdb/xyz/xul.sym",
        "xul.pdb\\AB\\xul.sym",
        "xul.pdb//xul.sym",
        "",
        "a/x-symbols.txt",
        ".DS_Store/AB",
    ] {
        assert_eq!(rule_of_name(name), "unrecognized_pattern", "{name}");
    }
    for name in [
        "../AB/x.sym",
        "./AB/x.sym",
        "x.pdb/AB/..",
        "x.pdb/AB/..\\x.sym",
        "x\0.pdb/AB/x.sym",
        "x.pdb/AB/x\n.sym",
        "x.pdb/AB/x\x7f.sym",
        "x.pdb/AB/\u{202e}mys.x",
        "x.pdb/AB/x\u{2028}.sym",
        " x.pdb/AB/x.sym",
        "x.pdb/AB/x<.sym",
        "a/../.DS_Store",
        "a\x1b-symbols.txt",
    ] {
        assert_eq!(rule_of_name(name), "bad_name", "{name:?}");
    }
    assert_eq!(
        rule_of_name(&format!("x.pdb/AB/{}", "x".repeat(201))),
        "bad_name"
    );
    assert_eq!(rule_of_name(&"x".repeat(513)), "name_too_long");
}

#[test]
fn names_that_only_windows_minds() {
    for name in [
        "CON/AB/NUL",
        "C:/AB/C:x.sym",
        "x.pdb/AB/x.sym.",
        "x?.pdb/AB/*",
    ] {
        assert_eq!(rule_of_name(name), "none", "{name}");
    }
}

#[test]
fn the_sentences_name_the_member() {
    let sentence = |name: &str| {
        check(&archive(&[Member::stored(name, b"")]))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        sentence("foo.txt"),
        "Unrecognized file pattern. Should only be <module>/<hex>/<file> or <name>-symbols.txt and nothing else. \
         (First unrecognized pattern was foo.txt)"
    );
    assert!(sentence("\x1b[2J").ends_with("(First unrecognized pattern was \u{fffd}[2J)"));
    assert_eq!(
        sentence("x.pdb/AB/<x>.sym"),
        "The member \"x.pdb/AB/<x>.sym\" has a part in its name that contains the character U+003C, which is not allowed."
    );
}

#[test]
fn names_are_utf8_whatever_the_flag_says() {
    for flags in [0, 1 << 11] {
        let latin1 = |header: &mut Header| {
            (header.name, header.flags) = (b"x.pdb/AB/\xff.sym".to_vec(), flags);
        };
        assert_eq!(rule_with(latin1), "name_not_utf8");
        let chinese =
            |header: &mut Header| (header.name, header.flags) = ("汉.pdb/AB/汉.sym".into(), flags);
        assert_eq!(rule_with(chinese), "none");
    }
}

#[test]
fn snippets() {
    let bytes = archive(&[Member::stored("a/qcom/proprietary/b.sym", b"")]);
    let error = check(&bytes).unwrap_err();
    assert_eq!(error.code(), "disallowed_snippet");
    assert_eq!(
        error.to_string(),
        "Content of archive file contains the snippet 'qcom/proprietary' which is not allowed"
    );
    let limits = ArchiveLimits {
        disallowed_snippets: vec!["xul".to_owned()],
        ..ArchiveLimits::default()
    };
    let error = check_with(&archive(&[Member::stored(KEY, b"")]), &limits).unwrap_err();
    assert_eq!(error.code(), "disallowed_snippet");
}

#[test]
fn duplicates() {
    for (first, second, expected) in [
        (KEY, KEY, "duplicate_member"),
        ("a/ab/c", "a/AB/c", "duplicate_member"),
        ("a-symbols.txt", "a-symbols.txt", "duplicate_member"),
        ("a/AB/\u{e5}", "a/AB/a\u{30a}", "bad_name"),
        ("a/AB/\u{1e69}", "a/AB/s\u{323}\u{307}", "duplicate_member"),
        (
            "\u{d55c}/AB/c",
            "\u{1112}\u{1161}\u{11ab}/AB/c",
            "duplicate_member",
        ),
        ("a/AB/c", "a/AB/c..", "duplicate_member"),
        ("a./AB/c", "a/ab/c", "duplicate_member"),
        ("a/AB/c", "a/AB/c.d", "none"),
        ("a/AB/c", "A/AB/c", "none"),
        ("a/AB/c", "a/AB/c.gz", "none"),
    ] {
        let bytes = archive(&[Member::stored(first, b"1"), Member::stored(second, b"1")]);
        assert_eq!(rule(&bytes), expected, "{first} {second}");
    }
    assert_eq!(
        rule(&archive(&[
            Member::directory("a/"),
            Member::directory("a/")
        ])),
        "duplicate_member"
    );
    let error = check(&archive(&[
        Member::stored("a/ab/c", b""),
        Member::stored("a/AB/c", b""),
    ]))
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "The members \"a/ab/c\" and \"a/AB/c\" have the same name."
    );
}

#[test]
fn sizes() {
    let error_of = |members: &[Member]| check_with(&archive(members), &low_limits()).unwrap_err();
    let noise: Vec<u8> = (0..1001_u32)
        .map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()[3])
        .collect();

    let error = error_of(&[Member::stored(KEY, &noise)]);
    assert_eq!(
        (error.code(), error.is_too_large()),
        ("entry_too_large", true)
    );
    let expected =
        format!("The member {KEY:?} takes 1001 bytes uncompressed; 1000 B is the most allowed.");
    assert_eq!(error.to_string(), expected);

    let error = error_of(&[
        Member::stored(KEY, &noise[..800]),
        Member::stored("a/AB/b", &noise[..800]),
    ]);
    assert_eq!(
        (error.code(), error.is_too_large()),
        ("archive_too_large", true)
    );

    let error = error_of(&[Member::deflated(KEY, &[0; 900])]);
    assert_eq!(
        (error.code(), error.is_too_large()),
        ("compression_ratio", false)
    );
    assert!(check_with(&archive(&[Member::deflated(KEY, &[0; 500])]), &low_limits()).is_ok());
}

#[test]
fn declared_sizes_do_not_overflow() {
    let huge = |name: &str| {
        Member::deflated(name, b"").central(|header| {
            header.size = u32::MAX;
            header.extra = zip64(&[u64::MAX]);
        })
    };
    let limits = ArchiveLimits {
        member_size: ByteSize(u64::MAX),
        ..ArchiveLimits::default()
    };
    let error = check_with(&archive(&[huge("a/AB/a"), huge("a/AB/b")]), &limits).unwrap_err();
    assert_eq!(error.code(), "archive_too_large");
}
