//! `.sym` files, converted by symbolic as well.

use std::fmt::Debug;

use symbolic_debuginfo::{Object, ParseObjectOptions};
use symbolic_symcache::{SymCache, SymCacheConverter};
use symbolicate::{Limits, SymError, Symcache, convert_sym};

/// The first line, without which no file is read further.
const MODULE: &[u8] = b"MODULE Linux x86_64 44E4EC8C2F41492B9369D6B9A059577C2 a.so\n";

/// The addresses that are looked up.
const ADDRESSES: u64 = 0x200;

/// Reads the bytes as the records of a `.sym` file.
///
/// # Panics
/// The symcache is another one than symbolic makes of it, one of us refuses the file and the other does not, or their
/// readers answer differently.
pub fn sym_convert(bytes: &[u8]) {
    let text = [MODULE, bytes].concat();
    if has_high_address(&text) {
        return;
    }
    let mut ours = Vec::new();
    let result = convert_sym(text.as_slice(), &limits(), &mut ours);
    // What is too complex for us may take symbolic gigabytes.
    if let Err(SymError::TooComplex { .. }) = result {
        return;
    }
    let ours = result.ok().map(|_| ours);
    assert_eq!(ours, convert_by_symbolic(&text));
    if let Some(symcache) = ours {
        compare_lookups(&symcache);
    }
}

fn limits() -> Limits {
    Limits {
        inline_ranges: 2_000,
        ..Limits::default()
    }
}

/// Tells whether a function or name may lie above 32 bits. There symbolic gives names to wrong addresses, and where
/// overflows are checked, as they are when fuzzing, it panics.
fn has_high_address(text: &[u8]) -> bool {
    let is_long = |word: &&[u8]| word.len() > 8;
    text.split(|byte| *byte == b'\n')
        .filter(|line| line.starts_with(b"FUNC") || line.starts_with(b"PUBLIC"))
        .any(|line| {
            let words = line.split(u8::is_ascii_whitespace);
            let mut words = words.filter(|word| !word.is_empty());
            words.by_ref().take(5).any(|word| is_long(&word))
        })
}

fn convert_by_symbolic(text: &[u8]) -> Option<Vec<u8>> {
    let mut options = ParseObjectOptions::default();
    options.max_inline_depth = Some(512);
    let object = Object::parse_with_opts(text, options).ok()?;
    let mut converter = SymCacheConverter::new();
    converter.process_object(&object).ok()?;
    let mut symcache = Vec::new();
    converter.serialize(&mut symcache).ok()?;
    Some(symcache)
}

fn compare_lookups(bytes: &[u8]) {
    let theirs = SymCache::parse(bytes).expect("symbolic reads what it writes");
    let ours = Symcache::new(bytes).expect("we read what symbolic reads");
    let mut batch = ours.batch();
    for address in 0..ADDRESSES {
        let frame = batch.lookup(address);
        let locations: Vec<_> = theirs.lookup(address).collect();
        let names = locations.iter().map(|location| location.function().name());
        let Some(frame) = frame else {
            assert_same(address, &locations.len(), &0);
            continue;
        };
        let ours = frame.inlines.iter().map(|inline| inline.function);
        let ours = ours.chain([frame.function]);
        assert_same(address, &ours.collect::<Vec<_>>(), &names.collect());
        let inner = frame.inlines.first();
        let file = inner.map_or(&frame.file, |inline| &inline.file);
        let path = locations[0].file().map(|file| file.full_path());
        let path = path.filter(|path| !path.is_empty());
        assert_same(address, &file.as_deref(), &path.as_deref());
    }
}

fn assert_same<T: Debug + PartialEq>(address: u64, ours: &T, theirs: &T) {
    assert_eq!(ours, theirs, "at {address:#x}");
}
