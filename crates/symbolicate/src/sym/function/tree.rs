//! The tree of a function and what is inlined into it.
//!
//! Line records tell the line of the innermost function only. Each goes to the node that is innermost at its address,
//! cut where an inlined function starts or ends, and each inlined function leaves the line of its call in its caller.
//! Nodes are numbered as they are met, callers before what they call; they and their lines are linked by number in two
//! lists that are used again for the next function.

use crate::format::NONE;
use crate::writer::Excess;

use super::nesting::{Inline, Nesting};

/// A line of a function, or of the place where it calls another one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) address: u64,
    pub(super) size: u64,
    /// The entry of its file in the catalog of files.
    pub(super) file: u32,
    pub(super) number: u32,
}

/// A function, or a range of it that is inlined.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) address: u64,
    pub(super) size: u64,
    /// The entry of its name in the catalog of origins; [`NONE`] for the outer function.
    pub(super) origin: u32,
    /// The node of the caller; [`NONE`] for the outer function.
    pub(super) caller: u32,
    lines: Links,
    /// The nodes of what it calls.
    called: Links,
    next: u32,
}

impl Node {
    /// The address behind it.
    pub(super) fn end(&self) -> u64 {
        self.address.saturating_add(self.size)
    }
}

/// The ends of a linked list.
#[derive(Clone, Copy, Debug)]
struct Links {
    first: u32,
    last: u32,
}

impl Links {
    const EMPTY: Self = Self {
        first: NONE,
        last: NONE,
    };

    /// Makes this the last one, and returns which one was so far.
    fn append(&mut self, number: u32) -> Option<u32> {
        let last = std::mem::replace(&mut self.last, number);
        if last == NONE {
            self.first = number;
        }
        (last != NONE).then_some(last)
    }
}

/// The number of the next element of a list that is so long.
fn number(length: usize) -> u32 {
    u32::try_from(length).expect("the limits keep lines and ranges of a function far below 2^32")
}

/// The nodes of one function; the outer function is the first.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    /// Lines, each with the number of the next one of its node.
    lines: Vec<(Line, u32)>,
    /// The nodes from the outer function to the one that is innermost here.
    stack: Vec<u32>,
}

impl Tree {
    /// Builds the tree of a function from its lines, sorted by address, and its inlined ranges.
    pub(super) fn build(
        &mut self,
        address: u64,
        size: u64,
        lines: &[Line],
        inlines: &mut Nesting,
        limit: u32,
    ) -> Result<(), Excess> {
        self.nodes.clear();
        self.lines.clear();
        self.stack.clear();
        self.open(address, size, NONE);
        // A size that reaches beyond 2^64 leaves the function without lines, as in symbolic.
        let end = address.wrapping_add(size);
        let mut lines = lines.iter().copied();
        let mut next_line = lines.next();
        let mut next_inline = inlines.next(limit)?;
        loop {
            // Of a line and an inlined range at the same address, the line lies in the range.
            let is_inline_next =
                |line: &Line| next_inline.is_some_and(|inline| inline.address <= line.address);
            if let Some(line) = next_line.filter(|line| !is_inline_next(line)) {
                self.close_at(line.address);
                if line.address >= end {
                    return Ok(());
                }
                let rest = self.add_start(line, next_inline.as_ref());
                next_line = rest.or_else(|| lines.next());
            } else if let Some(inline) = next_inline.filter(|inline| self.enter(inline, end)) {
                self.add_line(inline.call());
                self.open(inline.address, inline.size, inline.origin);
                next_inline = inlines.next(limit)?;
            } else {
                return Ok(());
            }
        }
    }

    /// Makes the caller of an inlined range the innermost node, unless the range starts behind the function.
    fn enter(&mut self, inline: &Inline, end: u64) -> bool {
        self.close_at(inline.address);
        self.stack.truncate(inline.depth as usize + 1);
        inline.address < end
    }

    /// Leaves the inlined functions that end at an address or before it.
    fn close_at(&mut self, address: u64) {
        while let [_, .., innermost] = self.stack[..]
            && self.nodes[innermost as usize].end() <= address
        {
            self.stack.pop();
        }
    }

    /// Adds a line to the innermost node, as far as it goes there, and returns what is left of it.
    fn add_start(&mut self, mut line: Line, next: Option<&Inline>) -> Option<Line> {
        let line_end = line.address.saturating_add(line.size);
        let innermost = self.nodes[self.innermost() as usize].end();
        let cut = next.map_or(innermost, |inline| inline.address.min(innermost));
        let rest = (cut < line_end).then(|| Line {
            address: cut,
            size: line_end - cut,
            ..line
        });
        if rest.is_some() {
            line.size = cut - line.address;
        }
        self.add_line(line);
        rest
    }

    fn add_line(&mut self, line: Line) {
        let number = number(self.lines.len());
        let node = self.innermost() as usize;
        if let Some(last) = self.nodes[node].lines.append(number) {
            self.lines[last as usize].1 = number;
        }
        self.lines.push((line, NONE));
    }

    /// Adds a node that the innermost one calls, which is the innermost one from now on.
    fn open(&mut self, address: u64, size: u64, origin: u32) {
        let number = number(self.nodes.len());
        let caller = self.stack.last().copied().unwrap_or(NONE);
        if let Some(caller) = self.nodes.get_mut(caller as usize)
            && let Some(last) = caller.called.append(number)
        {
            self.nodes[last as usize].next = number;
        }
        self.nodes.push(Node {
            address,
            size,
            origin,
            caller,
            lines: Links::EMPTY,
            called: Links::EMPTY,
            next: NONE,
        });
        self.stack.push(number);
    }

    fn innermost(&self) -> u32 {
        *self
            .stack
            .last()
            .expect("the outer function stays on the stack")
    }
}

/// Reading the tree.
impl Tree {
    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The lines of a node in the order in which they were added.
    pub(super) fn lines(&self, node: &Node) -> impl Iterator<Item = &Line> {
        let mut next = node.lines.first;
        std::iter::from_fn(move || {
            let (line, following) = self.lines.get(next as usize)?;
            next = *following;
            Some(line)
        })
    }

    /// The nodes that a node calls, in their order.
    pub(super) fn called(&self, node: &Node) -> impl Iterator<Item = &Node> {
        let mut next = node.called.first;
        std::iter::from_fn(move || {
            let node = self.nodes.get(next as usize)?;
            next = node.next;
            Some(node)
        })
    }
}
