//! The archives that fuzzing starts from, made by the builder.
//!
//! `make fuzz-seeds` names a folder in `FUZZ_SEEDS`, and this test fills it.

use std::collections::BTreeSet;
use std::{env, fs};

use super::builder::{Member, NAME, archive, archive_zip64, extra, poke, zip64};
use super::properties::good_archives;
use super::rule;

/// Archives that come close to being accepted, each refused by another rule.
fn refused_archives() -> Vec<Vec<u8>> {
    let member = || Member::deflated(NAME, b"SAMPLE SAMPLE SAMPLE SAMPLE");
    let other = || Member::stored("a/b/b", b"data");
    let mut streamed = member().streamed(true, true);
    streamed.descriptor[4] ^= 1;
    let mut with_comment = archive(&[member()]);
    poke(&mut with_comment, 2, &[3, 0]);
    with_comment.extend(b"end");
    let mut moved = other();
    moved.offset = Some(1);
    vec![
        with_comment,
        archive(&[member(), member()]),
        archive(&[member(), moved]),
        archive(&[member().central(|header| header.crc32 ^= 1)]),
        archive(&[member().both(|header| header.crc32 ^= 1)]),
        archive(&[member().both(|header| header.size += 1)]),
        archive(&[member().both(|header| header.flags |= 1)]),
        archive(&[member().both(|header| header.method = 12)]),
        archive(&[member().central(|header| header.attributes = 0o120_777 << 16)]),
        archive(&[member().central(|header| header.attributes = 0x10)]),
        archive(&[member().central(|header| header.comment = b"c".to_vec())]),
        archive(&[member().central(|header| header.extra = extra(0x7075, b"\x01evil"))]),
        archive(&[member().central(|header| header.extra = zip64(&[1]))]),
        archive(&[streamed]),
        archive(&[other().both(|header| header.name = b"../x.txt".to_vec())]),
        archive(&[other().both(|header| header.name = vec![b'a'; 600])]),
        archive(&[other().both(|header| header.name = b"a/b/\xff".to_vec())]),
        archive_zip64(&[other().both(|header| header.disk = 1)]),
    ]
}

#[test]
fn seeds_take_many_ways() {
    let (good, refused) = (good_archives(), refused_archives());
    assert!(good.iter().all(|bytes| rule(bytes) == "none"));
    let rules: BTreeSet<_> = refused.iter().map(|bytes| rule(bytes)).collect();
    assert_eq!(rules.len(), refused.len(), "{rules:?}");
    assert!(!rules.contains("none"));

    if let Some(folder) = env::var_os("FUZZ_SEEDS") {
        let folder = std::path::Path::new(&folder);
        fs::create_dir_all(folder).unwrap();
        for (number, bytes) in good.iter().chain(&refused).enumerate() {
            fs::write(folder.join(format!("seed-{number}.zip")), bytes).unwrap();
        }
    }
}
