//! What a member's data may be.

use super::builder::{Member, NAME, archive};
use super::{check, rule};

#[test]
fn checksums() {
    for member in [
        Member::stored(NAME, b"data"),
        Member::deflated(NAME, b"data"),
    ] {
        let error = check(&archive(&[member.both(|header| header.crc32 ^= 1)])).unwrap_err();
        assert_eq!(error.code(), "crc_mismatch");
        assert_eq!(error.to_string(), format!("Bad CRC-32 for file {NAME:?}"));
    }
}

#[test]
fn declared_sizes_are_the_real_ones() {
    for declared in [0, 999_999, 1_000_001, 2_000_000] {
        let member =
            Member::deflated(NAME, &vec![7; 1_000_000]).both(|header| header.size = declared);
        assert_eq!(rule(&archive(&[member])), "size_mismatch", "{declared}");
    }
}

#[test]
fn deflate_streams_end_with_the_member() {
    let mut long = Member::deflated(NAME, b"data").both(|header| header.compressed_size += 2);
    long.data.extend(b"xx");
    let error = check(&archive(&[long])).unwrap_err();
    assert_eq!(error.code(), "bytes_after_stream");
    assert_eq!(
        error.to_string(),
        format!("The compressed data of the member {NAME:?} ends 2 bytes before the member does.")
    );

    let whole = Member::deflated(NAME, b"some data that is long enough");
    for length in 0..whole.data.len() {
        let mut cut = whole
            .clone()
            .both(|header| header.compressed_size = u32::try_from(length).unwrap());
        cut.data.truncate(length);
        assert_eq!(rule(&archive(&[cut])), "truncated_data", "{length}");
    }
}

#[test]
fn noise_is_no_deflate_stream() {
    let mut member = Member::deflated(NAME, b"data");
    member.data.fill(0xff);
    assert_eq!(rule(&archive(&[member])), "damaged_data");
}

#[test]
fn a_stream_longer_than_all_buffers() {
    let content: Vec<u8> = (0..400_000_u32)
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes())
        .collect();
    let bytes = archive(&[
        Member::deflated(NAME, &content),
        Member::stored("a/b/b", &content),
    ]);
    let checked = check(&bytes).unwrap();
    assert!(checked[0].0.compressed_size > 1_000_000);
    assert_eq!((&checked[0].1, &checked[1].1), (&content, &content));
}
