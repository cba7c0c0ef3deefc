//! One `FUNC` record with its lines and inlined functions: collected line by line, then turned into ranges.
//!
//! [`nesting`] orders the inlined ranges, [`tree`] gives every line to the function that it belongs to, and
//! [`placing`] writes down what holds at which address. The lists are used again for the next function.

mod nesting;
mod placing;
mod tree;

use crate::format::low_bits;
use crate::writer::{Builder, Excess};

use super::Limits;
use super::catalog::Catalog;
use super::records::{InlineRecord, LineRecord};

use nesting::{Inline, Nesting};
use placing::Placing;
use tree::{Line, Tree};

/// Names of files and of inlined functions.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) files: Catalog,
    pub(super) origins: Catalog,
}

/// The function whose records are being read.
#[derive(Debug)]
pub(super) struct Function {
    address: u64,
    size: u64,
    /// Its number in the symcache.
    number: u32,
    lines: Vec<Line>,
    inlines: Nesting,
    tree: Tree,
    placing: Placing,
    limits: Limits,
}

impl Function {
    /// None yet, with these limits.
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            address: 0,
            size: 0,
            number: 0,
            lines: Vec::new(),
            inlines: Nesting::default(),
            tree: Tree::default(),
            placing: Placing::default(),
            limits,
        }
    }

    /// Starts another function, which replaces the one before. Its size is not 0.
    pub(super) fn start(&mut self, address: u32, size: u64, number: u32) {
        self.address = address.into();
        self.size = size;
        self.number = number;
        self.lines.clear();
        self.inlines.clear();
    }

    /// Adds a line, unless it has no size or starts before the function.
    pub(super) fn add_line(&mut self, record: &LineRecord, names: &Names) -> Result<(), Excess> {
        if record.size == 0 || record.address < self.address {
            return Ok(());
        }
        if self.lines.len() >= self.limits.function_lines as usize {
            return Err(Excess::new(
                "lines in one function",
                self.limits.function_lines,
            ));
        }
        self.lines.push(Line {
            address: record.address,
            size: record.size,
            file: names.files.entry(record.file),
            number: low_bits(record.line),
        });
        Ok(())
    }

    /// Adds a range of an inlined function, unless it is too deep or starts before the function.
    pub(super) fn add_inline(
        &mut self,
        record: &InlineRecord<'_>,
        (address, size): (u64, u64),
        names: &Names,
    ) -> Result<(), Excess> {
        let depth = low_bits(record.depth);
        if address < self.address || depth > self.limits.inline_depth {
            return Ok(());
        }
        let inline = Inline {
            address,
            size,
            depth,
            origin: names.origins.entry(record.origin),
            call_file: names.files.entry(record.call_file),
            call_line: low_bits(record.call_line),
        };
        self.inlines.add(inline, self.limits.inline_ranges)
    }

    /// Adds the function's ranges to the symcache.
    pub(super) fn finish(
        &mut self,
        names: &mut Names,
        builder: &mut Builder,
    ) -> Result<(), Excess> {
        self.lines.sort_by_key(|line| line.address);
        let limit = self.limits.inline_ranges;
        self.tree.build(
            self.address,
            self.size,
            &self.lines,
            &mut self.inlines,
            limit,
        )?;
        self.placing.place(&self.tree, self.number, names, builder)
    }
}
