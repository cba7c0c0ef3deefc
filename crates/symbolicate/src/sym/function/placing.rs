//! Turns the tree of a function into ranges of addresses with a location each.
//!
//! The lines of a node hold where nothing is inlined; where something is, they become the places of its calls. Nodes
//! are placed in their order, callers first, so that the number of a call is known to what it calls. All ranges of
//! the function are sorted before they are added.

use std::ops::Range as Span;

use crate::format::{Location, NONE, low_bits};
use crate::writer::{Builder, Excess, Range};

use super::Names;
use super::tree::{Line, Node, Tree};

/// The place of a call: from which address on it holds, and the number of its location.
#[derive(Clone, Copy, Debug)]
struct Call {
    start: u32,
    location: u32,
}

/// What is known while the nodes of one function are placed.
#[derive(Debug, Default)]
pub(super) struct Placing {
    /// The calls of all nodes so far.
    calls: Vec<Call>,
    /// Where among the calls those of each node are.
    spans: Vec<Span<usize>>,
    /// What the node's called functions cover, by start.
    covered: Vec<Span<u32>>,
    ranges: Vec<Range>,
}

impl Placing {
    /// Adds the ranges of a function to the symcache.
    pub(super) fn place(
        &mut self,
        tree: &Tree,
        number: u32,
        names: &mut Names,
        builder: &mut Builder,
    ) -> Result<(), Excess> {
        self.ranges.clear();
        self.calls.clear();
        self.spans.clear();
        // The outer function is called from nowhere.
        self.calls.push(Call {
            start: 0,
            location: NONE,
        });
        for node in tree.nodes() {
            let callers = match node.caller {
                NONE => 0..1,
                caller => self.spans[caller as usize].clone(),
            };
            let first = self.calls.len();
            if !callers.is_empty() {
                self.place_node(tree, node, number, callers, names, builder)?;
            }
            self.spans.push(first..self.calls.len());
        }
        self.ranges.sort_by_key(|range| range.start);
        self.ranges.iter().try_for_each(|range| builder.add(*range))
    }

    fn place_node(
        &mut self,
        tree: &Tree,
        node: &Node,
        number: u32,
        callers: Span<usize>,
        names: &mut Names,
        builder: &mut Builder,
    ) -> Result<(), Excess> {
        let Ok(start) = u32::try_from(node.address) else {
            return Ok(());
        };
        if node.size == 0 {
            return Ok(());
        }
        let function = match node.caller {
            NONE => number,
            _ => names
                .origins
                .place(node.origin, |name| builder.inlined_function(name))?,
        };
        self.cover(tree, node);
        self.place_lines(tree.lines(node), function, callers, names, builder)?;
        if node.caller == NONE {
            let location = Location::without_file(function);
            self.ranges.push(Range { start, location });
        }
        // The end counts in 32 bits: a function that reaches beyond them ends near 0.
        self.ranges.push(Range {
            start: low_bits(node.end()),
            location: Location::NOTHING,
        });
        Ok(())
    }

    /// Lists what the functions that a node calls cover.
    fn cover(&mut self, tree: &Tree, node: &Node) {
        self.covered.clear();
        for called in tree.called(node) {
            self.covered.extend(tree.lines(called).map(bounds));
        }
        // Not stable, as symbolic does it: equal starts are left in the order that this very call leaves them in.
        self.covered.sort_unstable_by_key(|range| range.start);
    }

    fn place_lines<'a>(
        &mut self,
        mut lines: impl Iterator<Item = &'a Line>,
        function: u32,
        callers: Span<usize>,
        names: &mut Names,
        builder: &mut Builder,
    ) -> Result<(), Excess> {
        let mut caller = callers.start;
        let mut covered = 0;
        let mut next = lines.next();
        while let Some(line) = next {
            let bounds = bounds(line);
            while caller + 1 < callers.end && self.calls[caller + 1].start <= bounds.start {
                caller += 1;
            }
            let location = Location {
                file: names.files.place(line.file, |path| builder.file(path))?,
                line: line.number,
                function,
                inlined_into: self.calls[caller].location,
            };
            let placed = self.place_line(bounds, location, &mut covered, builder)?;
            // Lines that start in what is placed already contradict it.
            next = lines.find(|line| low_bits(line.address) >= placed);
        }
        Ok(())
    }

    /// Places one line between and around the called functions that start in it; returns the address behind them.
    fn place_line(
        &mut self,
        bounds: Span<u32>,
        location: Location,
        covered: &mut usize,
        builder: &mut Builder,
    ) -> Result<u32, Excess> {
        let mut start = bounds.start;
        while start < bounds.end {
            let next = self.covered.get(*covered);
            if next.is_none_or(|next| next.start > start) {
                self.ranges.push(Range { start, location });
            }
            match next {
                Some(next) if next.start < bounds.end => {
                    let location = builder.call(location)?;
                    self.calls.push(Call {
                        start: next.start,
                        location,
                    });
                    start = next.end;
                    *covered += 1;
                }
                _ => start = bounds.end,
            }
        }
        Ok(start)
    }
}

/// The addresses of a line as far as 32 bits reach.
fn bounds(line: &Line) -> Span<u32> {
    let start = u32::try_from(line.address).unwrap_or(u32::MAX);
    let size = u32::try_from(line.size).unwrap_or(u32::MAX);
    start..start.saturating_add(size)
}
