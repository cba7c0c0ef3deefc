//! Generated files: the bytes are symbolic's, and the answers those of a naive reader.

use proptest::prelude::*;
use symbolic_symcache::SymCache;

use super::second_opinion::{self, Answer, END, Naive, answer};
use super::{MODULE, convert, convert_by_symbolic};
use crate::Symcache;

/// What symbolic's own reader answers, by Eliot's rules.
fn answer_by_symbolic(symcache: &SymCache<'_>, address: u64) -> Answer {
    let places: Vec<_> = symcache
        .lookup(address)
        .map(|location| {
            let file = location.file().map(|file| file.full_path());
            let file = file.filter(|path| !path.is_empty());
            let line = file.as_ref().map_or(0, |_| location.line());
            (location.function().name().to_owned(), file, line.into())
        })
        .collect();
    let start = symcache.lookup(address).last()?.function().entry_pc();
    Some((address - u64::from(start), places))
}

/// Addresses and sizes: mostly small, so that records meet, and some at the borders of 32 and 64 bits.
fn number() -> impl Strategy<Value = u64> {
    let border = prop_oneof![Just(0_u64), Just(1 << 32), Just(u64::MAX)];
    let near =
        (border, -3_i64..3).prop_map(|(border, distance)| border.wrapping_add_signed(distance));
    prop_oneof![20 => 0_u64..0x60, 1 => near]
}

/// Addresses of `PUBLIC` records, below the ones that symbolic wraps.
fn low_number() -> impl Strategy<Value = u64> {
    number().prop_map(|number| number.min(0xffff_ffff))
}

fn extents() -> impl Strategy<Value = String> {
    let extent = (number(), number()).prop_map(|(start, size)| format!(" {start:x} {size:x}"));
    proptest::collection::vec(extent, 1..4).prop_map(|extents| extents.concat())
}

fn record() -> impl Strategy<Value = String> {
    let path = prop_oneof![
        "a\\.c",
        "b/a\\.c",
        "c:\\\\b\\\\a",
        "\\./x/\\.\\./a",
        "/",
        "b/",
        "",
        ".{0,9}"
    ];
    let small = 0_u64..6;
    let line = (number(), number(), -2_i64..9, small.clone());
    let inline = (0_u64..5, 0_u64..9, small.clone(), small.clone(), extents());
    prop_oneof![
        8 => line.prop_map(|(start, size, line, file)| format!("{start:x} {size:x} {line} {file}")),
        6 => inline.prop_map(|(depth, line, file, origin, extents)| {
            format!("INLINE {depth} {line} {file} {origin}{extents}")
        }),
        3 => (number(), number(), "[fm]").prop_map(|(start, size, name)| {
            format!("FUNC {start:x} {size:x} 0 {name}")
        }),
        1 => (low_number(), "[pf]").prop_map(|(start, name)| format!("PUBLIC {start:x} 0 {name}")),
        1 => (small.clone(), path).prop_map(|(file, path)| format!("FILE {file} {path}")),
        1 => (small, "[io]").prop_map(|(origin, name)| format!("INLINE_ORIGIN {origin} {name}")),
        1 => prop_oneof!["", "INFO x", "MODULE x", "STACK WIN", " 10 8 1 0 "],
    ]
}

/// A file of records in any order, mostly in an order that makes sense; now and then with a damaged character.
fn file() -> impl Strategy<Value = String> {
    let records = proptest::collection::vec(record(), 0..60);
    let damage = prop_oneof![3 => Just(None), 1 => any::<(u16, char)>().prop_map(Some)];
    (records, any::<bool>(), prop_oneof!["\n", "\r\n"], damage).prop_map(build)
}

type Plan = (Vec<String>, bool, String, Option<(u16, char)>);

fn build((mut records, is_sorted, end, damage): Plan) -> String {
    if is_sorted {
        // Files first, then names of what is inlined; what is in a function comes behind it.
        records.sort_by_key(|record| match record.split(' ').next() {
            Some("FILE") => 0,
            Some("INLINE_ORIGIN") => 1,
            _ => 2,
        });
        records.retain(|record| !record.starts_with("INFO") && !record.starts_with("MODULE"));
        let first = records
            .iter()
            .position(|record| !record.starts_with("FILE"));
        records.insert(
            first.unwrap_or(records.len()),
            "FUNC 4 50 0 first".to_owned(),
        );
    }
    let mut text = MODULE.to_owned() + &records.join(&end);
    if let Some((place, character)) = damage {
        let place = MODULE.len() + usize::from(place) % (text.len() - MODULE.len() + 1);
        text.insert(text.floor_char_boundary(place), character);
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_file_becomes_what_symbolic_makes_of_it(text in file()) {
        let ours = convert(text.as_bytes()).ok().map(|(symcache, _)| symcache);
        // A damaged character can move the address of a PUBLIC record to where symbolic wraps it.
        let is_high = text.lines().any(|line| line.starts_with("PUBLIC") && line.len() > 19);
        prop_assume!(!is_high);
        prop_assert_eq!(&ours, &convert_by_symbolic(text.as_bytes()));
        let Some(bytes) = ours else { return Ok(()) };
        let theirs = SymCache::parse(&bytes).unwrap();
        let symcache = Symcache::new(bytes.as_slice()).unwrap();
        let mut batch = symcache.batch();
        for address in (0..0x120).chain(0xffff_fff0..0x1_0000_0010) {
            let expected = answer_by_symbolic(&theirs, address);
            prop_assert_eq!(answer(&mut batch, address), expected, "{:x}", address);
        }
    }

    #[test]
    fn well_formed_files_are_read_like_a_naive_reader_does(
        bytes in proptest::collection::vec(any::<u8>(), 0..300)
    ) {
        let text = second_opinion::write(&bytes);
        let naive = Naive::read(&text);
        let (symcache, _) = convert(text.as_bytes()).unwrap();
        let symcache = Symcache::new(symcache).unwrap();
        let mut batch = symcache.batch();
        for address in 0..END {
            prop_assert_eq!(answer(&mut batch, address), naive.look_up(address), "{:x}\n{}", address, text);
        }
    }

    #[test]
    fn damaged_symcaches_answer_and_end(
        bytes in proptest::collection::vec(any::<u8>(), 0..100),
        changes in proptest::collection::vec(any::<(u16, u8)>(), 0..8),
        cut in proptest::option::of(any::<u16>()),
    ) {
        let (mut symcache, _) = convert(second_opinion::write(&bytes).as_bytes()).unwrap();
        for (place, byte) in changes {
            let place = usize::from(place) % symcache.len();
            symcache[place] = byte;
        }
        symcache.truncate(cut.map_or(usize::MAX, usize::from));
        if let Ok(symcache) = Symcache::new(symcache) {
            let mut batch = symcache.batch();
            for address in (0..END).step_by(7) {
                prop_assert!(batch.lookup(address).is_none_or(|frame| frame.inlines.len() <= 1024));
            }
        }
    }
}
