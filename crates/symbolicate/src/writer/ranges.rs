//! What is known of every address: a sorted list of the starts of ranges, each with its location.
//!
//! Records come in any order and contradict each other, so every start has a rule for which location stays. One with a
//! file replaces whatever is there: later lines win. One without a file, which is a name only, replaces nothing but
//! [`Location::NOTHING`], and that replaces nothing at all. Files are nearly always sorted, so nearly every start is
//! appended; one that comes late and is not there yet waits in a second list, until [`Ranges::settle`] merges the two
//! in place.

use crate::format::{Location, NONE};

/// A start and what is there until the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) start: u32,
    pub(crate) location: Location,
}

impl Range {
    /// The location that stays of two for one start, of which this one came first.
    fn meet(&mut self, later: Location) {
        let is_free = self.location == Location::NOTHING;
        if later.file != NONE || (is_free && later != Location::NOTHING) {
            self.location = later;
        }
    }
}

/// The starts of all ranges.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    /// No start is twice; those in `late` are not here.
    sorted: Vec<Range>,
    /// In the order in which they came.
    late: Vec<Range>,
}

impl Ranges {
    /// Adds a start, or decides which location stays there.
    pub(super) fn add(&mut self, range: Range) {
        match self.sorted.last_mut() {
            Some(last) if last.start == range.start => last.meet(range.location),
            Some(last) if last.start > range.start => match self.find(range.start) {
                Ok(index) => self.sorted[index].meet(range.location),
                Err(_) => self.late.push(range),
            },
            _ => self.sorted.push(range),
        }
    }

    /// How many starts are remembered, of which late ones may be the same.
    pub(super) fn count(&self) -> usize {
        self.sorted.len() + self.late.len()
    }

    /// Tells whether nothing is known of what starts here. Late starts are not looked at: settle before.
    pub(super) fn is_free(&self, start: u32) -> bool {
        self.find(start).map_or(true, |index| {
            self.sorted[index].location == Location::NOTHING
        })
    }

    /// Merges the late starts into the list, from its end, so that no second list is needed.
    pub(super) fn settle(&mut self) {
        let mut late = std::mem::take(&mut self.late);
        late.sort_by_key(|range| range.start);
        late.dedup_by(|later, first| {
            let is_same = later.start == first.start;
            if is_same {
                first.meet(later.location);
            }
            is_same
        });
        let mut read = self.sorted.len();
        let mut write = read + late.len();
        self.sorted.resize(
            write,
            Range {
                start: 0,
                location: Location::NOTHING,
            },
        );
        for range in late.into_iter().rev() {
            while read > 0 && self.sorted[read - 1].start > range.start {
                read -= 1;
                write -= 1;
                self.sorted[write] = self.sorted[read];
            }
            write -= 1;
            self.sorted[write] = range;
        }
    }

    /// The ranges in order. Late ones are missing: settle before.
    pub(super) fn sorted(&self) -> &[Range] {
        &self.sorted
    }

    fn find(&self, start: u32) -> Result<usize, usize> {
        self.sorted
            .binary_search_by_key(&start, |range| range.start)
    }
}
