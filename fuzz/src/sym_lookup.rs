//! Lookups in well-formed `.sym` files, answered by a naive reader as well.

use symbolicate::{Limits, Symcache, convert_sym};

use crate::second_opinion::{END, Naive, answer, write};

/// Makes a file by the bytes' decisions and looks up all of its addresses.
///
/// # Panics
/// The file is refused, or an answer is not the one of the naive reader.
pub fn sym_lookup(bytes: &[u8]) {
    let text = write(bytes);
    let naive = Naive::read(&text);
    let mut symcache = Vec::new();
    convert_sym(text.as_bytes(), &Limits::default(), &mut symcache)
        .expect("the file is well-formed");
    let symcache = Symcache::new(symcache).expect("we read what we write");
    let mut batch = symcache.batch();
    for address in 0..END {
        assert_eq!(
            answer(&mut batch, address),
            naive.look_up(address),
            "at {address:#x}\n{text}"
        );
    }
}
