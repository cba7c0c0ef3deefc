//! Members that are guessed while their archive arrives.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::Arriving;
use super::builder::{Member, NAME, archive, archive_zip64, zip64};
use super::properties::good_archives;
use super::{low_limits, *};

/// What is guessed of an archive that arrives up to these places, one after the other, and then as a whole.
fn guesses(bytes: &[u8], places: &[usize], limits: &Limits) -> Vec<Entry<()>> {
    let mut places: Vec<usize> = places
        .iter()
        .map(|place| place % (bytes.len() + 1))
        .collect();
    places.push(bytes.len());
    places.sort_unstable();
    let mut arriving = Arriving::default();
    let mut guesses = Vec::new();
    for place in places {
        // Nothing else is there yet, so that reading on would fail.
        let arrived = &bytes[..place];
        guesses.extend(
            arriving
                .advance(arrived, place as u64, limits, &PlainPaths)
                .unwrap(),
        );
    }
    guesses
}

fn names(entries: &[Entry<()>]) -> Vec<&str> {
    entries.iter().map(|entry| entry.name.as_str()).collect()
}

fn good_members() -> Vec<Member> {
    vec![
        Member::directory("harbour/"),
        Member::deflated(NAME, b"SAMPLE SAMPLE SAMPLE"),
        Member::stored("c/d/e.bin", b"zip64").both(|header| {
            (header.compressed_size, header.size) = (u32::MAX, u32::MAX);
            header.extra = zip64(&[5, 5]);
        }),
        Member::stored(".DS_Store", b"x"),
    ]
}

#[test]
fn guesses_are_the_entries_that_the_directory_tells_of() {
    for bytes in [archive(&good_members()), archive_zip64(&good_members())] {
        let limits = Limits::default();
        let entries = inspect(&bytes[..], &limits, &PlainPaths).unwrap();
        assert_eq!(guesses(&bytes, &[], &limits), entries);
        for place in 0..bytes.len() {
            assert_eq!(
                guesses(&bytes, &[place], &limits),
                entries,
                "cut at {place}"
            );
        }
    }
}

#[test]
fn guessing_ends_where_a_header_does_not_tell() {
    let good = Member::stored("a/a.txt", b"a");
    for other in [
        Member::stored(NAME, b"b").streamed(true, false),
        Member::stored("../escape", b"b"),
        Member::stored(NAME, b"b").both(|header| header.method = 12),
        Member::stored(NAME, b"b").local(|header| header.size = u32::MAX),
    ] {
        let bytes = archive(&[good.clone(), other, good.clone()]);
        let guesses = guesses(&bytes, &[], &Limits::default());
        assert_eq!(names(&guesses), ["a/a.txt"]);
    }
}

#[test]
fn guessing_ends_at_the_limits() {
    let limits = low_limits();
    let member = |name: &str, size| Member::stored(&format!("{name}/{name}.txt"), &vec![7; size]);
    let bomb = Member::deflated("c/c.txt", &[0; 900]);
    let archives = [
        (vec![member("a", 1), member("b", 1), member("c", 1)], 2),
        (vec![member("a", 1), member("b", 1001)], 1),
        (vec![member("a", 1000), member("b", 501)], 1),
        (vec![member("a", 20), bomb], 1),
    ];
    for (members, expected) in archives {
        let bytes = archive(&members);
        assert_eq!(guesses(&bytes, &[], &limits).len(), expected);
    }
}

proptest! {
    /// Whatever arrives, and in whatever pieces: guesses do not depend on the pieces, and lie within what has arrived.
    #[test]
    fn damaged_archives_arrive(
        which in 0..3_usize,
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        places in vec(0..2000_usize, 0..5),
    ) {
        let mut bytes = good_archives().swap_remove(which);
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let limits = Limits::default();
        let guesses = guesses(&bytes, &places, &limits);
        prop_assert_eq!(&guesses, &super::arriving::guesses(&bytes, &[], &limits));
        let within = |entry: &Entry<()>| entry.data_offset + entry.compressed_size <= bytes.len() as u64;
        prop_assert!(guesses.iter().all(within));
        // An archive that is accepted holds what was guessed of it.
        if let Ok(entries) = inspect(&bytes[..], &limits, &PlainPaths) {
            prop_assert!(guesses.iter().all(|guess| entries.contains(guess)));
        }
    }
}
