//! Looks up the addresses of one module.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use symbolicate::{Batch, Frame};

use super::job::{Inline, Place, Symbol};

/// What a symbol and each inlined function take of an answer at least, beside their names, in bytes.
const AROUND: usize = 16;

/// The symbols at the offsets of a module that have one, ascending.
pub(super) type Symbols = Vec<(u64, Arc<Symbol>)>;

/// The answer would be too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoRoom;

/// How much may still be put into the answer to a request, in bytes.
#[derive(Debug)]
pub(super) struct Room(AtomicUsize);

impl Room {
    pub(super) fn new(bytes: usize) -> Self {
        Self(AtomicUsize::new(bytes))
    }

    fn take(&self, bytes: usize) -> Result<(), NoRoom> {
        let subtract = |left: usize| left.checked_sub(bytes);
        let taken = (self.0).fetch_update(Ordering::Relaxed, Ordering::Relaxed, subtract);
        taken.map(drop).map_err(|_| NoRoom)
    }
}

/// Looks up offsets, which ascend, as long as there is room for what is found.
pub(super) fn look_up(
    mut batch: Batch<'_>,
    offsets: &[u64],
    room: &Room,
) -> Result<Symbols, NoRoom> {
    let mut names = Names::default();
    let mut symbols = Vec::new();
    for offset in offsets {
        let Some(frame) = batch.lookup(*offset) else {
            continue;
        };
        let symbol = names.symbol(&frame);
        room.take(size_of_text(&symbol))?;
        symbols.push((*offset, Arc::new(symbol)));
    }
    Ok(symbols)
}

/// The fewest bytes that a symbol takes of an answer.
fn size_of_text(symbol: &Symbol) -> usize {
    let size = |function: &str, place: &Place| {
        AROUND + function.len() + place.file.as_ref().map_or(0, |file| file.len())
    };
    let inlines = symbol.inlines.iter();
    let inlines = inlines.map(|inline| size(&inline.function, &inline.place));
    size(&symbol.function, &symbol.place) + inlines.sum::<usize>()
}

/// The names of functions that were found so far, each kept once.
#[derive(Default)]
struct Names<'data>(HashMap<&'data str, Arc<str>>);

impl<'data> Names<'data> {
    fn symbol(&mut self, frame: &Frame<'data>) -> Symbol {
        let inlines = frame.inlines.iter().map(|inline| Inline {
            function: self.name(inline.function),
            place: Place {
                file: inline.file.clone(),
                line: inline.line,
            },
        });
        Symbol {
            inlines: inlines.collect(),
            function: self.name(frame.function),
            function_offset: frame.function_offset,
            place: Place {
                file: frame.file.clone(),
                line: frame.line,
            },
        }
    }

    fn name(&mut self, name: &'data str) -> Arc<str> {
        Arc::clone(self.0.entry(name).or_insert_with(|| Arc::from(name)))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use symbolicate::{Limits, Symcache, convert_sym};

    use super::*;

    const SYM: &str = "MODULE Linux x86_64 00E1107000000000000000000000000D1 a.so\n\
        FILE 0 a.c\n\
        FUNC 10 10 0 function\n\
        10 10 7 0\n";

    fn symcache() -> Symcache<Vec<u8>> {
        let mut bytes = Vec::new();
        convert_sym(SYM.as_bytes(), &Limits::default(), &mut bytes).unwrap();
        Symcache::new(bytes).unwrap()
    }

    #[test]
    fn only_offsets_with_a_symbol_are_found() {
        let symbols = look_up(
            symcache().batch(),
            &[0xf, 0x10, 0x1f, 0x20],
            &Room::new(1000),
        );
        let symbols = symbols.unwrap();
        let offsets: Vec<_> = symbols.iter().map(|(offset, _)| *offset).collect();
        assert_eq!(offsets, [0x10, 0x1f]);
        let (first, last) = (&symbols[0].1, &symbols[1].1);
        assert_eq!((&*first.function, first.function_offset), ("function", 0));
        assert_eq!(last.function_offset, 0xf);
        assert_eq!(last.place.line.map(NonZeroU32::get), Some(7));
        assert!(Arc::ptr_eq(&first.function, &last.function));
    }

    #[test]
    fn what_is_found_takes_room() {
        let size = AROUND + "function".len() + "a.c".len();
        let room = Room::new(2 * size);
        for _ in 0..2 {
            assert!(look_up(symcache().batch(), &[0x10], &room).is_ok());
        }
        assert!(look_up(symcache().batch(), &[0x20], &room).is_ok());
        assert_eq!(look_up(symcache().batch(), &[0x10], &room), Err(NoRoom));
    }
}
