use std::io::{BufWriter, Seek, SeekFrom};

use proptest::prelude::*;
use symbolicate::{Limits, convert_sym};

use super::super::module::UnusableReason;
use super::*;

const SYM: &[u8] = b"MODULE windows x86_64 44E4EC8C2F41492B9369D6B9A059577C2 a.pdb\n\
    INFO CODE_ID 5E9A1234F000 a.dll\nFILE 0 a.c\nFUNC 1000 10 0 first\n1000 10 7 0\nFUNC 1010 10 0 second\n";

fn digest(byte: u8) -> Sha256 {
    Sha256::new([byte; 32])
}

fn made_from() -> MadeFrom {
    MadeFrom {
        digest: digest(1),
        size: SYM.len() as u64,
        kind: SourceKind::Sym,
    }
}

/// The bytes of a file with a symcache, and of one without.
fn files() -> [Vec<u8>; 2] {
    let mut file = tempfile::tempfile().unwrap();
    file.seek(SeekFrom::Start(HEADER as u64)).unwrap();
    let mut symcache = Summed::new(BufWriter::new(&file));
    let converted = convert_sym(SYM, &Limits::default(), &mut symcache).unwrap();
    let (length, crc32) = symcache.finish().unwrap();
    let content = Content::usable(converted.program_file, length, crc32);
    finish(
        &file,
        &Header {
            made_from: made_from(),
            content,
        },
    )
    .unwrap();
    let unusable = tempfile::tempfile().unwrap();
    let content = Content::Unusable(Unusable {
        reason: UnusableReason::Damaged,
        line: Some(7),
    });
    finish(
        &unusable,
        &Header {
            made_from: made_from(),
            content,
        },
    )
    .unwrap();
    [file, unusable].map(|file| {
        let mut bytes = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
        file.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    })
}

fn open_bytes(bytes: &[u8]) -> Result<Opened, FileFault> {
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(bytes, 0).unwrap();
    open(file, &digest(1))
}

#[test]
fn what_was_written_is_read() {
    let [usable, unusable] = files();
    let Opened::Usable(symcache) = open_bytes(&usable).unwrap() else {
        panic!("it is usable");
    };
    assert_eq!(symcache.program_file.as_deref(), Some("a.dll"));
    let mut batch = symcache.batch();
    assert_eq!(batch.lookup(0x1014).unwrap().function, "second");
    let Opened::Unusable(unusable) = open_bytes(&unusable).unwrap() else {
        panic!("it is unusable");
    };
    assert_eq!(
        (unusable.reason, unusable.line),
        (UnusableReason::Damaged, Some(7))
    );
}

#[test]
fn other_symbols_and_other_versions_are_refused() {
    let [usable, _] = files();
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(&usable, 0).unwrap();
    let other = open(file, &digest(2));
    assert!(matches!(other, Err(FileFault::OtherSource)), "{other:?}");
    for at in [8, 12] {
        let mut changed = usable.clone();
        changed[at] += 1;
        let sum = crc32fast::hash(&changed[..CHECKSUM]).to_le_bytes();
        changed[CHECKSUM..HEADER].copy_from_slice(&sum);
        let refused = open_bytes(&changed);
        assert!(matches!(refused, Err(FileFault::Version)), "{refused:?}");
    }
}

#[test]
fn a_long_program_file_is_left_out() {
    let content = Content::usable(Some("x".repeat(PROGRAM_FILE + 1)), 0, 0);
    assert!(matches!(
        content,
        Content::Usable {
            program_file: None,
            ..
        }
    ));
    let escaped = Content::usable(Some("\u{1}".repeat(PROGRAM_FILE)), 0, 0);
    let header = Header {
        made_from: made_from(),
        content: escaped,
    };
    let read = Header::decode(&header.encode().unwrap()).unwrap();
    assert_eq!(read, header);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_changed_byte_is_refused(is_usable: bool, at: prop::sample::Index, flip in 1_u8..) {
        let [usable, unusable] = files();
        let mut bytes = if is_usable { usable } else { unusable };
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert!(open_bytes(&bytes).is_err());
    }

    #[test]
    fn any_cut_or_addition_is_refused(is_usable: bool, at: prop::sample::Index, more in 1_usize..5000) {
        let [usable, unusable] = files();
        let bytes = if is_usable { usable } else { unusable };
        prop_assert!(open_bytes(&bytes[..at.index(bytes.len())]).is_err());
        let longer = [bytes, vec![0; more]].concat();
        prop_assert!(open_bytes(&longer).is_err());
    }
}
