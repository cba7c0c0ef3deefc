//! Brings the ranges of inlined functions into an order in which they form a tree.
//!
//! The ranges of a `.sym` file need not nest. One that reaches beyond the end of its caller is cut there, and the rest
//! is tried again behind it, where another caller may be; one that overlaps the one before it at the same depth starts
//! behind that; one without a caller is dropped. So few bytes can describe very many pieces: hence the limit.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use crate::writer::Excess;

use super::tree::Line;

/// A range of an inlined function.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inline {
    pub(super) address: u64,
    pub(super) size: u64,
    /// 0 if the caller is the outer function.
    pub(super) depth: u32,
    /// The entry of its name in the catalog of origins.
    pub(super) origin: u32,
    /// The entry of the calling file in the catalog of files.
    pub(super) call_file: u32,
    pub(super) call_line: u32,
}

impl Inline {
    fn key(&self) -> (u64, u32) {
        (self.address, self.depth)
    }

    /// The line that calls it, as far as the range goes.
    pub(super) fn call(&self) -> Line {
        Line {
            address: self.address,
            size: self.size,
            file: self.call_file,
            number: self.call_line,
        }
    }

    /// What is left of it from an address on.
    fn from(self, address: u64, end: u64) -> Self {
        Self {
            address,
            size: end - address,
            ..self
        }
    }
}

impl PartialEq for Inline {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Inline {}

impl PartialOrd for Inline {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Inline {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

/// The ranges of one function. Callers come before what they call, and no two at one depth overlap.
#[derive(Debug, Default)]
pub(super) struct Nesting {
    /// The same heap as symbolic's, filled and emptied in the same way: ranges with the same key come out in an order
    /// that follows from nothing else.
    waiting: BinaryHeap<Reverse<Inline>>,
    /// The ends of the range that was returned last and its callers, by depth.
    ends: Vec<u64>,
    /// How many ranges were looked at.
    steps: u32,
}

impl Nesting {
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.ends.clear();
        self.steps = 0;
    }

    pub(super) fn add(&mut self, inline: Inline, limit: u32) -> Result<(), Excess> {
        if self.waiting.len() >= limit as usize {
            return Err(Excess::new("inlined ranges in one function", limit));
        }
        self.waiting.push(Reverse(inline));
        Ok(())
    }

    /// The next range.
    pub(super) fn next(&mut self, limit: u32) -> Result<Option<Inline>, Excess> {
        while let Some(Reverse(inline)) = self.waiting.pop() {
            self.steps += 1;
            if self.steps > limit {
                return Err(Excess::new("inlined ranges in one function", limit));
            }
            if let Some(nested) = self.nest(inline) {
                return Ok(Some(nested));
            }
        }
        Ok(None)
    }

    /// The part of a range that fits into the tree here. The rest goes back to wait.
    fn nest(&mut self, inline: Inline) -> Option<Inline> {
        let depth = inline.depth as usize;
        let mut end = inline.address.checked_add(inline.size)?;
        if self.ends.len() < depth {
            return None;
        }
        if let Some(&sibling_end) = self.ends.get(depth) {
            if end <= sibling_end {
                return None;
            }
            if inline.address < sibling_end {
                self.waiting.push(Reverse(inline.from(sibling_end, end)));
                return None;
            }
        }
        self.ends.truncate(depth);
        if let Some(&caller_end) = self.ends.last() {
            if inline.address >= caller_end {
                return None;
            }
            if end > caller_end {
                self.waiting.push(Reverse(inline.from(caller_end, end)));
                end = caller_end;
            }
        }
        self.ends.push(end);
        Some(inline.from(inline.address, end))
    }
}
